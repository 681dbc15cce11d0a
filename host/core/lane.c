// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lanes: who serves the guest's signals.
 *
 * One context at a time owns a lane (VBUS_LANE_OWNED).  A doorbell
 * finds a lane asleep; the work behind it is done right there, in bottom-half
 * context of the CPU that took the doorbell, as long as it is little: no thread
 * is woken and an answer may leave before the guest runs again.  When there is
 * more, ownership passes to the lane's worker thread, which runs in parallel
 * with the guest until it finds nothing to do.  Only then the lane is armed, so
 * that a busy lane gets no doorbells.
 *
 * Locking: @g2h and @ready belong to the owner.  vbus_lane_pause() takes ownership
 * away from the data path; it and everything that maps or unmaps needs bus->lock.
 */
#define pr_fmt(fmt) "vbus: " fmt

#include <linux/bitops.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "core.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#define VBUS_LANE_BATCH		32	/* signals taken from the queue at once */
#define VBUS_QUEUE_QUOTA	16	/* units a queue may do before the next one */
#define VBUS_QUEUE_HASTE	4	/* ... while a higher lane waits */
#define VBUS_CONTEXT_BUDGET	8	/* units done where the doorbell arrived */
#define VBUS_CONTEXT_ROUNDS	4	/* rounds in a row there */
#define VBUS_WORKER_BUDGET	64	/* units the worker does between breaths */

#define VBUS_COUNTER(name)	{ #name, offsetof(struct vbus_lane_stats, name) }

const struct vbus_lane_counter vbus_lane_counters[] = {
	VBUS_COUNTER(in_context),
	VBUS_COUNTER(worker_rounds),
	VBUS_COUNTER(worker_wakes),
	VBUS_COUNTER(kicks),
	VBUS_COUNTER(arms),
	VBUS_COUNTER(batches),
	VBUS_COUNTER(signals),
	VBUS_COUNTER(coalesced),
	VBUS_COUNTER(interrupts),
	VBUS_COUNTER(outranked),
	VBUS_COUNTER(held),
	VBUS_COUNTER(hold_saved),
	VBUS_COUNTER(held_ns),
	VBUS_COUNTER(spins_won),
	VBUS_COUNTER(spins_lost),
	VBUS_COUNTER(naps_won),
	VBUS_COUNTER(naps_lost),
	VBUS_COUNTER(refused),
};
const unsigned int vbus_lane_ncounters = ARRAY_SIZE(vbus_lane_counters);
static_assert(sizeof(struct vbus_lane_stats) ==
	      sizeof(u64) * (1 + ARRAY_SIZE(vbus_lane_counters)));

/*
 * Become the owner, unless there is one or somebody wants the lane quiet.
 *
 * J: test_and_set_bit() is a full barrier.  It orders the doorbell's PENDING
 * before the look at OWNED; pairs with I.
 */
static bool vbus_lane_own(struct vbus_lane *lane)
{
	return !atomic_read(&lane->pauses) &&
	       !test_and_set_bit(VBUS_LANE_OWNED, &lane->state);
}

/*
 * Give up ownership.  Returns false if the caller is owner again because a
 * doorbell came in the meantime.
 */
static bool vbus_lane_disown(struct vbus_lane *lane)
{
	clear_bit_unlock(VBUS_LANE_OWNED, &lane->state);
	/*
	 * I: orders the release before the looks at @pauses and PENDING; pairs
	 * with J in vbus_lane_own() and K in vbus_lane_pause().
	 */
	smp_mb__after_atomic();
	if (atomic_read(&lane->pauses)) {
		wake_up(&lane->idle);
		return true;
	}
	return !test_bit(VBUS_LANE_PENDING, &lane->state) ||
	       !vbus_lane_own(lane);
}

/* The queue that signals with @id has work. */
static void vbus_lane_ready(struct vbus_lane *lane, u32 id)
{
	struct vbus_queue *q = rcu_dereference_bh(lane->bus->signal[id]);

	if (q && q->lane == lane && q->live && list_empty(&q->node))
		list_add_tail(&q->node, &lane->ready);
}

