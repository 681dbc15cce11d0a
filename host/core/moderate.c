// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moderation: when to wait for more, and when to disturb the guest.
 *
 * A lane moves bulk data while frames of at least bus->bulk_bytes were seen on
 * it within the last VBUS_BULK_NS, in either direction.  Then
 *
 *  - doorbells wake the worker instead of being served where they arrive, so
 *    that the guest's CPU is left to the guest and both work in parallel;
 *  - the worker waits for more before it arms the lane, because a doorbell costs
 *    the guest more than that.  How long is learnt: longer if the doorbell came
 *    soon after the lane was armed, shorter if it took longer than bus->spin_us,
 *    which is the most it waits;
 *  - interrupts are held back for up to bus->hold_us: a guest that sends, be it
 *    data or acknowledgements, looks at its event queue while it does so.  When
 *    the guest's next signal is overdue, which says that it may have gone to
 *    sleep, what is held is let go at once.
 *
 * Everything else, a request and its answer above all, is never delayed.
 *
 * Locking: @held under push_lock; @bulk_until is a hint and needs none.
 */
#define pr_fmt(fmt) "vbus: " fmt

#include <linux/sched.h>
#include <linux/sched/clock.h>

#include "trace.h"
#include "vbus_host.h"

#define VBUS_BULK_NS	(2 * NSEC_PER_MSEC)
#define VBUS_SPIN_MIN_NS	(10 * NSEC_PER_USEC)	/* waiting begins with this */
#define VBUS_GAP_WEIGHT		8	/* samples that an average remembers */

/**
 * vbus_lane_note_bulk() - a frame moved
 * @lane:	lane
 * @bytes:	its size
 *
 * Any context.
 */
void vbus_lane_note_bulk(struct vbus_lane *lane, u32 bytes)
{
	if (bytes >= READ_ONCE(lane->bus->bulk_bytes))
		WRITE_ONCE(lane->bulk_until, local_clock() + VBUS_BULK_NS);
}
EXPORT_SYMBOL_GPL(vbus_lane_note_bulk);

/* Is the lane moving bulk data? */
bool vbus_lane_is_bulk(const struct vbus_lane *lane)
{
	u64 until = READ_ONCE(lane->bulk_until);

	return until && local_clock() < until;
}

/**
 * vbus_lane_learn() - a doorbell ended the lane's sleep
 * @lane:	lane, by its owner
 *
 * Grows or shrinks the time that the worker waits, as the kernel's halt polling
 * does: it should have waited if the doorbell came within bus->spin_us.
 */
void vbus_lane_learn(struct vbus_lane *lane)
{
	u64 max = READ_ONCE(lane->bus->spin_us) * (u64)NSEC_PER_USEC;
	u64 slept = local_clock() - lane->armed_at;

	if (slept > max)
		lane->spin_ns = lane->spin_ns / 2 < VBUS_SPIN_MIN_NS ?
				0 : lane->spin_ns / 2;
	else
		lane->spin_ns = clamp(2 * (u64)lane->spin_ns,
				      min(max, VBUS_SPIN_MIN_NS), max);
}

/**
 * vbus_lane_spin() - wait a moment for more work
 * @lane:	lane owned by the worker, which has nothing to do
 *
 * Return: true if there is work.
 */
bool vbus_lane_spin(struct vbus_lane *lane)
{
	u64 start, spent = 0, window;

	if (!test_bit(VBUS_LANE_LIVE, &lane->state) || !vbus_lane_is_bulk(lane))
		goto out_release;
	window = min(lane->spin_ns,
		     READ_ONCE(lane->bus->spin_us) * (u64)NSEC_PER_USEC);
	for (start = local_clock(); spent < window;
	     spent = local_clock() - start) {
		if (vbus_evq_ready(&lane->g2h)) {
			lane->stats.spins_won++;
			lane->gap_ns += (int)((u32)spent - lane->gap_ns) /
					VBUS_GAP_WEIGHT;
			return true;
		}
		if (atomic_read(&lane->pauses))
			return false;
		if (spent > 2 * lane->gap_ns + VBUS_SPIN_MIN_NS)
			vbus_lane_release(lane);
		cpu_relax();
		/* whoever wants the CPU gets it; the lane stays unarmed */
		cond_resched();
	}
	lane->stats.spins_lost++;
out_release:
	vbus_lane_release(lane);
	lane->armed_at = local_clock();
	return false;
}

/**
 * vbus_lane_hold() - may an interrupt be held back?
 * @lane:	lane; its push_lock is held
 *
 * Return: true if it is held back, and will come if it proves to be needed.
 */
bool vbus_lane_hold(struct vbus_lane *lane)
{
	unsigned int hold_us = READ_ONCE(lane->bus->hold_us);

	lockdep_assert_held(&lane->push_lock);
	if (lane->held)
		return true;
	if (!hold_us || !vbus_lane_is_bulk(lane))
		return false;
	lane->held = true;
	lane->stats.held++;
	trace_vbus_hold(lane);
	hrtimer_start(&lane->hold, ns_to_ktime(hold_us * (u64)NSEC_PER_USEC), HRTIMER_MODE_REL_SOFT);
	return true;
}

/* End a hold: raise the interrupt if the guest has not looked by itself. */
static void vbus_lane_end_hold(struct vbus_lane *lane)
{
	bool raise = false;

	spin_lock(&lane->push_lock);
	if (lane->held) {
		lane->held = false;
		raise = test_bit(VBUS_LANE_LIVE, &lane->state) &&
			vbus_evq_unconsumed(&lane->h2g);
		if (raise)
			lane->stats.interrupts++;
		else
			lane->stats.hold_saved++;
	}
	spin_unlock(&lane->push_lock);
	if (raise)
		vbus_lane_raise(lane);
}

/**
 * vbus_lane_release() - let go what is held back
 * @lane:	lane
 *
 * Process context.
 */
void vbus_lane_release(struct vbus_lane *lane)
{
	if (!READ_ONCE(lane->held))
		return;
	local_bh_disable();
	vbus_lane_end_hold(lane);
	local_bh_enable();
}

static enum hrtimer_restart vbus_lane_hold_expired(struct hrtimer *timer)
{
	vbus_lane_end_hold(container_of(timer, struct vbus_lane, hold));
	return HRTIMER_NORESTART;
}

void vbus_lane_moderate_init(struct vbus_lane *lane)
{
	hrtimer_init(&lane->hold, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	lane->hold.function = vbus_lane_hold_expired;
}

/* The lane is paused and not live any more; nothing is held afterwards. */
void vbus_lane_moderate_stop(struct vbus_lane *lane)
{
	hrtimer_cancel(&lane->hold);
	lane->held = false;
	lane->bulk_until = 0;
}
