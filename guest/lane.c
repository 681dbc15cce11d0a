// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lanes: signals to and from the host.
 *
 * The consumer of a lane is a NAPI instance of its own, on a dummy net_device.
 * It takes signals in batches and calls the queues' notify(), which schedules the
 * devices' NAPI instances on the same CPU.  The lane is armed, so that the next
 * signal interrupts, only when it is empty and none of its devices is polling:
 * the last one that stops schedules the lane once more.
 *
 * Why no signal is lost:
 *   - A device that stops polling arms its ring, looks at it again, and only
 *     then ends its claim (vbus_guest_poll_end()).  If it was the last one the
 *     lane is scheduled, drains and arms.
 *   - If the lane's poll saw the claim before it ended, the schedule happened
 *     while that poll ran and NAPI notes it (NAPI_STATE_MISSED), or after.
 *   - The lane arms and looks again before it completes; an interrupt in between
 *     is noted in the same way.
 *   - While claims last, each poll of a device looks for signals of the others
 *     (vbus_guest_poll_begin()).
 */
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "guest.h"

#define LANE_BATCH	64	/* signals taken at once, NAPI's default weight */

/* Schedule the lane's poll, in any context. */
static void lane_schedule(struct vbus_lane *lane)
{
	/* in task context nothing would run the softirq before the next tick */
	bool task = !in_interrupt() && !irqs_disabled();

	if (task)
		local_bh_disable();
	napi_schedule(&lane->napi);
	if (task)
		local_bh_enable();
}

/**
 * vbus_guest_lane_schedule() - look for signals of the host soon
 * @lane:	lane
 *
 * Any context.
 */
void vbus_guest_lane_schedule(struct vbus_lane *lane)
{
	lane_schedule(lane);
}
EXPORT_SYMBOL_GPL(vbus_guest_lane_schedule);

/**
 * vbus_guest_interrupt() - the host raised the interrupt of a lane
 * @guest:	bus
 * @index:	lane
 *
 * For connectors.  Any context; spurious calls do no harm.
 */
void vbus_guest_interrupt(struct vbus_guest *guest, u32 index)
{
	struct vbus_lane *lane = &guest->lane[index];

	lane->interrupts++;
	lane->disturbed += !is_idle_task(current);
	WRITE_ONCE(lane->woken, true);
	lane_schedule(lane);
}
EXPORT_SYMBOL_GPL(vbus_guest_interrupt);

static void lane_dispatch(struct vbus_lane *lane, u16 sig)
{
	struct vbus_guest *guest = lane->guest;
	struct vbus_queue *q;

	if (sig == VBUS_SIGNAL_BUS) {
		if (lane->index == 0)
			vbus_scan_request(guest);
		else
			lane->spurious++;
		return;
	}

	/* pairs with the synchronize_net() in vbus_guest_queue_destroy() */
	rcu_read_lock();
	q = rcu_dereference(guest->signal[sig]);
	/* a queue is notified by one CPU at a time: on its own lane only */
	if (q && q->lane == lane)
		q->notify(q);
	else
		lane->spurious++;
	rcu_read_unlock();
}

static int lane_poll(struct napi_struct *napi, int budget)
{
	struct vbus_lane *lane = container_of(napi, struct vbus_lane, napi);
	u32 max = min_t(u32, budget, LANE_BATCH);
	u16 sig[LANE_BATCH];
	u32 i, n;

	if (!budget)
		return 0;
	lane->polls++;
	if (READ_ONCE(lane->woken)) {
		WRITE_ONCE(lane->woken, false);
		vbus_spin_woken(lane);
	}
	vbus_prio_wake(lane);
	n = vbus_evq_take(&lane->cons, sig, max);
	lane->events += n;
	if (n)
		lane->spin.after = false;
	for (i = 0; i < n; i++)
		lane_dispatch(lane, sig[i]);
	if (n == max)
		return budget;

	if (atomic_read(&lane->busy) > 0) {
		lane->held++;
		lane->spin.after = false;
	} else {
		vbus_prio_sleep(lane);
		lane->arms++;
		vbus_spin_arming(lane);
		if (!vbus_evq_arm(&lane->cons)) {
			lane->rearms++;
			return budget;
		}
		vbus_spin_idle(lane);
	}
	napi_complete_done(napi, n);
	return n;
}

/**
 * vbus_guest_poll_schedule() - schedule a device's poll
 * @poll:	claim of the NAPI instance
 * @napi:	NAPI instance
 *
 * For a queue's notify().  With softirqs disabled, or from an interrupt.
 *
 * Return: true if it was scheduled, false if it was already, or is disabled.
 */
bool vbus_guest_poll_schedule(struct vbus_poll *poll, struct napi_struct *napi)
{
	if (!napi_schedule_prep(napi))
		return false;
	/* a poll is certain now, so the claim will end */
	if (!test_and_set_bit(0, &poll->state))
		atomic_inc(&poll->lane->busy);
	__napi_schedule(napi);
	return true;
}
EXPORT_SYMBOL_GPL(vbus_guest_poll_schedule);

/**
 * vbus_guest_poll_end() - a device stops polling
 * @poll:	claim
 *
 * To be called when napi_complete_done() returned true, and after each
 * napi_disable().  If another CPU has begun the next poll meanwhile, this ends
 * the claim early: interrupts come that could have been avoided, no more.
 *
 * The count may be negative for a moment, when that other CPU has set its bit
 * but not counted itself yet; whoever brings it to zero or below schedules the
 * lane, and only a positive count keeps the lane from arming, so it cannot be
 * left unarmed.
 */
void vbus_guest_poll_end(struct vbus_poll *poll)
{
	if (test_and_clear_bit(0, &poll->state) &&
	    atomic_dec_return(&poll->lane->busy) <= 0)
		lane_schedule(poll->lane);
}
EXPORT_SYMBOL_GPL(vbus_guest_poll_end);

