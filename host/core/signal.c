// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals to the guest: pushed into the lane's event queue, and an interrupt raised
 * unless it can wait (hold.c), or the guest's CPU does better things (priority.c).
 *
 * Locking: @push_lock protects @h2g and the counters of signals; the interrupt is
 * raised without it.
 */
#define pr_fmt(fmt) "vbus: " fmt

#include <linux/sched/clock.h>

#include "trace.h"
#include "core.h"

/**
 * vbus_lane_raise() - raise the lane's interrupt
 * @lane:	lane
 *
 * Bottom halves are off.
 */
void vbus_lane_raise(struct vbus_lane *lane)
{
	u64 start = local_clock();

	trace_vbus_interrupt(lane);
	lane->bus->conn->interrupt(lane->bus, lane->index);
	vbus_lane_raised(lane, local_clock() - start);
}

/**
 * vbus_lane_signal_coalesced() - push a signal that the guest lets wait
 * @lane:	lane
 * @sig:	signal id, smaller than the slots of the session
 * @usecs:	how long its interrupt may be held back, 0: as long as the lane's
 *		moderation says
 *
 * Bottom halves are off.  Nothing happens on a lane that is not live.
 */
void vbus_lane_signal_coalesced(struct vbus_lane *lane, u32 sig, u32 usecs)
{
	enum vbus_evq_push result;
	unsigned long flags;

	spin_lock_irqsave(&lane->push_lock, flags);
	if (!test_bit(VBUS_LANE_LIVE, &lane->state)) {
		spin_unlock_irqrestore(&lane->push_lock, flags);
		return;
	}
	result = vbus_evq_push(&lane->h2g, sig);
	lane->stats.signals++;
	if (result == VBUS_EVQ_SIGNAL ||
	    (result == VBUS_EVQ_QUEUED && lane->held && !vbus_lane_looked(lane)))
		result = vbus_lane_hold(lane, usecs) ? VBUS_EVQ_QUEUED :
						       VBUS_EVQ_SIGNAL;
	if (result == VBUS_EVQ_SIGNAL && vbus_lane_outranked(lane))
		result = VBUS_EVQ_QUEUED;
	if (result == VBUS_EVQ_SIGNAL)
		lane->stats.interrupts++;
	else if (result == VBUS_EVQ_COALESCED)
		lane->stats.coalesced++;
	else if (result == VBUS_EVQ_FULL)
		lane->stats.refused++;
	trace_vbus_signal(lane, sig, result);
	spin_unlock_irqrestore(&lane->push_lock, flags);
	if (result == VBUS_EVQ_SIGNAL)
		vbus_lane_raise(lane);
}
EXPORT_SYMBOL_GPL(vbus_lane_signal_coalesced);

/**
 * vbus_lane_signal() - push a signal to the guest
 * @lane:	lane
 * @sig:	signal id, smaller than the slots of the session
 *
 * Bottom halves are off.  Nothing happens on a lane that is not live.
 */
void vbus_lane_signal(struct vbus_lane *lane, u32 sig)
{
	vbus_lane_signal_coalesced(lane, sig, 0);
}
EXPORT_SYMBOL_GPL(vbus_lane_signal);
