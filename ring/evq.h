/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * Event queue, producer's and consumer's side.  Protocol: uapi/vbus/evq.h.
 *
 * Locking: one producer context and one consumer context at a time; the caller
 * serialises several producers.  Nothing here allocates, sleeps or logs, and no
 * value of the peer's is used before it was checked.
 */
#ifndef VBUS_RING_EVQ_H
#define VBUS_RING_EVQ_H

#include <vbus/evq.h>
#include "shm_signal.h"

/**
 * struct vbus_evq_prod - private state of a producer
 * @q:		shared memory
 * @last:	for each signal, one more than the position it was last queued
 *		at; 0: never.  @slots entries, provided zeroed by the caller
 * @pos:	position of the next entry
 * @cons:	last plausible position seen of the consumer
 * @slots:	slots of the queue
 * @lies:	implausible positions seen
 */
struct vbus_evq_prod {
	struct vbus_evq *q;
	u64 *last;
	u64 pos;
	u64 cons;
	u32 slots;
	u32 lies;
};

/**
 * struct vbus_evq_cons - private state of a consumer
 * @q:		shared memory
 * @pos:	position of the next entry
 * @slots:	slots of the queue
 */
struct vbus_evq_cons {
	struct vbus_evq *q;
	u32 pos;
	u32 slots;
};

enum vbus_evq_push {
	VBUS_EVQ_COALESCED,	/* an entry of the signal is still unconsumed */
	VBUS_EVQ_QUEUED,	/* queued; the consumer is awake */
	VBUS_EVQ_SIGNAL,	/* queued; the consumer must be told */
	VBUS_EVQ_FULL,		/* the consumer misbehaves: nothing queued */
};

static inline bool vbus_evq_slots_valid(u32 slots)
{
	return slots >= VBUS_EVQ_SLOTS_MIN && slots <= VBUS_EVQ_SLOTS_MAX &&
	       !(slots & (slots - 1));
}

/* The event word's phase bit for an entry at @pos. */
static inline u32 vbus_evq_phase(u32 pos, u32 slots)
{
	return pos & slots ? 0 : VBUS_EVQ_PHASE;
}

/**
 * vbus_evq_prod_init() - begin to produce into zeroed shared memory
 * @p:		state
 * @q:		shared memory, VBUS_EVQ_BYTES(@slots)
 * @slots:	valid according to vbus_evq_slots_valid()
 * @last:	@slots zeroed words
 */
static inline void vbus_evq_prod_init(struct vbus_evq_prod *p,
				      struct vbus_evq *q, u32 slots, u64 *last)
{
	p->q = q;
	p->last = last;
	p->pos = 0;
	p->cons = 0;
	p->slots = slots;
	p->lies = 0;
}

/* Take over what the consumer says of its position, unless it is impossible. */
static inline void vbus_evq_update_cons(struct vbus_evq_prod *p)
{
	u32 behind = (u32)p->pos - ring_load32(&p->q->cons);

	/* Also bounds it by @slots: that many entries are unconsumed at most. */
	if (ring_likely(behind <= p->pos - p->cons))
		p->cons = p->pos - behind;
	else
		p->lies++;
}

/**
 * vbus_evq_push() - queue a signal unless it is queued already
 * @p:		state
 * @sig:	signal id, smaller than the number of slots
 *
 * The ring behind the signal is filled before.
 */
static inline enum vbus_evq_push vbus_evq_push(struct vbus_evq_prod *p, u32 sig)
{
	u32 pos = (u32)p->pos;

	/*
	 * A: orders the filled ring before the look at the consumer's position;
	 * pairs with B in vbus_evq_take().  Without it the signal could be
	 * taken for unconsumed although its consumer has read the ring already.
	 */
	ring_mb();
	vbus_evq_update_cons(p);
	if (p->last[sig] > p->cons)
		return VBUS_EVQ_COALESCED;
	if (ring_unlikely(p->pos - p->cons >= p->slots))
		return VBUS_EVQ_FULL;

	ring_store32_release(&p->q->slot[pos & (p->slots - 1)],
			     sig | vbus_evq_phase(pos, p->slots));
	p->last[sig] = ++p->pos;
	/*
	 * C: orders the entry before the looks at the armed position and, in
	 * vbus_evq_awake(), at who is awake; pairs with D in shm_signal_arm(),
	 * called by vbus_evq_arm(), and with T in vbus_evq_doze().
	 */
	ring_mb();
	return shm_signal_due(&p->q->arm, pos, pos + 1) ? VBUS_EVQ_SIGNAL :
							  VBUS_EVQ_QUEUED;
}

/**
 * vbus_evq_unconsumed() - has the consumer something left?
 * @p:		state
 */
static inline bool vbus_evq_unconsumed(struct vbus_evq_prod *p)
{
	vbus_evq_update_cons(p);
	return p->pos != p->cons;
}