/* Queues that the host's own side wants served. */
static void vbus_lane_take_woken(struct vbus_lane *lane)
{
	unsigned long id;

	if (!test_bit(VBUS_LANE_WOKEN, &lane->state))
		return;
	clear_bit(VBUS_LANE_WOKEN, &lane->state);
	/* P: orders the clearing before the look at @woken; pairs with Q */
	smp_mb__after_atomic();
	for_each_set_bit(id, lane->woken, VBUS_EVQ_SLOTS_MAX) {
		clear_bit(id, lane->woken);
		vbus_lane_ready(lane, id);
	}
}

static void vbus_lane_take(struct vbus_lane *lane)
{
	u16 ids[VBUS_LANE_BATCH];
	u32 i, n;

	n = vbus_evq_take(&lane->g2h, ids, ARRAY_SIZE(ids));
	lane->stats.kicks += n;
	if (n)
		trace_vbus_kicks(lane, n);
	for (i = 0; i < n; i++)
		vbus_lane_ready(lane, ids[i]);
}

/*
 * Serve for about @budget units, the queues in turn.  Bottom halves are off;
 * by the owner.  Returns true if there is more to do.
 */
static bool vbus_lane_round(struct vbus_lane *lane, int budget)
{
	struct vbus_queue *q;
	int quota, done;

	if (!test_bit(VBUS_LANE_LIVE, &lane->state))
		return false;
	vbus_lane_take(lane);
	vbus_lane_take_woken(lane);
	while (budget > 0) {
		q = list_first_entry_or_null(&lane->ready, struct vbus_queue,
					     node);
		if (!q)
			break;
		list_del_init(&q->node);
		quota = min(budget, vbus_lane_gives_way(lane) ?
				    VBUS_QUEUE_HASTE : VBUS_QUEUE_QUOTA);
		done = q->ops->service(q, quota);
		if (done >= quota)
			list_add_tail(&q->node, &lane->ready);
		budget -= max(done, 1);
		if (vbus_lane_gives_way(lane))
			break;
	}
	return !list_empty(&lane->ready) || vbus_lane_has_work(lane);
}

/* By the owner, who found nothing to do.  Returns false if there is now. */
static bool vbus_lane_arm(struct vbus_lane *lane)
{
	if (!test_bit(VBUS_LANE_LIVE, &lane->state))
		return true;
	lane->stats.arms++;
	trace_vbus_arm(lane);
	return vbus_evq_arm(&lane->g2h);
}

static void vbus_lane_begin_round(struct vbus_lane *lane)
{
	clear_bit(VBUS_LANE_PENDING, &lane->state);
	/*
	 * N: orders the clearing before the looks at the event queue; pairs with
	 * C in evq.h, which orders the guest's entry before its doorbell, and so
	 * before PENDING.  Without it a doorbell could be cleared whose entry was
	 * not seen.
	 */
	smp_mb__after_atomic();
}

/* Bottom-half context, on the CPU that took the doorbell. */
static void vbus_lane_serve(struct work_struct *work)
{
	struct vbus_lane *lane = container_of(work, struct vbus_lane, serve);
	unsigned int rounds = 0;
	bool bulk;

	if (!vbus_lane_own(lane)) {
		/*
		 * The owner may be a worker that naps; the guest's signals it sees.
		 * W: wake_up_process() is a full barrier.  It orders WOKEN before the
		 * look whether the worker sleeps; pairs with V in vbus_lane_nap().
		 */
		if (test_bit(VBUS_LANE_WOKEN, &lane->state))
			wake_up_process(lane->worker);
		return;
	}
	do {
		vbus_lane_begin_round(lane);
		lane->stats.in_context++;
		bulk = rounds ? vbus_lane_is_bulk(lane) : vbus_lane_woken(lane);
		/* a guest that only rings must not keep this CPU either */
		if (bulk || ++rounds > VBUS_CONTEXT_ROUNDS ||
		    (rounds > 1 && vbus_lane_gives_way(lane)) ||
		    vbus_lane_round(lane, VBUS_CONTEXT_BUDGET) ||
		    !vbus_lane_arm(lane)) {
			lane->stats.worker_wakes++;
			trace_vbus_hand_over(lane);
			set_bit(VBUS_LANE_WORKER, &lane->state);
			wake_up_process(lane->worker);
			return;
		}
		vbus_lane_idle(lane);
	} while (!vbus_lane_disown(lane));
}

