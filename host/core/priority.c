// SPDX-License-Identifier: GPL-2.0-only
/*
 * Priorities of lanes: who gives way to whom, on the host and in the guest.
 *
 *  - A worker of priority 0 is a batch thread: when it wakes up it does not push
 *    aside whoever has the CPU, who mostly sends to the guest, or receives from it;
 *    what it takes later it takes together.  If the CPU is free it runs at once.
 *  - A worker above that does push others aside, and its nice level falls with the
 *    priority of its lane.  From VBUS_RT_PRIORITY on it is a real-time thread, if the
 *    administrator allows it (bus->rt).  A guest decides how much work there is, so no
 *    more than about half of a CPU is given away like that: what the worker uses is a
 *    debt that time pays back at half the rate, and while the debt is too high it is a
 *    thread like others.  It never spins.
 *  - A lane that is being served gives way, after the queue whose turn it is,
 *    when a doorbell of a higher lane of its bus waits to be answered.
 *  - The interrupt of a lane is not raised while the guest's CPU is busy with
 *    something at least as important (ring/active.h).
 *
 * Locking: none of its own.  Priorities are fixed while the bus is enabled; what
 * else is used here belongs to the worker, or is under push_lock.
 */
#define pr_fmt(fmt) "vbus: " fmt

#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <uapi/linux/sched/types.h>

#include "trace.h"
#include "core.h"

#define VBUS_RT_PRIORITY	4	/* the lowest that may be real-time */
#define VBUS_NICE_STEP		2	/* nice levels for each priority */
#define VBUS_RT_DEBT_NS		(2 * NSEC_PER_MSEC)	/* ends real time */

/**
 * vbus_bus_levels() - how many different priorities the lanes have
 * @bus:	enabled, or about to be
 */
unsigned int vbus_bus_levels(const struct vbus_bus *bus)
{
	unsigned long seen = 0;
	unsigned int i;

	for (i = 0; i < bus->lanes; i++)
		seen |= BIT(bus->priority[i]);
	return hweight_long(seen);
}
EXPORT_SYMBOL_GPL(vbus_bus_levels);

/**
 * vbus_lane_rank() - take over what is configured; part of vbus_lane_init()
 * @lane:	lane
 */
void vbus_lane_rank(struct vbus_lane *lane)
{
	const struct vbus_bus *bus = lane->bus;
	unsigned int i;

	lane->priority = bus->priority[lane->index];
	for (i = 0; i < bus->lanes; i++)
		if (bus->priority[i] > lane->priority)
			lane->above |= BIT(i);
	lane->rt = bus->rt && lane->priority >= VBUS_RT_PRIORITY;
}

static void vbus_lane_set_normal(struct vbus_lane *lane,
				 struct task_struct *worker)
{
	const struct sched_attr attr = {
		.sched_policy = lane->priority ? SCHED_NORMAL : SCHED_BATCH,
		.sched_nice = -VBUS_NICE_STEP * (int)lane->priority,
	};

	lane->rt_now = false;
	sched_setattr_nocheck(worker, &attr);
}

static void vbus_lane_set_rt(struct vbus_lane *lane, struct task_struct *worker)
{
	lane->rt_now = true;
	if (lane->priority == VBUS_PRIORITY_MAX)
		sched_set_fifo(worker);
	else
		sched_set_fifo_low(worker);
}

/**
 * vbus_lane_rank_worker() - give the worker its class; before it runs
 * @lane:	lane
 */
void vbus_lane_rank_worker(struct vbus_lane *lane)
{
	if (lane->rt)
		vbus_lane_set_rt(lane, lane->worker);
	else
		vbus_lane_set_normal(lane, lane->worker);
}

/**
 * vbus_lane_breathe() - the worker did some work: may it remain real-time?
 * @lane:	lane; by its worker, which is about to look for more
 */
void vbus_lane_breathe(struct vbus_lane *lane)
{
	u64 now, used;

	if (!lane->rt)
		return;
	used = current->se.sum_exec_runtime - lane->rt_used;
	lane->rt_used += used;
	if (lane->rt_now)
		lane->rt_debt += used;
	now = local_clock();
	lane->rt_debt -= min(lane->rt_debt, (now - lane->rt_since) / 2);
	lane->rt_since = now;
	if (lane->rt_now && lane->rt_debt > VBUS_RT_DEBT_NS)
		vbus_lane_set_normal(lane, current);
	else if (!lane->rt_now && lane->rt_debt < VBUS_RT_DEBT_NS / 2)
		vbus_lane_set_rt(lane, current);
}

/**
 * vbus_lane_gives_way() - does a higher lane wait to be served?
 * @lane:	lane that is being served
 *
 * A lane that somebody serves already does not wait, wherever that is.
 */
bool vbus_lane_gives_way(const struct vbus_lane *lane)
{
	const unsigned long waits = BIT(VBUS_LANE_PENDING) |
				    BIT(VBUS_LANE_WORKER);
	unsigned long state, above = lane->above;
	unsigned int i;

	for_each_set_bit(i, &above, VBUS_LANES_MAX) {
		state = READ_ONCE(lane->bus->lane[i].state);
		if (state & BIT(VBUS_LANE_LIVE) && state & waits)
			return true;
	}
	return false;
}

/**
 * vbus_lane_outranked() - is the guest busy with something more important?
 * @lane:	live lane whose interrupt is due; its push_lock is held
 *
 * Return: true if the interrupt is not to be raised, which is counted.
 */
bool vbus_lane_outranked(struct vbus_lane *lane)
{
	lockdep_assert_held(&lane->push_lock);
	if (!lane->active ||
	    !vbus_active_outranks(lane->active, &lane->h2g.q->active,
				  lane->priority))
		return false;
	lane->stats.outranked++;
	trace_vbus_outranked(lane);
	return true;
}
