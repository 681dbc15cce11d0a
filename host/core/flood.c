// SPDX-License-Identifier: GPL-2.0-only
/*
 * Floods to the guest: signals that wait for company.
 *
 * A guest that is faster than whoever sends to it takes two or three packets, finds
 * its ring empty, arms it, and is told of the next one: most of what both sides do is
 * telling.  So when a queue has had VBUS_FLOOD signals in a row that followed each
 * other faster than one would have waited, and fast enough for as many units to come
 * while it waits, and the guest has said nothing on the bus between them, the next
 * signal waits: for a quarter of bus->hold_us, or until units for a quarter of the
 * ring have come.  If they do not come at that pace the flood is over.  The guest
 * cannot find such units itself meanwhile, whether its CPU sleeps or not.
 *
 * Not on a lane above priority 0, and not if the guest has asked for something else
 * (vbus_queue_coalesce()).
 *
 * Locking: @owed says that a signal waits, and belongs to nobody: whoever clears it
 * tells the guest.  The rest is serialised like the completion ring.
 */
#define pr_fmt(fmt) "vbus: " fmt

#include <linux/hrtimer.h>
#include <linux/sched/clock.h>

#include "core.h"

#define VBUS_FLOOD_RING	4	/* a part of the ring is all that waits */
#define VBUS_FLOOD_HOLD	4	/* ... for a part of the time of a CPU that is awake */

/*
 * A signal that waits for company, if there is one, waits no longer.  The lane is live,
 * or nothing happens; bottom halves are off.
 */
static void vbus_queue_pay(struct vbus_queue *q)
{
	struct vbus_lane *lane = q->lane;
	unsigned long flags;

	/* the signal depends on what was read: pairs with U */
	if (!READ_ONCE(q->owed) || !xchg(&q->owed, false))
		return;
	spin_lock_irqsave(&lane->push_lock, flags);
	lane->stats.batches++;
	spin_unlock_irqrestore(&lane->push_lock, flags);
	vbus_queue_signal(q);
}

/**
 * vbus_queue_stalled() - nothing is going to be published until the guest acts
 * @q:		queue; its lane is live, or nothing happens
 *
 * So nothing that the guest is to be told waits any longer.  Bottom halves are off.
 */
void vbus_queue_stalled(struct vbus_queue *q)
{
	vbus_queue_pay(q);
	if (READ_ONCE(q->lane->held))
		vbus_lane_end_hold(q->lane);
}
EXPORT_SYMBOL_GPL(vbus_queue_stalled);

/* Softirq.  What it was set for may be paid already. */
static enum hrtimer_restart vbus_queue_due(struct hrtimer *timer)
{
	vbus_queue_pay(container_of(timer, struct vbus_queue, due));
	return HRTIMER_NORESTART;
}

/*
 * A number that changes when the guest says anything.  What answers a packet may leave
 * on another lane, and what waits for a worker counts when the worker gets to it.
 */
static u64 vbus_bus_said(const struct vbus_bus *bus)
{
	u64 said = 0;
	unsigned int i;

	/* counts of others' */
	for (i = 0; i < bus->lanes; i++)
		said += READ_ONCE(bus->lane[i].stats.kicks) +
			READ_ONCE(bus->lane[i].stats.worker_rounds);
	return said;
}

/* For how long a signal waits for company, ns. */
static u64 vbus_queue_flood_ns(const struct vbus_queue *q)
{
	return vbus_lane_hold_most(q->lane) / VBUS_FLOOD_HOLD;
}

/* The guest is to be told of something: does a flood come to it? */
static bool vbus_queue_flooded(struct vbus_queue *q)
{
	struct vbus_lane *lane = q->lane;
	u64 hold = vbus_queue_flood_ns(q);
	u64 said = vbus_bus_said(lane->bus);
	u64 now = local_clock(), since = now - q->signal_at;
	/* the owner moves on meanwhile: what it has not taken yet is a hint */
	bool answered = said != q->answered ||
			data_race(vbus_evq_ready(&lane->g2h));
	/* at this pace VBUS_FLOOD units come while a signal waits */
	bool fast = since < q->fresh * (hold / VBUS_FLOOD);

	/*
	 * Further apart, none would join another.  Once the flood is on, signals are
	 * as far apart as that makes them.
	 */
	if (q->flood < VBUS_FLOOD && since >= hold)
		fast = false;
	q->answered = said;
	q->signal_at = now;
	q->fresh = 0;
	if (lane->priority || READ_ONCE(q->hold_us) ||
	    READ_ONCE(q->hold_units) || !fast)
		q->flood = 0;
	else if (answered)
		q->flood /= 2;
	else if (q->flood < VBUS_FLOOD)
		q->flood++;
	return q->flood == VBUS_FLOOD;
}

/* Tell the guest later. */
static void vbus_queue_owe(struct vbus_queue *q, u32 units)
{
	u64 ns = vbus_queue_flood_ns(q);

	/*
	 * U: xchg() is a full barrier.  It orders what was published before the debt;
	 * pairs with the condition in vbus_queue_pay().  If there is a debt already,
	 * whoever ends it tells of this, too.
	 */
	if (xchg(&q->owed, true))
		return;
	q->owed_units = units;
	q->owed_until = local_clock() + ns;
	hrtimer_start(&q->due, ns_to_ktime(ns), HRTIMER_MODE_REL_SOFT);
}

/**
 * vbus_queue_tell() - units were published, and the guest may have to be told
 * @q:		queue; its lane is live
 * @due:	vbus_ioq_publish() on @q->comp returned true
 * @units:	how many were published
 *
 * Bottom halves are off; serialised like the completion ring.
 */
void vbus_queue_tell(struct vbus_queue *q, bool due, u32 units)
{
	q->fresh += units;
	q->owed_units += units;
	if (due && vbus_queue_flooded(q))
		vbus_queue_owe(q, units);
	else if (due)
		vbus_queue_signal(q);
	/* bottom halves may be off, and keep the timer from running, for far longer */
	if (READ_ONCE(q->owed) &&
	    (q->owed_units >= q->comp.size / VBUS_FLOOD_RING ||
	     local_clock() > q->owed_until))
		vbus_queue_pay(q);
	if (READ_ONCE(q->hold_units) && units)
		vbus_queue_count(q, units);
}
EXPORT_SYMBOL_GPL(vbus_queue_tell);

void vbus_queue_flood_init(struct vbus_queue *q)
{
	hrtimer_init(&q->due, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	q->due.function = vbus_queue_due;
}

/* Nobody publishes any more. */
void vbus_queue_flood_stop(struct vbus_queue *q)
{
	hrtimer_cancel(&q->due);
}
