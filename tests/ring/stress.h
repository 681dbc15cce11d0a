/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the modes of the stress test have in common; see stress.c.
 */
#ifndef STRESS_H
#define STRESS_H

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

extern unsigned long opt_count;
extern unsigned int opt_delay;		/* one step in this many is delayed */
extern bool opt_processes;
extern bool opt_wrap;
extern u64 opt_seed;

/* --- randomness and delays --- */

extern _Thread_local u64 rnd_state;

static inline void rnd_seed(u64 who)
{
	rnd_state = (opt_seed + who) * 0x9e3779b97f4a7c15ull | 1;
}

static inline u32 rnd(void)
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

static inline void spin(u32 n)
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

void __attribute__((noreturn)) lost(const char *who);
void __attribute__((noreturn)) cannot(const char *what);

/* --- sleeping: a doorbell is a counter that is rung by adding one --- */

void bell_ring(u32 *bell);
u32 bell_look(const u32 *bell);
void bell_wait(u32 *bell, u32 seen, const char *who);

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

struct shared *shm_map(void);

static inline struct vbus_desc *sub_desc(struct shared *m, u32 dev)
{
	return (struct vbus_desc *)(m->queue[dev].region + VBUS_IOQ_SUB_DESC);
}

static inline struct vbus_ioq_line *sub_line(struct shared *m, u32 dev)
{
	return (struct vbus_ioq_line *)(m->queue[dev].region + VBUS_IOQ_SUB_LINE);
}

struct counts {
	u64 pushed, coalesced, signalled, sleeps;
};

void count_push(struct counts *c, enum vbus_evq_push res);
void start_thread(pthread_t *t, void *(*fn)(void *), void *arg);

/* --- one producer and one consumer: the modes evq, doze and ioq --- */

u32 start_pos(void);
bool finished(u32 done);
bool out_of_time(u32 done);
void catch_up(struct shared *m, u32 want);
void end_at(struct shared *m, u32 done, pthread_t consumer);

/* --- modes --- */

void evq_mode(bool dozes);
void ioq_mode(void);
void lane_mode(void);

#endif /* STRESS_H */
