// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moderation: when to wait for more, and when to disturb the guest.
 *
 * A lane moves bulk data while frames of at least bus->bulk_bytes were seen on
 * it lately, in either direction, or while the guest floods it: its signals follow
 * each other faster than VBUS_FLOOD_EXITS doorbells and a wake-up cost, again and again,
 * with none to the guest between them.  Lately is within VBUS_BULK_NS, or VBUS_BULK_WAKES times
 * what those two cost here: between two frames of a stream there may be a sleep of
 * the guest's and one of the sender's, and where these take milliseconds a stream
 * must not look like single frames.  A lane that carries the other direction of such
 * a lane's stream counts as well (vbus_lane_share_bulk()).  Then
 *
 *  - doorbells wake the worker instead of being served where they arrive, so
 *    that the guest's CPU is left to the guest and both work in parallel;
 *  - the worker waits for more before it arms the lane, because a doorbell and a
 *    wake-up cost more than that.  First it spins, no longer than those two cost
 *    here: the guest says what the doorbell costs it, the wake-up is measured.
 *    So it never costs more than twice what the best choice would have, and it is
 *    only done if it has paid lately.  Then the worker naps: it looks again by a
 *    timer, at growing intervals, which costs the host little and the guest
 *    nothing.
 *
 * Interrupts are held back, too (hold.c), and floods to the guest told of in batches
 * (flood.c).
 *
 * Nothing of that on a lane above priority 0, but what the guest asks for itself
 * (vbus_queue_coalesce()): whoever gives a device a priority asks for latency, and a
 * wait in the wrong moment costs a request more than bulk data on such a lane would
 * gain.
 *
 * Locking: @bulk_until is a hint and needs none; the rest belongs to the lane's owner,
 * of which others read two for that hint.
 */
#define pr_fmt(fmt) "vbus: " fmt

#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/stat.h>

#include "trace.h"
#include "core.h"

#define VBUS_BULK_NS	(2 * NSEC_PER_MSEC)
#define VBUS_BULK_WAKES		12	/* measured: docs/performance.md */
#define VBUS_NAP_MAX_NS	VBUS_BULK_NS	/* a request after a stream waits no longer */
#define VBUS_NAP_WAKE		4	/* the first nap, as a part of a wake-up */
#define VBUS_COST_MAX_NS	(1u * NSEC_PER_MSEC)	/* beyond this it is chance */
#define VBUS_AVERAGE		8	/* samples that an average remembers */
#define VBUS_FLOOD_EXITS	12	/* what the guest does between two, in doorbells */
#define VBUS_FLOOD_PAUSE	2u	/* signals of a flood that a pause takes back */

/* For how long from now on the lane counts as moving bulk data. */
static void vbus_lane_extend_bulk(struct vbus_lane *lane, u64 now)
{
	/* hints of the owner's, of which no two need belong together */
	u32 wake = READ_ONCE(lane->doorbell_ns) + READ_ONCE(lane->wake_ns);

	WRITE_ONCE(lane->bulk_until,
		   now + max_t(u64, VBUS_BULK_NS, VBUS_BULK_WAKES * (u64)wake));
}

/**
 * vbus_lane_note_bulk() - a frame moved
 * @lane:	lane
 * @bytes:	its size
 *
 * Bottom halves are off.  That may keep the timer of a hold from running, for far
 * longer than the hold was to last: then its end is here.
 */
void vbus_lane_note_bulk(struct vbus_lane *lane, u32 bytes)
{
	bool bulk = bytes >= READ_ONCE(lane->bus->bulk_bytes);
	u64 now;

	/* the clock is not free, and most small frames have no use for it */
	if (!bulk && !READ_ONCE(lane->held))
		return;
	now = local_clock();
	if (bulk)
		vbus_lane_extend_bulk(lane, now);
	if (READ_ONCE(lane->held) && now > READ_ONCE(lane->hold_until))
		vbus_lane_end_hold(lane);
}
EXPORT_SYMBOL_GPL(vbus_lane_note_bulk);

/**
 * vbus_lane_share_bulk() - a frame moved that belongs to a stream of another lane
 * @lane:	lane that it moved on
 * @other:	lane that the stream moves on, in the other direction
 *
 * Bottom halves are off.
 */
void vbus_lane_share_bulk(struct vbus_lane *lane, const struct vbus_lane *other)
{
	if (vbus_lane_is_bulk(other))
		vbus_lane_extend_bulk(lane, local_clock());
}
EXPORT_SYMBOL_GPL(vbus_lane_share_bulk);

/**
 * vbus_lane_is_bulk() - is the lane moving bulk data?
 * @lane:	lane
 *
 * Any context.  Never on a lane above priority 0.
 */
