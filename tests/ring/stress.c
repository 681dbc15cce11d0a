// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads or processes hammer the rings, sleeping whenever the protocol lets
 * them.  Everything that arrives is verified; a wake-up that is lost shows as a
 * sleeper whose deadline passes.
 *
 * Locking: each ring has one producer and one consumer context; the event queue
 * of a lane has several producers and its private state is under lane_lock.
 * Lifetime: all shared memory is one memfd that lives as long as the process.
 *
 * Exit status: 0 all well, 1 wrong data or a failed check, 2 usage or machine,
 * 3 lost wake-up.
 */

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ring/evq.h>
#include <ring/ioq.h>

enum {
	EXIT_WRONG = 1,
	EXIT_CANNOT = 2,
	EXIT_LOST = 3,
};

#define SLOTS		VBUS_EVQ_SLOTS_MIN
#define WORKS		4u		/* signals of mode evq */
#define DEVS		8u		/* devices of mode lane */
#define FEEDERS		2u		/* producers of mode lane */
#define LOG2		5u
#define SIZE		(1u << LOG2)
#define INLINE		64u
#define CHAIN_MAX	3u
#define ITEMS_MIN	5000u		/* less than that has shown nothing */
#define HOLD_MAX	8u		/* chains the server answers at once */

static unsigned long opt_count = 1000000;
static unsigned int opt_deadline = 10;
static unsigned int opt_seconds;	/* evq, ioq: end early after so many; 0: never */
static unsigned int opt_delay;		/* one step in this many is delayed */
static bool opt_futex;
static bool opt_processes;
static bool opt_wrap;
static u64 opt_seed = 1;

/* --- randomness and delays --- */

static _Thread_local u64 rnd_state = 1;

static void rnd_seed(u64 who)
{
	rnd_state = (opt_seed + who) * 0x9e3779b97f4a7c15ull | 1;
}

static u32 rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return rnd_state >> 32;
}

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#else
	__asm__ volatile("" ::: "memory");
#endif
}

static void spin(u32 n)
{
	while (n--)
		relax();
}

static inline void ring_step(void)
{
	u32 r;

	if (!opt_delay)
		return;
	r = rnd();
	if (r % opt_delay)
		return;
	if (r >> 24 == 0)
		sched_yield();
	else
		spin((r >> 16) % 64);
}

/* --- verdicts --- */

#define wrong(...) do {						\
	fprintf(stderr, "stress: wrong: " __VA_ARGS__);		\
	fputc('\n', stderr);					\
	_exit(EXIT_WRONG);					\
} while (0)

static void __attribute__((noreturn)) lost(const char *who)
{
	fprintf(stderr, "stress: lost wake-up: %s waited %u s\n", who, opt_deadline);
	_exit(EXIT_LOST);
}