/* The worker owns the lane: serve until there is nothing left. */
static void vbus_lane_work(struct vbus_lane *lane)
{
	bool more;

	vbus_lane_running(lane);
	do {
		vbus_lane_begin_round(lane);
		do {
			local_bh_disable();
			lane->stats.worker_rounds++;
			more = vbus_lane_round(lane, VBUS_WORKER_BUDGET);
			local_bh_enable();
			vbus_lane_breathe(lane);
			cond_resched();
		} while (!atomic_read(&lane->pauses) &&
			 (more || vbus_lane_wait(lane) ||
			  !vbus_lane_arm(lane)));
	} while (!vbus_lane_disown(lane));
}

static int vbus_lane_worker(void *arg)
{
	struct vbus_lane *lane = arg;

	while (!kthread_should_stop()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!test_bit(VBUS_LANE_WORKER, &lane->state)) {
			if (!kthread_should_stop())
				schedule();
			__set_current_state(TASK_RUNNING);
			continue;
		}
		__set_current_state(TASK_RUNNING);
		clear_bit(VBUS_LANE_WORKER, &lane->state);
		vbus_lane_work(lane);
	}
	return 0;
}

static void vbus_lane_kick(struct irq_work *work)
{
	struct vbus_lane *lane = container_of(work, struct vbus_lane, kick);

	queue_work(lane->priority ? system_bh_highpri_wq : system_bh_wq,
		   &lane->serve);
}

/* Have somebody look at the lane.  Any context. */
static void vbus_lane_rouse(struct vbus_lane *lane)
{
	set_bit(VBUS_LANE_PENDING, &lane->state);
	if (test_bit(VBUS_LANE_LIVE, &lane->state))
		irq_work_queue(&lane->kick);
}

/**
 * vbus_lane_doorbell() - the guest rang
 * @lane:	lane
 *
 * Any context, interrupts off or on.  An eventfd's lock may be held, under
 * which no other eventfd can be signalled, so nothing is done here yet.
 */
void vbus_lane_doorbell(struct vbus_lane *lane)
{
	atomic64_inc(&lane->stats.doorbells);
	trace_vbus_doorbell(lane);
	vbus_lane_rouse(lane);
}
EXPORT_SYMBOL_GPL(vbus_lane_doorbell);

/**
 * vbus_lane_wake() - have a queue served that the guest did not signal
 * @lane:	lane
 * @sig:	the queue's signal id, smaller than VBUS_EVQ_SLOTS_MAX
 *
 * Any context but NMI, under rcu_read_lock().  If the lane is paused or not live
 * the queue is served when it goes on.
 */
void vbus_lane_wake(struct vbus_lane *lane, u32 sig)
{
	set_bit(sig, lane->woken);
	/*
	 * Q: test_and_set_bit() is a full barrier.  It orders the id before
	 * WOKEN; pairs with P.  Whoever finds WOKEN set is served by the round
	 * that the one who set it has seen to.
	 */
	if (test_and_set_bit(VBUS_LANE_WOKEN, &lane->state))
		return;
	vbus_lane_rouse(lane);
}
EXPORT_SYMBOL_GPL(vbus_lane_wake);

/**
 * vbus_lane_pause() - take the lane away from the data path
 * @lane:	lane
 *
 * Sleeps until the present owner lets go, which it does after at most one
 * round.  The caller is the owner until vbus_lane_unpause().
 */
void vbus_lane_pause(struct vbus_lane *lane)
{
	lockdep_assert_held(&lane->bus->lock);
	atomic_inc(&lane->pauses);
	/* K: orders @pauses before the look at OWNED; pairs with I */
	smp_mb__after_atomic();
	wait_event(lane->idle,
		   !test_and_set_bit(VBUS_LANE_OWNED, &lane->state));
}

void vbus_lane_unpause(struct vbus_lane *lane)
{
	lockdep_assert_held(&lane->bus->lock);
	atomic_dec(&lane->pauses);
	clear_bit_unlock(VBUS_LANE_OWNED, &lane->state);
	/* doorbells that came meanwhile found an owner who did not look */
	vbus_lane_rouse(lane);
}

/**
 * vbus_lane_begin() - new event queues, at position 0
 * @lane:	paused lane
 * @slots:	slots of each queue
 *
 * Return: 0 or -ENOMEM.
 */