bool vbus_lane_is_bulk(const struct vbus_lane *lane)
{
	u64 until = READ_ONCE(lane->bulk_until);

	return !lane->priority && until && local_clock() < until;
}
EXPORT_SYMBOL_GPL(vbus_lane_is_bulk);

/* An average that remembers about VBUS_AVERAGE samples. */
static void vbus_average(u32 *average, u64 sample)
{
	int now = min_t(u64, sample, VBUS_COST_MAX_NS);

	WRITE_ONCE(*average, *average + (now - (int)*average) / VBUS_AVERAGE);
}

/* What an exit costs the guest, ns.  Its word, read once, for what is its own only. */
static u32 vbus_lane_exit_cost(const struct vbus_lane *lane)
{
	return min(vbus_evq_cost(&lane->g2h), VBUS_COST_MAX_NS);
}

/**
 * vbus_lane_interrupt_cost() - what an interrupt costs both sides here, ns
 * @lane:	lane that is live
 *
 * It costs the guest at least two exits: one to take it and one that it ends with or
 * waits for; the guest's doorbell is the measure of an exit.
 */
u64 vbus_lane_interrupt_cost(const struct vbus_lane *lane)
{
	/* a lie costs this guest latency */
	return READ_ONCE(lane->raise_ns) + 2ull * vbus_lane_exit_cost(lane);
}

/* The longest spin that can pay: what a doorbell and a wake-up cost here. */
static u32 vbus_lane_spin_max(struct vbus_lane *lane)
{
	u32 cap = READ_ONCE(lane->bus->spin_us) * NSEC_PER_USEC;

	/* a lie costs this lane's own CPU time */
	WRITE_ONCE(lane->doorbell_ns, vbus_lane_exit_cost(lane));
	return lane->doorbell_ns ? min(lane->doorbell_ns + lane->wake_ns, cap) :
				   cap;
}

/*
 * The guest's next signal came @waited ns after the lane ran out of work.  Served
 * where the doorbell arrives, each signal of a flood costs the guest's CPU an exit
 * and the service, while the worker could do that beside it.
 *
 * The exit costs more than the guest thinks: it has measured the best of many in a row,
 * and finds its caches and its TLB cold after this one.  So even a guest that does
 * nothing but send looks slow while it rings for each packet; a limit that is too near,
 * or a count that begins anew after each pause, would leave it in that state.
 */
static void vbus_lane_note_flood(struct vbus_lane *lane, u64 waited)
{
	/* a count of others' that moves is all that matters */
	u64 signals = READ_ONCE(lane->stats.signals);
	u64 fast = VBUS_FLOOD_EXITS * (u64)lane->doorbell_ns + lane->wake_ns;
	bool answered = signals != lane->answered;

	lane->answered = signals;
	if (waited > fast)
		lane->flood -= min(lane->flood, VBUS_FLOOD_PAUSE);
	else if (answered)
		lane->flood /= 2;
	else if (lane->flood < VBUS_FLOOD)
		lane->flood++;
	if (lane->flood == VBUS_FLOOD)
		vbus_lane_extend_bulk(lane, local_clock());
}

/*
 * The guest's next signal came @waited ns after the lane ran out of work.  With
 * spinning that has cost, or would have cost, that time, or two sleeps' if it was
 * too long; spin as long as the average is less than a sleep's.
 */
static void vbus_lane_learn(struct vbus_lane *lane, u64 waited)
{
	u32 max = vbus_lane_spin_max(lane);

	vbus_average(&lane->spin_cost_ns, waited < max ? waited : 2 * max);
	lane->spin_ns = lane->spin_cost_ns < max ? max : 0;
	vbus_lane_note_flood(lane, waited);
}

/**
 * vbus_lane_woken() - a doorbell ended the sleep of a lane
 * @lane:	lane, by its owner
 *
 * Return: true if the worker is to be woken, whatever there is to do.
 */
bool vbus_lane_woken(struct vbus_lane *lane)
{
	u64 now = local_clock();

	vbus_lane_learn(lane, now - lane->idle_at);
	if (!vbus_lane_is_bulk(lane))
		return false;
	lane->woken_at = now;
	return true;
}

/**
 * vbus_lane_idle() - the lane has nothing to do
 * @lane:	lane, by its owner
 */
void vbus_lane_idle(struct vbus_lane *lane)
{
	lane->idle_at = local_clock();
}

/* The worker was woken by vbus_lane_woken(), or otherwise, and runs. */
void vbus_lane_running(struct vbus_lane *lane)
{
	if (lane->woken_at)
		vbus_average(&lane->wake_ns, local_clock() - lane->woken_at);
	lane->woken_at = 0;
}