/**
 * vbus_guest_queue_kick() - tell the host that a queue wants attention
 * @q:		queue
 *
 * Called when vbus_ioq_publish() returned true.  Any context.
 */
void vbus_guest_queue_kick(struct vbus_queue *q)
{
	struct vbus_lane *lane = q->lane;
	enum vbus_evq_push push;
	unsigned long flags;

	spin_lock_irqsave(&lane->lock, flags);
	push = vbus_evq_push(&lane->prod, q->signal);
	switch (push) {
	case VBUS_EVQ_COALESCED:
		lane->coalesced++;
		break;
	case VBUS_EVQ_SIGNAL:
		lane->doorbells++;
		fallthrough;
	case VBUS_EVQ_QUEUED:
		lane->kicks++;
		break;
	case VBUS_EVQ_FULL:
		lane->full++;
		break;
	}
	spin_unlock_irqrestore(&lane->lock, flags);

	/* outside the lock: a doorbell is the one expensive thing here */
	if (push == VBUS_EVQ_SIGNAL && READ_ONCE(lane->guest->live))
		lane->guest->ops->doorbell(lane->guest, lane->index);
}
EXPORT_SYMBOL_GPL(vbus_guest_queue_kick);

/**
 * vbus_guest_lane_stats() - read the counters of a lane
 * @lane:	lane
 * @stats:	where they go
 */
void vbus_guest_lane_stats(const struct vbus_lane *lane,
			   struct vbus_lane_stats *stats)
{
	stats->interrupts = READ_ONCE(lane->interrupts);
	stats->disturbed = READ_ONCE(lane->disturbed);
	stats->polls = READ_ONCE(lane->polls);
	stats->events = READ_ONCE(lane->events);
	stats->spurious = READ_ONCE(lane->spurious);
	stats->arms = READ_ONCE(lane->arms);
	stats->rearms = READ_ONCE(lane->rearms);
	stats->held = READ_ONCE(lane->held);
	stats->spins_won = READ_ONCE(lane->spin.won);
	stats->spins_lost = READ_ONCE(lane->spin.lost);
	stats->kicks = READ_ONCE(lane->kicks);
	stats->coalesced = READ_ONCE(lane->coalesced);
	stats->doorbells = READ_ONCE(lane->doorbells);
	stats->full = READ_ONCE(lane->full);
	stats->outranked = READ_ONCE(lane->outranked);
	stats->raised = READ_ONCE(lane->raised);
}
EXPORT_SYMBOL_GPL(vbus_guest_lane_stats);

/**
 * vbus_guest_lane_cpu() - the CPU that a lane is meant for
 * @lane:	lane
 *
 * Lanes of the same priority are spread over the CPUs.  That is where a lane's
 * interrupt begins.  The administrator may move it
 * (/proc/irq/N/smp_affinity), and then the lane's poll and its devices' polls
 * run where it arrives: NAPI instances run on the CPU that schedules them.  This
 * function does not follow: virtio has no way to be told of the move.
 */
unsigned int vbus_guest_lane_cpu(const struct vbus_lane *lane)
{
	const struct vbus_lane *other;
	unsigned int cpu, i = 0;

	for (other = lane->guest->lane; other != lane; other++)
		i += other->priority == lane->priority;
	i %= num_online_cpus();
	for_each_online_cpu(cpu)
		if (!i--)
			return cpu;
	return cpumask_first(cpu_online_mask);
}
EXPORT_SYMBOL_GPL(vbus_guest_lane_cpu);

/* Begin, with zeroed event queues.  The host is not attached. */
void vbus_lane_start(struct vbus_lane *lane)
{
	struct vbus_guest *guest = lane->guest;

	memset(lane->h2g.va, 0, lane->h2g.size);
	memset(lane->g2h.va, 0, lane->g2h.size);
	memset(lane->last, 0, guest->slots * sizeof(*lane->last));
	/* zeroed memory is armed, and asleep: the first signal interrupts */
	lane->spin.awake = false;
	vbus_evq_cons_init(&lane->cons, lane->h2g.va, guest->slots);
	vbus_evq_prod_init(&lane->prod, lane->g2h.va, guest->slots, lane->last);
	napi_enable(&lane->napi);
}

/* No notify() runs any more, and none will before vbus_lane_start(). */
void vbus_lane_stop(struct vbus_lane *lane)
{
	napi_disable(&lane->napi);
	vbus_idle_leave(lane);
}

int vbus_lane_init(struct vbus_guest *guest, u32 index)
{
	struct vbus_lane *lane = &guest->lane[index];
	int err;

	lane->guest = guest;
	lane->index = index;
	vbus_spin_init(lane);
	spin_lock_init(&lane->lock);
	lane->last = kcalloc(guest->slots, sizeof(*lane->last), GFP_KERNEL);
	if (!lane->last)
		return -ENOMEM;
	err = vbus_mem_alloc(guest, &lane->h2g, VBUS_EVQ_BYTES(guest->slots));
	if (err)
		goto free_last;
	err = vbus_mem_alloc(guest, &lane->g2h, VBUS_EVQ_BYTES(guest->slots));
	if (err)
		goto free_h2g;
	netif_napi_add(guest->dummy, &lane->napi, lane_poll);
	return 0;

free_h2g:
	vbus_mem_free(guest, &lane->h2g);
free_last:
	kfree(lane->last);
	return err;
}

void vbus_lane_exit(struct vbus_lane *lane)
{
	netif_napi_del(&lane->napi);
	vbus_mem_free(lane->guest, &lane->g2h);
	vbus_mem_free(lane->guest, &lane->h2g);
	kfree(lane->last);
}
