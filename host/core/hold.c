// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts that are held back.
 *
 * While the guest says that its CPU is awake: it looks at the event queue before that
 * CPU sleeps (vbus_evq_awake()).  On a lane that moves bulk data for up to
 * bus->hold_us; else for no longer than an interrupt costs the two sides here, so that
 * the delay is never more than what it may save.  A guest that sleeps is interrupted at
 * once.
 *
 * The guest may ask for more: a queue may have a time, and a number of units, that its
 * interrupts are held back for (vbus_queue_coalesce()).
 *
 * Locking: all of it under push_lock.  Others look at @held and @hold_until for a hint.
 */
#define pr_fmt(fmt) "vbus: " fmt

#include <linux/sched/clock.h>

#include "trace.h"
#include "core.h"

/**
 * vbus_lane_hold_most() - for how long the bus lets anything wait by itself, ns
 * @lane:	lane
 */
u64 vbus_lane_hold_most(const struct vbus_lane *lane)
{
	return READ_ONCE(lane->bus->hold_us) * (u64)NSEC_PER_USEC;
}

/*
 * For how long a signal that is due may be held back, ns, if the guest asks for
 * nothing.
 */
static u64 vbus_lane_patience(const struct vbus_lane *lane)
{
	u64 most = vbus_lane_hold_most(lane);

	lockdep_assert_held(&lane->push_lock);
	if (lane->priority || !most || !vbus_evq_awake(&lane->h2g))
		return 0;
	if (vbus_lane_is_bulk(lane))
		return most;
	return min(most, vbus_lane_interrupt_cost(lane));
}

/* An interrupt is held back no longer; was it raised? */
static void vbus_lane_unhold(struct vbus_lane *lane, bool raised)
{
	lockdep_assert_held(&lane->push_lock);
	WRITE_ONCE(lane->held, false);
	lane->stats.held_ns += local_clock() - lane->held_at;
	trace_vbus_hold_end(lane, raised);
}

/**
 * vbus_lane_looked() - has the guest taken all but the signal that was just pushed?
 * @lane:	lane; its push_lock is held
 */
bool vbus_lane_looked(const struct vbus_lane *lane)
{
	lockdep_assert_held(&lane->push_lock);
	return lane->h2g.pos - lane->h2g.cons <= 1;
}

/**
 * vbus_lane_hold() - may the interrupt of a signal be held back?
 * @lane:	lane; its push_lock is held
 * @usecs:	how long the guest lets it wait; 0: it did not ask
 *
 * What the guest asked for goes before what the bus would do by itself.  A lane
 * holds one interrupt for all of its signals, so the least patient one decides:
 * what is held is let go earlier, or now, because of it.
 *
 * Return: true if it is held back, and will come if it proves to be needed.
 * False: raise it now; nothing is held any more.
 */
bool vbus_lane_hold(struct vbus_lane *lane, u32 usecs)
{
	u64 ns = (u64)usecs * NSEC_PER_USEC;
	u64 until;

	lockdep_assert_held(&lane->push_lock);
	if (!ns)
		ns = vbus_lane_patience(lane);
	if (lane->held && vbus_lane_looked(lane)) {
		/* what was held before is done with: this is another one */
		lane->stats.hold_saved++;
		vbus_lane_unhold(lane, false);
	}
	if (!ns) {
		/* its timer finds nothing, or what is held by then */
		if (lane->held)
			vbus_lane_unhold(lane, true);
		return false;
	}
	until = local_clock() + ns;
	if (lane->held && until >= lane->hold_until)
		return true;
	WRITE_ONCE(lane->hold_until, until);
	if (!lane->held) {
		WRITE_ONCE(lane->stats.held, lane->stats.held + 1);
		WRITE_ONCE(lane->held, true);
		lane->held_at = until - ns;
		trace_vbus_hold(lane, ns / NSEC_PER_USEC);
	}
	/* a timer that is early sets itself anew */
	if (!hrtimer_is_queued(&lane->hold) || until < lane->timer_at) {
		lane->timer_at = until;
		hrtimer_start(&lane->hold, ns_to_ktime(ns),
			      HRTIMER_MODE_REL_SOFT);
	}
	return true;
}

/**
 * vbus_lane_end_hold() - raise what is held, unless the guest has looked itself
 * @lane:	lane
 *
 * Bottom halves are off.
 */
void vbus_lane_end_hold(struct vbus_lane *lane)
{
	unsigned long flags;
	bool raise = false;

	spin_lock_irqsave(&lane->push_lock, flags);
	if (lane->held) {
		raise = test_bit(VBUS_LANE_LIVE, &lane->state) &&
			vbus_evq_unconsumed(&lane->h2g);
		if (raise && vbus_lane_outranked(lane))
			raise = false;
		else if (raise)
			lane->stats.interrupts++;
		else if (test_bit(VBUS_LANE_LIVE, &lane->state))
			lane->stats.hold_saved++;
		vbus_lane_unhold(lane, raise);
	}
	spin_unlock_irqrestore(&lane->push_lock, flags);
	if (raise)
		vbus_lane_raise(lane);
}

/* For whom the timer was set may be over long since; it serves the next one. */
static enum hrtimer_restart vbus_lane_hold_expired(struct hrtimer *timer)
{
	struct vbus_lane *lane = container_of(timer, struct vbus_lane, hold);
	enum hrtimer_restart again = HRTIMER_NORESTART;
	unsigned long flags;
	bool early;
	u64 now;

	spin_lock_irqsave(&lane->push_lock, flags);
	now = local_clock();
	early = lane->held && now < lane->hold_until;
	/* else vbus_lane_hold() has just set it */
	if (early && !hrtimer_is_queued(timer)) {
		lane->timer_at = lane->hold_until;
		hrtimer_forward_now(timer, ns_to_ktime(lane->hold_until - now));
		again = HRTIMER_RESTART;
	}
	spin_unlock_irqrestore(&lane->push_lock, flags);
	if (!early)
		vbus_lane_end_hold(lane);
	return again;
}

void vbus_lane_hold_init(struct vbus_lane *lane)
{
	hrtimer_init(&lane->hold, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	lane->hold.function = vbus_lane_hold_expired;
}

/* The lane is paused and not live any more; nothing is held afterwards. */
void vbus_lane_hold_stop(struct vbus_lane *lane)
{
	hrtimer_cancel(&lane->hold);
	lane->held = false;
}