/* For how long the lane has had nothing to do, ns. */
static u64 vbus_lane_waited(const struct vbus_lane *lane)
{
	return local_clock() - lane->idle_at;
}

/*
 * The lane has waited for @waited ns: is there work?  A signal of the guest's has made
 * the wait pay, which @won counts and the next wait learns from; what the host itself
 * wants served says nothing of the guest.
 */
static bool vbus_lane_found(struct vbus_lane *lane, u64 waited, u64 *won)
{
	if (!vbus_evq_ready(&lane->g2h))
		return test_bit(VBUS_LANE_WOKEN, &lane->state);
	++*won;
	vbus_lane_learn(lane, waited);
	return true;
}

/*
 * Spin for a moment, as long as nobody else wants the CPU.  Returns true if there
 * is work.
 */
static bool vbus_lane_spin(struct vbus_lane *lane)
{
	u32 window = min(lane->spin_ns, vbus_lane_spin_max(lane));
	u64 waited;

	if (!window)
		return false;
	while ((waited = vbus_lane_waited(lane)) < window) {
		if (vbus_lane_found(lane, waited, &lane->stats.spins_won))
			return true;
		if (atomic_read(&lane->pauses))
			return false;
		/* whoever wants the CPU gets it: spinning is not worth a share */
		if (!single_task_running())
			break;
		cpu_relax();
	}
	lane->stats.spins_lost++;
	return false;
}

/*
 * Look again by a timer.  Returns true if there is work.
 *
 * A nap ends with a wake-up, so one that is far shorter than that takes is no
 * earlier, only more work.
 */
static bool vbus_lane_nap(struct vbus_lane *lane)
{
	u64 nap = READ_ONCE(lane->bus->nap_us) * (u64)NSEC_PER_USEC;
	ktime_t timeout;
	u64 due;

	if (nap)
		nap = max_t(u64, nap, lane->wake_ns / VBUS_NAP_WAKE);

	while (nap && vbus_lane_is_bulk(lane) && !atomic_read(&lane->pauses) &&
	       !kthread_should_stop()) {
		timeout = ns_to_ktime(nap);
		due = vbus_lane_waited(lane) + nap;
		/*
		 * V: a full barrier.  It orders that we sleep before the look for
		 * queues that were woken; pairs with W in vbus_lane_serve(), who
		 * wakes us for those.
		 */
		set_current_state(TASK_INTERRUPTIBLE);
		if (!vbus_lane_has_work(lane))
			schedule_hrtimeout_range(&timeout, nap / 4,
						 HRTIMER_MODE_REL);
		__set_current_state(TASK_RUNNING);
		/*
		 * A batch thread may run long after its nap.  When the signal came,
		 * nobody knows then, which is no reason to think that a flood is over.
		 */
		if (vbus_lane_found(lane, min(vbus_lane_waited(lane), due),
				    &lane->stats.naps_won))
			return true;
		lane->stats.naps_lost++;
		/* the delay is never more than what has passed already */
		nap = min_t(u64, 2 * nap, max_t(u64, nap, VBUS_NAP_MAX_NS));
	}
	return false;
}

/**
 * vbus_lane_wait() - wait a moment for more work
 * @lane:	lane owned by the worker, which has nothing to do
 *
 * Process context, sleeps.
 *
 * Return: true if there is work, false if it is time to arm.
 */
bool vbus_lane_wait(struct vbus_lane *lane)
{
	vbus_lane_idle(lane);
	return test_bit(VBUS_LANE_LIVE, &lane->state) &&
	       vbus_lane_is_bulk(lane) &&
	       (vbus_lane_spin(lane) || vbus_lane_nap(lane));
}

/**
 * vbus_lane_raised() - an interrupt was raised
 * @lane:	lane
 * @ns:		how long that took
 *
 * Bottom halves are off.  Tells the guest, which may then wait as long for more
 * before it arms.
 */
void vbus_lane_raised(struct vbus_lane *lane, u64 ns)
{
	unsigned long flags;

	spin_lock_irqsave(&lane->push_lock, flags);
	vbus_average(&lane->raise_ns, ns);
	if (test_bit(VBUS_LANE_LIVE, &lane->state))
		vbus_evq_tell_cost(&lane->h2g, lane->raise_ns);
	spin_unlock_irqrestore(&lane->push_lock, flags);
}

/* The lane is paused and not live any more. */
void vbus_lane_moderate_stop(struct vbus_lane *lane)
{
	lane->bulk_until = 0;
	lane->flood = 0;
}