int vbus_lane_begin(struct vbus_lane *lane, u32 slots)
{
	lane->last = kvcalloc(slots, sizeof(*lane->last), GFP_KERNEL_ACCOUNT);
	if (!lane->last)
		return -ENOMEM;
	vbus_evq_prod_init(&lane->h2g, NULL, slots, lane->last);
	vbus_evq_cons_init(&lane->g2h, NULL, slots);
	return 0;
}

void vbus_lane_end(struct vbus_lane *lane)
{
	kvfree(lane->last);
	lane->last = NULL;
}

/**
 * vbus_lane_map() - make a paused lane live
 * @lane:	lane after vbus_lane_begin(); positions are kept
 * @mem:	guest memory
 * @h2g:	guest address of the host-to-guest queue
 * @g2h:	guest address of the guest-to-host queue
 * @slots:	slots of each
 *
 * Return: 0, -EFAULT or -ENOMEM.
 */
int vbus_lane_map(struct vbus_lane *lane, const struct vbus_mem *mem,
		  u64 h2g, u64 g2h, u32 slots)
{
	int err;

	err = vbus_map(mem, h2g, VBUS_EVQ_BYTES(slots), &lane->map[0]);
	if (err)
		return err;
	err = vbus_map(mem, g2h, VBUS_EVQ_BYTES(slots), &lane->map[1]);
	if (err) {
		vbus_unmap(&lane->map[0]);
		return err;
	}
	lane->h2g.q = lane->map[0].kva;
	lane->g2h.q = lane->map[1].kva;
	set_bit(VBUS_LANE_LIVE, &lane->state);
	return 0;
}

/* Undo vbus_lane_map().  The lane is paused; may sleep. */
void vbus_lane_unmap(struct vbus_lane *lane)
{
	if (!test_and_clear_bit(VBUS_LANE_LIVE, &lane->state))
		return;
	/* no pusher that saw LIVE is left, and no doorbell is on its way */
	synchronize_rcu();
	irq_work_sync(&lane->kick);
	cancel_work_sync(&lane->serve);
	vbus_lane_hold_stop(lane);
	vbus_lane_moderate_stop(lane);
	vbus_unmap(&lane->map[0]);
	vbus_unmap(&lane->map[1]);
}

/**
 * vbus_lane_place_worker() - let the worker run where the bus says
 * @lane:	lane
 *
 * CPUs may have gone meanwhile: then it stays where it is allowed to be.
 */
void vbus_lane_place_worker(struct vbus_lane *lane)
{
	lockdep_assert_held(&lane->bus->owner_lock);
	set_cpus_allowed_ptr(lane->worker, lane->bus->cpus);
}

/**
 * vbus_lane_init() - make a lane; it starts paused and not live
 * @lane:	zeroed memory
 * @bus:	its bus
 * @index:	its number
 */
int vbus_lane_init(struct vbus_lane *lane, struct vbus_bus *bus,
		   unsigned int index)
{
	lane->bus = bus;
	lane->index = index;
	lane->state = BIT(VBUS_LANE_OWNED);
	atomic_set(&lane->pauses, 1);
	INIT_LIST_HEAD(&lane->ready);
	spin_lock_init(&lane->push_lock);
	init_waitqueue_head(&lane->idle);
	init_irq_work(&lane->kick, vbus_lane_kick);
	INIT_WORK(&lane->serve, vbus_lane_serve);
	vbus_lane_hold_init(lane);
	vbus_lane_rank(lane);
	lane->worker = kthread_create(vbus_lane_worker, lane, "vbus/%s/%u",
				      bus->name, index);
	if (IS_ERR(lane->worker))
		return PTR_ERR(lane->worker);
	vbus_lane_rank_worker(lane);
	mutex_lock(&bus->owner_lock);
	vbus_lane_place_worker(lane);
	mutex_unlock(&bus->owner_lock);
	wake_up_process(lane->worker);
	return 0;
}

/* The lane is paused and not live. */
void vbus_lane_exit(struct vbus_lane *lane)
{
	irq_work_sync(&lane->kick);
	cancel_work_sync(&lane->serve);
	if (!IS_ERR_OR_NULL(lane->worker))
		kthread_stop(lane->worker);
	vbus_lane_end(lane);
}
