// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads or processes hammer the rings, sleeping whenever the protocol lets
 * them.  Everything that arrives is verified; a wake-up that is lost shows as a
 * sleeper whose deadline passes.  What the modes have in common is here and in
 * stress.h; each has a file of its own.
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
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "stress.h"

#define ITEMS_MIN	5000u		/* less than that has shown nothing */

unsigned long opt_count = 1000000;
static unsigned int opt_deadline = 10;
static unsigned int opt_seconds;	/* evq, ioq: end early after so many; 0: never */
unsigned int opt_delay;			/* one step in this many is delayed */
static bool opt_futex;
bool opt_processes;
bool opt_wrap;
u64 opt_seed = 1;

_Thread_local u64 rnd_state = 1;

void __attribute__((noreturn)) lost(const char *who)
{
	fprintf(stderr, "stress: lost wake-up: %s waited %u s\n", who, opt_deadline);
	_exit(EXIT_LOST);
}

void __attribute__((noreturn)) cannot(const char *what)
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

void bell_ring(u32 *bell)
{
	__atomic_fetch_add(bell, 1, __ATOMIC_SEQ_CST);
	if (opt_futex)
		syscall(SYS_futex, bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

u32 bell_look(const u32 *bell)
{
	return __atomic_load_n(bell, __ATOMIC_ACQUIRE);
}

/* Sleep until the bell is not @seen any more, which was read before arming. */
void bell_wait(u32 *bell, u32 seen, const char *who)
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

/* --- shared memory --- */

static int shm_fd;

struct shared *shm_map(void)
{
	void *p = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, shm_fd, 0);

	if (p == MAP_FAILED)
		cannot("mmap");
	return p;
}

void count_push(struct counts *c, enum vbus_evq_push res)
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

bool finished(u32 done)
{
	return done == __atomic_load_n(&goal, __ATOMIC_ACQUIRE);
}

bool out_of_time(u32 done)
{
	return opt_seconds && done >= ITEMS_MIN && done % 64 == 0 && now_ns() >= time_up;
}

void catch_up(struct shared *m, u32 want)
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

/* The producer has done @done: so has the consumer, which then ends. */
void end_at(struct shared *m, u32 done, pthread_t consumer)
{
	catch_up(m, done);
	__atomic_store_n(&goal, done, __ATOMIC_RELEASE);
	bell_ring(&m->bell);
	m->items = done;
	pthread_join(consumer, NULL);
}

/* Where positions begin: at 0, or where they wrap soon. */
u32 start_pos(void)
{
	return opt_wrap ? 0u - 1000 : 0;
}

void start_thread(pthread_t *t, void *(*fn)(void *), void *arg)
{
	int err = pthread_create(t, NULL, fn, arg);

	if (err) {
		errno = err;
		cannot("pthread_create");
	}
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
	if (!strcmp(argv[optind], "evq"))
		evq_mode(false);
	else if (!strcmp(argv[optind], "doze"))
		evq_mode(true);
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
