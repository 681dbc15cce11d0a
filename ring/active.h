/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * Active priority: a lane that is armed does not interrupt a CPU that is busy
 * with something at least as important.  Protocol: uapi/vbus/bus.h.
 *
 * The guest keeps a word for each of its CPUs: how important is what the CPU
 * does.  A lane that is armed names the word of the CPU that serves it.  The
 * host reads both when it is about to raise the lane's interrupt, and only then.
 *
 * Nothing is lost: whoever lowers a word looks at the event queue of each lane
 * that the old value may have kept quiet.  A lane that goes to another CPU names
 * the other word before it arms; D (evq.h) orders that before its second look,
 * so that a host that was led by the old word left an entry that this look finds.
 *
 * The words are hints for the host: whatever stands there, all that happens is
 * that this guest gets an interrupt more or less.
 */
#ifndef VBUS_RING_ACTIVE_H
#define VBUS_RING_ACTIVE_H

#include <vbus/bus.h>
#include "port.h"

/**
 * vbus_active_outranks() - does the guest's CPU do something more important?
 * @words:	the guest's words, VBUS_ACTIVE_WORDS of them
 * @which:	names the lane's word: vbus_evq.active
 * @priority:	priority of the lane
 *
 * The caller has pushed an entry that asks for an interrupt.
 *
 * Return: true if the interrupt is not to be raised: the guest will look.
 */
static inline bool vbus_active_outranks(const struct vbus_active *words,
					const __le32 *which, u32 priority)
{
	u32 n;

	/*
	 * L: orders the entry before the looks at the words; pairs with M in
	 * vbus_active_lower().  Without it the word could be that of a CPU that
	 * has looked for entries already and found none.
	 */
	ring_mb();
	n = ring_load32(which);
	if (!n || n > VBUS_ACTIVE_WORDS)
		return false;
	return ring_load32(&words[n - 1].active) > priority;
}

/**
 * vbus_active_raise() - the CPU does something more important from now on
 * @word:	its word
 * @active:	one more than the priority of that
 *
 * It needs no order: as long as it is not seen there are more interrupts.
 */
static inline void vbus_active_raise(struct vbus_active *word, u32 active)
{
	ring_store32(&word->active, active);
}

/**
 * vbus_active_lower() - the CPU does something less important from now on
 * @word:	its word
 * @active:	one more than the priority of that, 0: nothing
 *
 * The caller must look next at the event queue of each lane that names this word
 * and has at least that priority, as if the lane's interrupt had come.
 */
static inline void vbus_active_lower(struct vbus_active *word, u32 active)
{
	ring_store32(&word->active, active);
	/*
	 * M: orders the lowered word before the caller's looks at the event
	 * queues; pairs with L in vbus_active_outranks().  Without it both could
	 * miss the other, and the entry would wait for the next one.
	 */
	ring_mb();
}

#endif /* VBUS_RING_ACTIVE_H */