/**
 * vbus_evq_awake() - will the consumer look by itself before it sleeps?
 * @p:		state
 *
 * Only after vbus_evq_push() said VBUS_EVQ_SIGNAL: its barrier C orders the entry
 * before this.
 *
 * Return: true if so, or if it says so: the signal may wait for a bounded time.
 */
static inline bool vbus_evq_awake(const struct vbus_evq_prod *p)
{
	return ring_load32(&p->q->awake);
}

/**
 * vbus_evq_tell_cost() - tell the consumer what telling it costs us
 * @p:		state
 * @ns:		nanoseconds that raising the signal takes on average
 */
static inline void vbus_evq_tell_cost(struct vbus_evq_prod *p, u32 ns)
{
	ring_store32(&p->q->hint, ns);
}

/**
 * vbus_evq_cons_init() - begin to consume from zeroed shared memory
 * @c:		state
 * @q:		shared memory, VBUS_EVQ_BYTES(@slots)
 * @slots:	valid according to vbus_evq_slots_valid()
 *
 * Zeroed memory asks to be told of position 0, so the consumer is armed.
 */
static inline void vbus_evq_cons_init(struct vbus_evq_cons *c,
				      struct vbus_evq *q, u32 slots)
{
	c->q = q;
	c->pos = 0;
	c->slots = slots;
}

/* Is there an entry?  One cached read. */
static inline bool vbus_evq_ready(const struct vbus_evq_cons *c)
{
	u32 word = ring_load32(&c->q->slot[c->pos & (c->slots - 1)]);

	return !((word ^ vbus_evq_phase(c->pos, c->slots)) & VBUS_EVQ_PHASE);
}

/**
 * vbus_evq_take() - consume entries
 * @c:		state
 * @sig:	where the ids go; each is smaller than the number of slots
 * @max:	how many at most
 *
 * On return the entries are consumed, and a signal pushed from now on makes a
 * new entry: what follows may look at the rings without losing anything.
 *
 * Return: number of ids.
 */
static inline u32 vbus_evq_take(struct vbus_evq_cons *c, u16 *sig, u32 max)
{
	u32 mask = c->slots - 1;
	u32 word, n = 0;

	while (n < max) {
		word = ring_load32_acquire(&c->q->slot[c->pos & mask]);
		if ((word ^ vbus_evq_phase(c->pos, c->slots)) & VBUS_EVQ_PHASE)
			break;
		/* an impossible id becomes a possible one: a spurious signal */
		sig[n++] = word & VBUS_EVQ_ID_MASK & mask;
		c->pos++;
	}
	if (!n)
		return 0;
	ring_store32(&c->q->cons, c->pos);
	/*
	 * B: orders the consumed position before the caller's look at the
	 * rings; pairs with A in vbus_evq_push().
	 */
	ring_mb();
	return n;
}

/**
 * vbus_evq_arm() - ask to be told of the next entry
 * @c:		state
 *
 * Return: true if the caller may sleep, false if there is an entry already.
 */
static inline bool vbus_evq_arm(struct vbus_evq_cons *c)
{
	shm_signal_arm(&c->q->arm, c->pos);
	return !vbus_evq_ready(c);
}

/**
 * vbus_evq_stay_awake() - say that we look before we sleep, or that we do not
 * @c:		state
 * @awake:	vbus_evq_doze() will be called before the CPU sleeps
 *
 * Before vbus_evq_arm(), whose barrier D orders a "not" before the second look;
 * true at any time.
 */
static inline void vbus_evq_stay_awake(struct vbus_evq_cons *c, bool awake)
{
	ring_store32(&c->q->awake, awake);
}

/**
 * vbus_evq_doze() - an armed consumer that was awake goes to sleep
 * @c:		state
 *
 * Return: true if it may, false if there is an entry already.
 */
static inline bool vbus_evq_doze(struct vbus_evq_cons *c)
{
	ring_store32(&c->q->awake, 0);
	/*
	 * T: orders the word before the look at the next entry; pairs with C in
	 * vbus_evq_push().  Without it the producer could keep the signal of an
	 * entry back that we have not seen.
	 */
	ring_mb();
	return !vbus_evq_ready(c);
}

/**
 * vbus_evq_disarm() - look for entries ourselves from now on
 * @c:		state
 *
 * For a consumer that armed and is awake after all.  The producer may have read
 * the armed position before: a last edge may still come.
 */
static inline void vbus_evq_disarm(struct vbus_evq_cons *c)
{
	ring_store32(&c->q->arm, c->pos - 1);
}

/**
 * vbus_evq_cost() - what the producer says that telling us costs it
 * @c:		state
 *
 * Return: nanoseconds, any value; 0: it does not say.
 */
static inline u32 vbus_evq_cost(const struct vbus_evq_cons *c)
{
	return ring_load32(&c->q->hint);
}

#endif /* VBUS_RING_EVQ_H */
