/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * Event queue: one direction of a lane.
 *
 * A lane carries the signals of many devices from one side to the other.  Each
 * direction is an event queue: a power-of-two array of 32-bit event words that
 * only the producer writes, and one cache line that only the consumer writes.
 *
 * Event word
 *   bit  31     phase: 1 on the first lap over the array, 0 on the second, ...
 *   bits 15..0  signal id, smaller than the number of slots of the queue
 *   the rest    zero
 *
 * Positions count entries since the queue was set up, modulo 2^32.  The word of
 * position p is slot[p % slots]; its phase on that lap is !((p / slots) & 1).
 * The memory is zero when the queue is registered, so nothing is valid at first.
 *
 * Rules (the letters are those of the barriers in ring/evq.h)
 *   push     A producer fills the ring behind the signal, executes a full
 *            barrier (A) and reads @cons.  If the last position at which it
 *            queued this signal is not consumed yet, nothing is to be done: the
 *            consumer will look at the ring after it consumed that entry.
 *            Otherwise it writes the next word with release semantics, executes
 *            a full barrier (C) and reads @arm: if that equals the position
 *            just written, the consumer may be asleep and the producer raises
 *            the lane's interrupt (host) or rings its doorbell (guest).
 *   consume  The consumer reads words until the phase does not match, stores
 *            the new position to @cons, executes a full barrier (B, pairs with
 *            A) and only then looks at the rings behind the signals.
 *   arm      Before it sleeps the consumer stores its position to @arm,
 *            executes a full barrier (D, pairs with C) and looks at the next
 *            word once more.  If that is valid it must not sleep.  Nothing needs
 *            to be disarmed: once the producer has passed @arm the value is
 *            stale and disturbs nobody, so a busy consumer is never
 *            interrupted.  A consumer that armed and then looks for itself may
 *            store a position that has been passed.
 *   awake    A consumer whose CPU has other things to do than to wait for entries
 *            may say so in @awake before it arms: it will look at the next word
 *            once more before that CPU sleeps.  A producer whose entry is due may
 *            then keep the signal back, for a time that the producer bounds by
 *            itself.  It may do so as well if more entries are likely to follow at
 *            once.  Before it sleeps, an armed consumer stores 0 to @awake,
 *            executes a full barrier (T, pairs with C) and looks at the next word
 *            as it did when it armed.
 *   cost     The producer may say in @hint what raising the interrupt or
 *            ringing the doorbell costs it.  A consumer that waits for entries
 *            before it arms has no reason to wait longer than that and its own
 *            wake-up together.  It is advice: any value is possible.
 *
 * A signal has at most one unconsumed entry, and there are at least as many
 * slots as signals: the queue cannot overflow.
 */
#ifndef _UAPI_VBUS_EVQ_H
#define _UAPI_VBUS_EVQ_H

#include <linux/types.h>

#define VBUS_EVQ_PHASE		0x80000000u	/* phase bit of an event word */
#define VBUS_EVQ_ID_MASK	0x0000ffffu	/* signal id of an event word */
#define VBUS_EVQ_SLOTS_MIN	64u		/* smallest queue, in slots */
#define VBUS_EVQ_SLOTS_MAX	4096u		/* largest queue, in slots */

/**
 * struct vbus_evq - shared memory of an event queue
 * @hint:	producer line.  Nanoseconds that telling the consumer takes, 0: not
 *		known
 * @pad0:	zero
 * @cons:	consumer line.  Every position before this one is consumed
 * @arm:	consumer line.  Position whose filling is to be signalled
 * @active:	consumer line, h2g only.  One more than the number of the
 *		active-priority word (bus.h) that may keep the queue's interrupt
 *		from being raised; 0: none
 * @awake:	consumer line.  0: the consumer sleeps until it is signalled; else it
 *		looks by itself before it sleeps
 * @pad1:	zero
 * @slot:	event words, written by the producer only
 *
 * Aligned to 64 bytes.  Its size is VBUS_EVQ_BYTES(slots).
 */
struct vbus_evq {
	__le32 hint;
	__le32 pad0[15];
	__le32 cons;
	__le32 arm;
	__le32 active;
	__le32 awake;
	__le32 pad1[12];
	__le32 slot[];
};

#define VBUS_EVQ_BYTES(slots)	(128u + 4u * (slots))

#endif /* _UAPI_VBUS_EVQ_H */
