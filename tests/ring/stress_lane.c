// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stress, mode lane: everything together, in both directions.
 *
 * The feeders are a guest: each owns half of the devices, puts chains on their
 * submission rings and pushes the devices' signals on the one event queue of the
 * lane.  The server is a host: it takes the signals, verifies and copies the
 * payload and answers by the completion rings, in or out of order, and pushes
 * the signals of the way back.  Both sides sleep whenever they run out of work.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include "stress.h"

#define CHAIN_MAX	3u
#define HOLD_MAX	8u		/* chains the server answers at once */

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

void lane_mode(void)
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
