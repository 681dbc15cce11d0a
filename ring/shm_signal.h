/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * shm_signal: a maskable edge in shared memory, as an event index.
 *
 * The consumer of some sequence of entries publishes the position whose filling
 * it wants to be told of.  The producer compares that with what it has just
 * filled.  Nothing needs to be disarmed: a position that has been passed does not
 * match again, so a consumer that is awake costs its producer one cached read.
 *
 * Positions are 32 bits and wrap; at most 2^31 entries may be outstanding.  A
 * position left behind matches once more after 2^32 entries: one spurious edge.
 */
#ifndef VBUS_RING_SHM_SIGNAL_H
#define VBUS_RING_SHM_SIGNAL_H

#include "port.h"

/**
 * shm_signal_due() - must the consumer be told?
 * @event:	word that the consumer arms
 * @old:	position before what the producer has published
 * @new:	position after it
 *
 * The caller has executed a full barrier between publishing and this; it pairs
 * with the one in shm_signal_arm(): either the consumer sees the entry, or the
 * producer sees the armed position.
 */
static inline bool shm_signal_due(const __le32 *event, u32 old, u32 new)
{
	u32 armed = ring_load32(event);

	return (u32)(new - armed - 1) < (u32)(new - old);
}

/**
 * shm_signal_arm() - ask to be told when position @pos is filled
 * @event:	word to arm
 * @pos:	position
 *
 * The caller must look at position @pos again afterwards, and not sleep if it
 * is filled.
 */
static inline void shm_signal_arm(__le32 *event, u32 pos)
{
	ring_store32(event, pos);
	/*
	 * D/H: orders the armed position before the caller's second look at
	 * the entry; pairs with C (evq.h) and G (ioq.h), which order the entry
	 * before the producer's look at the armed position.  Without it both
	 * could miss the other and the consumer would sleep for ever.
	 */
	ring_mb();
}

#endif /* VBUS_RING_SHM_SIGNAL_H */