static void __attribute__((noreturn)) cannot(const char *what)
{
	perror(what);
	_exit(EXIT_CANNOT);
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* --- sleeping: a doorbell is a counter that is rung by adding one --- */

static void bell_ring(u32 *bell)
{
	__atomic_fetch_add(bell, 1, __ATOMIC_SEQ_CST);
	if (opt_futex)
		syscall(SYS_futex, bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static u32 bell_look(const u32 *bell)
{
	return __atomic_load_n(bell, __ATOMIC_ACQUIRE);
}

/* Sleep until the bell is not @seen any more, which was read before arming. */
static void bell_wait(u32 *bell, u32 seen, const char *who)
{
	u64 deadline = now_ns() + opt_deadline * 1000000000ull;
	struct timespec ts = { .tv_sec = opt_deadline };
	u32 i;

	for (;;) {
		if (opt_futex) {
			if (bell_look(bell) != seen)
				return;
			if (syscall(SYS_futex, bell, FUTEX_WAIT, seen, &ts, NULL, 0) &&
			    errno != EAGAIN && errno != EINTR && errno != ETIMEDOUT)
				cannot("futex");
		} else {
			for (i = 0; i < 4096; i++) {
				if (bell_look(bell) != seen)
					return;
				relax();
			}
			/* two processors may be shared by many */
			sched_yield();
		}
		if (now_ns() >= deadline && bell_look(bell) == seen)
			lost(who);
	}
}

/* --- shared memory: one object, each side has its own mapping --- */

struct lane_queue {
	u8 region[VBUS_IOQ_BYTES(LOG2, INLINE)] __attribute__((aligned(64)));
};

struct shared {
	u8 evq[VBUS_EVQ_BYTES(SLOTS)] __attribute__((aligned(64)));
	u8 back[FEEDERS][VBUS_EVQ_BYTES(SLOTS)] __attribute__((aligned(64)));
	struct lane_queue queue[DEVS];
	u32 bell __attribute__((aligned(64)));
	u32 back_bell[FEEDERS] __attribute__((aligned(64)));
	u32 done __attribute__((aligned(64)));
	struct {
		u32 n __attribute__((aligned(64)));
	} work[WORKS];
	/* counters of the guest side, for the report */
	u64 items, pushed, coalesced, signalled, sleeps;
};

static int shm_fd;

static struct shared *shm_map(void)
{
	void *p = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, shm_fd, 0);

	if (p == MAP_FAILED)
		cannot("mmap");
	return p;
}

struct counts {
	u64 pushed, coalesced, signalled, sleeps;
};

static void count_push(struct counts *c, enum vbus_evq_push res)
{
	c->pushed++;
	c->coalesced += res == VBUS_EVQ_COALESCED;
	c->signalled += res == VBUS_EVQ_SIGNAL;
	if (res == VBUS_EVQ_FULL)
		wrong("the event queue is full");
}

/*
 * How much there is to do in the modes evq and ioq.  The producer may lower it to
 * what it has done, when everything was consumed and the time is up.
 */
static u32 goal;
static u64 time_up;

static bool finished(u32 done)
{
	return done == __atomic_load_n(&goal, __ATOMIC_ACQUIRE);
}

static bool out_of_time(u32 done)
{
	return opt_seconds && done >= ITEMS_MIN && done % 64 == 0 && now_ns() >= time_up;
}

static void end_at(struct shared *m, u32 done)
{
	__atomic_store_n(&goal, done, __ATOMIC_RELEASE);
	bell_ring(&m->bell);
}

static void start_thread(pthread_t *t, void *(*fn)(void *), void *arg)
{
	int err = pthread_create(t, NULL, fn, arg);

	if (err) {
		errno = err;
		cannot("pthread_create");
	}
}

/*
 * --- mode evq: the event queue alone ---
 *
 * The "ring" behind signal s is the counter work[s], written and read without
 * any order of its own: A, B, C and D are all there is.  After a burst of a few
 * pushes the producer waits until everything was seen, so the consumer is about
 * to sleep again and again just when something is pushed.
 *
 * Mode doze is the same with a consumer that says that it is awake when it arms,
 * and dozes off afterwards, and a producer that rings only for one that sleeps.
 */

static struct counts evq_counts;
static bool evq_dozes;

/* Where positions begin: at 0, or where they wrap soon. */
static u32 start_pos(void)
{
	return opt_wrap ? 0u - 1000 : 0;
}

static void evq_start(struct vbus_evq *q, u32 pos)
{
	u32 i;

	for (i = 1; i <= SLOTS && pos; i++)
		q->slot[(pos - i) % SLOTS] = vbus_evq_phase(pos - i, SLOTS);
	q->cons = pos;
	q->arm = pos;
}

static void *evq_consume(void *arg)
{
	struct shared *m = arg;
	struct vbus_evq_cons c;
	u32 seen[WORKS] = { 0 };
	u32 done = 0, i, n, w, bell;
	u16 sig[SLOTS];

	rnd_seed(100);
	vbus_evq_cons_init(&c, (struct vbus_evq *)m->evq, SLOTS);
	c.pos = start_pos();
	while (!finished(done)) {
		n = vbus_evq_take(&c, sig, SLOTS);
		for (i = 0; i < n; i++) {
			if (sig[i] >= WORKS)
				wrong("signal %u", sig[i]);
			w = __atomic_load_n(&m->work[sig[i]].n, __ATOMIC_RELAXED);
			done += w - seen[sig[i]];
			seen[sig[i]] = w;
		}
		if (n) {
			__atomic_store_n(&m->done, done, __ATOMIC_RELEASE);
			continue;
		}
		bell = bell_look(&m->bell);
		if (evq_dozes)
			vbus_evq_stay_awake(&c, true);
		if (vbus_evq_arm(&c) && (!evq_dozes || vbus_evq_doze(&c))) {
			evq_counts.sleeps++;
			bell_wait(&m->bell, bell, "the consumer of events");
		}
	}
	return NULL;
}

static void evq_catch_up(struct shared *m, u32 want)
{
	u64 deadline = 0;
	u32 i = 0;

	while (__atomic_load_n(&m->done, __ATOMIC_ACQUIRE) != want) {
		relax();
		if (++i % 4096)
			continue;
		sched_yield();
		if (!deadline)
			deadline = now_ns() + opt_deadline * 1000000000ull;
		else if (now_ns() >= deadline)
			lost("the producer of events");
	}
}

static void evq_mode(void)
{
	struct shared *m = shm_map();
	struct vbus_evq_prod p;
	enum vbus_evq_push res;
	u64 last[SLOTS] = { 0 };
	u32 i, burst, sig;
	pthread_t t;

	rnd_seed(1);
	vbus_evq_prod_init(&p, (struct vbus_evq *)m->evq, SLOTS, last);
	evq_start(p.q, start_pos());
	p.pos = start_pos();
	p.cons = p.pos;
	start_thread(&t, evq_consume, m);
	for (i = 0; i != opt_count && !out_of_time(i);) {
		burst = 1 + rnd() % 3;
		sig = rnd() % WORKS;
		while (burst-- && i != opt_count) {
			__atomic_store_n(&m->work[sig].n, m->work[sig].n + 1, __ATOMIC_RELAXED);
			res = vbus_evq_push(&p, sig);
			i++;
			count_push(&evq_counts, res);
			if (res == VBUS_EVQ_SIGNAL && !(evq_dozes && vbus_evq_awake(&p)))
				bell_ring(&m->bell);
			spin(rnd() % 32);
		}
		/* Mostly wait; otherwise run ahead with other signals. */
		if (rnd() % 8)
			evq_catch_up(m, i);
		spin(rnd() % 32);
	}
	evq_catch_up(m, i);
	end_at(m, i);
	m->items = i;
	pthread_join(t, NULL);
	if (p.lies)
		wrong("%u lies of an honest consumer", p.lies);
	if (opt_wrap && p.pos <= UINT32_MAX)
		wrong("positions did not wrap");
	m->pushed = evq_counts.pushed;
	m->coalesced = evq_counts.coalesced;
	m->signalled = evq_counts.signalled;
	m->sleeps = evq_counts.sleeps;
}

/*
 * --- mode ioq: one ring alone ---
 *
 * Its doorbell is rung directly, so E, F, G and H are all there is.  The payload
 * lies in plain memory.
 */

static struct vbus_ioq_line *sub_line(struct shared *m, u32 dev)
{
	return (struct vbus_ioq_line *)(m->queue[dev].region + VBUS_IOQ_SUB_LINE);
}

static void ioq_start(struct vbus_ioq_prod *p, struct vbus_ioq_line *line, u32 pos)
{
	u32 i;

	for (i = 1; i <= SIZE && pos; i++)
		p->desc[(pos - i) % SIZE].flags = vbus_ioq_phase(pos - i, SIZE);
	line->event = pos;
	p->pos = pos;
	p->next = pos;
}

static u64 ioq_sleeps;
static u64 ioq_payload[SIZE];

static void *ioq_consume(void *arg)
{
	struct shared *m = arg;
	u8 *region = m->queue[0].region;
	struct vbus_ioq_cons c;
	struct vbus_ioq_desc d;
	u32 done = 0, bell, i, idle = 0;

	rnd_seed(100);
	vbus_ioq_cons_init(&c, (struct vbus_desc *)(region + VBUS_IOQ_SUB_DESC),
			   (struct vbus_ioq_line *)(region + VBUS_IOQ_SUB_LINE), SIZE);
	c.pos = start_pos();
	while (!finished(done)) {
		for (i = 0; i < SIZE && vbus_ioq_peek(&c, i, &d); i++) {
			if (d.addr != (done + 1) * 3ull || d.len != done + 1 ||
			    d.id != (u16)(done + 1))
				wrong("descriptor %u: addr %llu len %u id %u", done + 1,
				      (unsigned long long)d.addr, d.len, d.id);
			if (ioq_payload[vbus_ioq_peek_index(&c, i)] != done + 1)
				wrong("payload of descriptor %u", done + 1);
			done++;
		}
		vbus_ioq_advance(&c, i);
		if (i) {
			__atomic_store_n(&m->done, done, __ATOMIC_RELEASE);
			idle = 0;
			continue;
		}
		/* poll a little at times, so that not everything is a wake-up */
		if (idle++ < rnd() % 16)
			continue;
		bell = bell_look(&m->bell);
		if (vbus_ioq_arm(&c, 0)) {
			ioq_sleeps++;
			bell_wait(&m->bell, bell, "the consumer of descriptors");
		}
	}
	return NULL;
}

static void ioq_mode(void)
{
	struct shared *m = shm_map();
	u8 *region = m->queue[0].region;
	struct vbus_ioq_prod p;
	struct vbus_ioq_desc d;
	u32 i, burst;
	pthread_t t;

	rnd_seed(1);
	vbus_ioq_prod_init(&p, (struct vbus_desc *)(region + VBUS_IOQ_SUB_DESC),
			   (struct vbus_ioq_line *)(region + VBUS_IOQ_SUB_LINE), SIZE);
	ioq_start(&p, sub_line(m, 0), start_pos());
	start_thread(&t, ioq_consume, m);
	for (i = 0; i != opt_count && !out_of_time(i);) {
		burst = 1 + rnd() % 4;
		while (i - __atomic_load_n(&m->done, __ATOMIC_ACQUIRE) > SIZE - burst)
			evq_catch_up(m, i);
		while (burst-- && i != opt_count) {
			i++;
			ioq_payload[vbus_ioq_put_index(&p)] = i;
			d = (struct vbus_ioq_desc){ .addr = i * 3ull, .len = i, .id = (u16)i };
			vbus_ioq_put(&p, &d);
		}
		m->pushed++;
		if (vbus_ioq_publish(&p)) {
			m->signalled++;
			bell_ring(&m->bell);
		}
		if (rnd() % 8)
			evq_catch_up(m, i);
		spin(rnd() % 64);
	}
	evq_catch_up(m, i);
	end_at(m, i);
	m->items = i;
	pthread_join(t, NULL);
	if (opt_wrap && p.pos >= start_pos())
		wrong("positions did not wrap");
	m->sleeps = ioq_sleeps;
}

/*
 * --- mode lane: everything together, in both directions ---
 *
 * The feeders are a guest: each owns half of the devices, puts chains on their
 * submission rings and pushes the devices' signals on the one event queue of the
 * lane.  The server is a host: it takes the signals, verifies and copies the
 * payload and answers by the completion rings, in or out of order, and pushes
 * the signals of the way back.  Both sides sleep whenever they run out of work.
 */

struct piece {
	u32 seq;
	u32 part;
	u32 fill[INLINE / 4 - 3];
	u32 sum;
};

_Static_assert(sizeof(struct piece) == INLINE, "a piece fills an inline slot");

static u32 piece_sum(const struct piece *p)
{
	u32 sum = p->seq * 31 + p->part, i;

	for (i = 0; i < sizeof(p->fill) / sizeof(p->fill[0]); i++)
		sum = sum * 31 + p->fill[i];
	return sum;
}

static void piece_make(struct piece *p, u32 dev, u32 seq, u32 part)
{
	u32 i;

	p->seq = seq;
	p->part = part;
	for (i = 0; i < sizeof(p->fill) / sizeof(p->fill[0]); i++)
		p->fill[i] = seq * 2654435761u + (dev << 16) + part * 7 + i;
	p->sum = piece_sum(p);
}

static void piece_check(const struct piece *p, u32 dev, u32 seq, u32 part)
{
	if (p->seq != seq || p->part != part ||
	    p->fill[3] != seq * 2654435761u + (dev << 16) + part * 7 + 3 ||
	    p->sum != piece_sum(p))
		wrong("device %u chain %u piece %u: seq %u part %u sum %x", dev, seq, part,
		      p->seq, p->part, p->sum);
}

struct guest_dev {
	struct vbus_ioq_prod sub;
	struct vbus_ioq_cons comp;
	u32 seq;			/* chains put */
	u32 free;			/* submission slots */
	u32 outstanding;		/* chains without an answer */
	u32 chain_seq[SIZE];		/* by id; 0: not in use */
	u32 chain_slots[SIZE];
	u32 next_id;
};

struct host_dev {
	struct vbus_ioq_cons sub;
	struct vbus_ioq_prod comp;
	u32 seq;
};

static pthread_mutex_t lane_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vbus_evq_prod lane_prod;		/* under lane_lock */
static u64 lane_last[SLOTS];			/* under lane_lock */
static struct counts lane_counts;		/* under lane_lock */
static struct shared *guest, *host;
static unsigned long per_dev;

static struct vbus_desc *sub_desc(struct shared *m, u32 dev)
{
	return (struct vbus_desc *)(m->queue[dev].region + VBUS_IOQ_SUB_DESC);
}

static struct vbus_desc *comp_desc(struct shared *m, u32 dev)
{
	return (struct vbus_desc *)(m->queue[dev].region + VBUS_IOQ_COMP_DESC(LOG2));
}

static struct vbus_ioq_line *comp_line(struct shared *m, u32 dev)
{
	return (struct vbus_ioq_line *)(m->queue[dev].region + VBUS_IOQ_COMP_LINE);
}

static struct piece *inline_piece(struct shared *m, u32 dev, u32 index)
{
	return (struct piece *)(m->queue[dev].region + VBUS_IOQ_INLINE(LOG2)) + index;
}

static void guest_reap(struct guest_dev *d, u32 dev)
{
	struct vbus_ioq_desc c;

	while (vbus_ioq_peek(&d->comp, 0, &c)) {
		vbus_ioq_advance(&d->comp, 1);
		if (c.id >= SIZE || !d->chain_seq[c.id])
			wrong("device %u: answer to unknown id %u", dev, c.id);
		if (c.addr != d->chain_seq[c.id] || c.len != d->chain_slots[c.id])
			wrong("device %u id %u: answer %llu to chain %u", dev, c.id,
			      (unsigned long long)c.addr, d->chain_seq[c.id]);
		d->chain_seq[c.id] = 0;
		d->free += d->chain_slots[c.id];
		d->outstanding--;
	}
}

static void guest_put_chain(struct guest_dev *d, u32 dev, u32 len)
{
	struct vbus_ioq_desc desc = { .len = INLINE };
	u32 part;

	while (d->chain_seq[d->next_id])
		d->next_id = (d->next_id + 1) % SIZE;
	d->seq++;
	for (part = 0; part < len; part++) {
		piece_make(inline_piece(guest, dev, vbus_ioq_put_index(&d->sub)), dev, d->seq, part);
		desc.addr = d->seq;
		desc.id = part ? 0xdead : d->next_id;
		desc.flags = VBUS_DESC_F_INLINE | (part + 1 < len ? VBUS_DESC_F_NEXT : 0);
		vbus_ioq_put(&d->sub, &desc);
	}
	d->chain_seq[d->next_id] = d->seq;
	d->chain_slots[d->next_id] = len;
	d->free -= len;
	d->outstanding++;
}

static void guest_push(u32 dev)
{
	enum vbus_evq_push res;

	pthread_mutex_lock(&lane_lock);
	res = vbus_evq_push(&lane_prod, dev);
	count_push(&lane_counts, res);
	pthread_mutex_unlock(&lane_lock);
	if (res == VBUS_EVQ_SIGNAL)
		bell_ring(&guest->bell);
}

/* What was put and is taken back must leave no trace. */
static void guest_change_mind(struct guest_dev *d)
{
	struct vbus_ioq_desc junk = { .addr = ~0ull, .id = 0xbad };
	u32 n = rnd() % 3;

	if (d->free <= n)
		return;
	do {
		vbus_ioq_put(&d->sub, &junk);
	} while (n--);
	vbus_ioq_cancel(&d->sub);
}

static bool guest_submit(struct guest_dev *d, u32 dev)
{
	u32 batch = 1 + rnd() % 4, len;
	bool any = false;

	if (rnd() % 64 == 0)
		guest_change_mind(d);
	for (; batch && d->seq < per_dev; batch--) {
		len = 1 + rnd() % CHAIN_MAX;
		if (d->free < len)
			break;
		guest_put_chain(d, dev, len);
		any = true;
	}
	if (any && vbus_ioq_publish(&d->sub))
		guest_push(dev);
	return any;
}

/* May the feeder sleep?  Asks to be told of some answer of each device. */
static bool guest_arm(struct guest_dev *devs, u32 me)
{
	bool sleep = true;
	u32 i;

	for (i = me; i < DEVS; i += FEEDERS)
		if (devs[i].outstanding)
			sleep &= vbus_ioq_arm(&devs[i].comp, rnd() % devs[i].outstanding);
	return sleep;
}

static void *guest_feed(void *arg)
{
	u32 me = (u32)(uintptr_t)arg, i, n, bell;
	struct guest_dev *devs = calloc(DEVS, sizeof(*devs));
	struct vbus_evq_cons back;
	bool progress, left;
	u16 sig[SLOTS];
	u64 sleeps = 0;

	if (!devs)
		cannot("calloc");
	rnd_seed(200 + me);
	vbus_evq_cons_init(&back, (struct vbus_evq *)guest->back[me], SLOTS);
	for (i = me; i < DEVS; i += FEEDERS) {
		vbus_ioq_prod_init(&devs[i].sub, sub_desc(guest, i), sub_line(guest, i), SIZE);
		vbus_ioq_cons_init(&devs[i].comp, comp_desc(guest, i), comp_line(guest, i), SIZE);
		devs[i].free = SIZE;
	}
	do {
		n = vbus_evq_take(&back, sig, SLOTS);
		while (n--)
			if (sig[n] >= DEVS || sig[n] % FEEDERS != me)
				wrong("feeder %u: signal %u", me, sig[n]);
		progress = false;
		left = false;
		for (i = me; i < DEVS; i += FEEDERS) {
			guest_reap(&devs[i], i);
			if (rnd() % 4 == 0)
				vbus_ioq_disarm(&devs[i].comp);
			progress |= guest_submit(&devs[i], i);
			left |= devs[i].seq < per_dev || devs[i].outstanding;
		}
		if (progress || !left)
			continue;
		bell = bell_look(&guest->back_bell[me]);
		if (guest_arm(devs, me) && vbus_evq_arm(&back)) {
			sleeps++;
			bell_wait(&guest->back_bell[me], bell, "a feeder");
		}
	} while (left);
	for (i = me; i < DEVS; i += FEEDERS)
		if (devs[i].free != SIZE)
			wrong("device %u: %u slots are free at the end", i, devs[i].free);
	free(devs);
	pthread_mutex_lock(&lane_lock);
	lane_counts.sleeps += sleeps;
	pthread_mutex_unlock(&lane_lock);
	return NULL;
}

static void guest_run(void)
{
	pthread_t t[FEEDERS];
	u32 i;

	vbus_evq_prod_init(&lane_prod, (struct vbus_evq *)guest->evq, SLOTS, lane_last);
	for (i = 0; i < FEEDERS; i++)
		start_thread(&t[i], guest_feed, (void *)(uintptr_t)i);
	for (i = 0; i < FEEDERS; i++)
		pthread_join(t[i], NULL);
	if (lane_prod.lies)
		wrong("%u lies of an honest server", lane_prod.lies);
	guest->pushed = lane_counts.pushed;
	guest->coalesced = lane_counts.coalesced;
	guest->signalled = lane_counts.signalled;
	guest->sleeps = lane_counts.sleeps;
}

/* Take one chain: copy, verify, say how it is to be answered. */
static bool host_take_chain(struct host_dev *d, u32 dev, struct vbus_ioq_desc *answer)
{
	struct vbus_ioq_desc desc;
	struct piece copy;
	u32 n = 0;

	do {
		if (!vbus_ioq_peek(&d->sub, n, &desc)) {
			if (n)
				wrong("device %u chain %u: cut off at %u", dev, d->seq + 1, n);
			return false;
		}
		if (!n)
			answer->id = desc.id;
		memcpy(&copy, inline_piece(host, dev, vbus_ioq_peek_index(&d->sub, n)), sizeof(copy));
		piece_check(&copy, dev, d->seq + 1, n);
		if (desc.addr != d->seq + 1 || desc.len != INLINE)
			wrong("device %u chain %u piece %u: addr %llu len %u", dev, d->seq + 1, n,
			      (unsigned long long)desc.addr, desc.len);
		n++;
	} while (desc.flags & VBUS_DESC_F_NEXT);
	vbus_ioq_advance(&d->sub, n);
	d->seq++;
	answer->addr = d->seq;
	answer->len = n;
	answer->flags = 0;
	return true;
}

static void host_service(struct host_dev *d, u32 dev, struct vbus_evq_prod *back, struct counts *c)
{
	struct vbus_ioq_desc held[HOLD_MAX];
	enum vbus_evq_push res;
	u32 n, i, max;
	bool reverse;

	for (;;) {
		max = 1 + rnd() % HOLD_MAX;
		for (n = 0; n < max && host_take_chain(d, dev, &held[n]); n++)
			;
		if (!n && vbus_ioq_arm(&d->sub, 0))
			return;
		reverse = rnd() & 1;
		for (i = 0; i < n; i++)
			vbus_ioq_put(&d->comp, &held[reverse ? n - 1 - i : i]);
		if (!vbus_ioq_publish(&d->comp))
			continue;
		res = vbus_evq_push(&back[dev % FEEDERS], dev);
		count_push(c, res);
		if (res == VBUS_EVQ_SIGNAL)
			bell_ring(&host->back_bell[dev % FEEDERS]);
	}
}

static void host_run(struct counts *c)
{
	static u64 last[FEEDERS][SLOTS];
	static struct host_dev devs[DEVS];
	struct vbus_evq_prod back[FEEDERS];
	struct vbus_evq_cons lane;
	u32 i, n, bell, max;
	u16 sig[SLOTS];
	u64 done;

	rnd_seed(300);
	vbus_evq_cons_init(&lane, (struct vbus_evq *)host->evq, SLOTS);
	for (i = 0; i < FEEDERS; i++)
		vbus_evq_prod_init(&back[i], (struct vbus_evq *)host->back[i], SLOTS, last[i]);
	for (i = 0; i < DEVS; i++) {
		vbus_ioq_cons_init(&devs[i].sub, sub_desc(host, i), sub_line(host, i), SIZE);
		vbus_ioq_prod_init(&devs[i].comp, comp_desc(host, i), comp_line(host, i), SIZE);
	}
	for (;;) {
		max = 1 + rnd() % SLOTS;
		n = vbus_evq_take(&lane, sig, max);
		for (i = 0; i < n; i++) {
			if (sig[i] >= DEVS)
				wrong("server: signal %u", sig[i]);
			host_service(&devs[sig[i]], sig[i], back, c);
		}
		for (done = 0, i = 0; i < DEVS; i++)
			done += devs[i].seq;
		if (done == (u64)per_dev * DEVS)
			break;
		if (n)
			continue;
		bell = bell_look(&host->bell);
		if (vbus_evq_arm(&lane)) {
			c->sleeps++;
			bell_wait(&host->bell, bell, "the server");
		}
	}
	for (i = 0; i < FEEDERS; i++)
		if (back[i].lies)
			wrong("%u lies of an honest feeder", back[i].lies);
}

static void *host_thread(void *arg)
{
	host_run(arg);
	return NULL;
}

static void lane_mode(void)
{
	struct counts c = { 0 };
	pthread_t t;
	int status;
	pid_t pid;

	per_dev = opt_count / DEVS;
	host = shm_map();
	host->items = (u64)per_dev * DEVS;
	if (!opt_processes) {
		guest = host;
		start_thread(&t, host_thread, &c);
		guest_run();
		pthread_join(t, NULL);
	} else {
		pid = fork();
		if (pid < 0)
			cannot("fork");
		if (!pid) {
			/* the old place stays taken, so this is another one */
			guest = shm_map();
			if (guest == host || mprotect(host, sizeof(*host), PROT_NONE))
				cannot("second mapping");
			guest_run();
			_exit(0);
		}
		host_run(&c);
		if (waitpid(pid, &status, 0) != pid)
			cannot("waitpid");
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			wrong("the other process ended with status %#x", status);
	}
	host->pushed += c.pushed;
	host->coalesced += c.coalesced;
	host->signalled += c.signalled;
	host->sleeps += c.sleeps;
}

static void __attribute__((noreturn)) usage(void)
{
	fprintf(stderr, "usage: stress [-n COUNT] [-t DEADLINE] [-T SECONDS] [-d ONE_STEP_IN] [-s SEED] [-f] [-p] [-w] evq|doze|ioq|lane\n"
			"  -T  evq, doze, ioq: end after so many seconds, however much is done\n"
			"  -f  sleep in the kernel, not in a loop\n"
			"  -p  lane: host and guest are processes, with the memory at different addresses\n"
			"  -w  evq, doze, ioq: positions wrap at 2^32 on the way\n");
	exit(EXIT_CANNOT);
}

int main(int argc, char **argv)
{
	struct shared *m;
	u64 begin;
	int o;

	while ((o = getopt(argc, argv, "n:t:T:d:s:fpw")) != -1) {
		switch (o) {
		case 'n':
			opt_count = strtoul(optarg, NULL, 0);
			break;
		case 't':
			opt_deadline = strtoul(optarg, NULL, 0);
			break;
		case 'T':
			opt_seconds = strtoul(optarg, NULL, 0);
			break;
		case 'd':
			opt_delay = strtoul(optarg, NULL, 0);
			break;
		case 's':
			opt_seed = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			opt_futex = true;
			break;
		case 'p':
			opt_processes = true;
			break;
		case 'w':
			opt_wrap = true;
			break;
		default:
			usage();
		}
	}
	if (optind + 1 != argc || !opt_count || opt_count > 0x40000000 || !opt_deadline)
		usage();

	shm_fd = memfd_create("vbus-ring-stress", MFD_CLOEXEC);
	if (shm_fd < 0 || ftruncate(shm_fd, sizeof(struct shared)))
		cannot("memfd");
	m = shm_map();
	begin = now_ns();
	goal = opt_count;
	time_up = begin + opt_seconds * 1000000000ull;
	evq_dozes = !strcmp(argv[optind], "doze");
	if (!strcmp(argv[optind], "evq") || evq_dozes)
		evq_mode();
	else if (!strcmp(argv[optind], "ioq"))
		ioq_mode();
	else if (!strcmp(argv[optind], "lane"))
		lane_mode();
	else
		usage();
	/* A test that never slept has shown nothing. */
	if (!m->sleeps || !m->signalled)
		wrong("nobody slept: %llu sleeps, %llu signals", (unsigned long long)m->sleeps,
		      (unsigned long long)m->signalled);
	printf("%s: %llu items, %llu pushes, %llu coalesced, %llu signals, %llu sleeps, %.1f s\n",
	       argv[optind], (unsigned long long)m->items, (unsigned long long)m->pushed,
	       (unsigned long long)m->coalesced, (unsigned long long)m->signalled,
	       (unsigned long long)m->sleeps, (now_ns() - begin) / 1e9);
	return 0;
}
