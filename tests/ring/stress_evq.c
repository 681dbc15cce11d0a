// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stress, modes evq and doze: the event queue alone.
 *
 * The "ring" behind signal s is the counter work[s], written and read without
 * any order of its own: A, B, C and D are all there is.  After a burst of a few
 * pushes the producer waits until everything was seen, so the consumer is about
 * to sleep again and again just when something is pushed.
 *
 * Mode doze is the same with a consumer that says that it is awake when it arms,
 * and dozes off afterwards, and a producer that rings only for one that sleeps.
 */
#include "stress.h"

static struct counts evq_counts;
static bool evq_dozes;

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

void evq_mode(bool dozes)
{
	struct shared *m = shm_map();
	struct vbus_evq_prod p;
	enum vbus_evq_push res;
	u64 last[SLOTS] = { 0 };
	u32 i, burst, sig;
	pthread_t t;

	evq_dozes = dozes;
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
			catch_up(m, i);
		spin(rnd() % 32);
	}
	end_at(m, i, t);
	if (p.lies)
		wrong("%u lies of an honest consumer", p.lies);
	if (opt_wrap && p.pos <= UINT32_MAX)
		wrong("positions did not wrap");
	m->pushed = evq_counts.pushed;
	m->coalesced = evq_counts.coalesced;
	m->signalled = evq_counts.signalled;
	m->sleeps = evq_counts.sleeps;
}
