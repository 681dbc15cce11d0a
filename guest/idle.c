// SPDX-License-Identifier: GPL-2.0-only
/*
 * Before a CPU sleeps its lanes look for the host's signals once more, or for a moment.
 *
 * When a CPU has nothing else to do the scheduler switches to its idle task, which has
 * a preempt notifier of ours.  It asks the lanes that were polled on the CPU last and
 * that say that they are awake (spin.c says what for, and for how long to look).  If a
 * signal is found it is polled for, and if that wakes a program the idle task yields to
 * it, and we are here again when it waits.  Else the CPU sleeps.
 *
 * Not a thread of the class SCHED_IDLE, which would run at that moment, too: while a
 * program runs, such a thread waits for the program's CPU.  To the load balancer of
 * another CPU, which is idle, there are two tasks, and it takes one of them over, in
 * the end the program, away from its packets.
 *
 * A notifier can be registered for the current task only.  A poll, or a timer that it
 * sets, finds itself on the idle task soon; until then the CPU's lanes do not say that
 * they are awake.  With threaded interrupts (threadirqs) no softirq ever does.
 *
 * What the scheduler does not tell: the idle task was asked to reschedule, and there was
 * no other to run, since another CPU was faster, or since it was asked for a timer's or
 * RCU's sake.  Nor is a CPU asked that goes offline, or that a thread keeps idle
 * (play_idle()), or that a lane has left while it transmitted there.  Then a lane says
 * that it is awake, and is not: the host interrupts after a bounded time, and the next
 * poll knows better.
 */
#include <linux/cpu.h>
#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include "guest.h"
#include "compat/guest.h"

#define IDLE_SPINS	64	/* one after the other, if each finds a signal */

/**
 * struct vbus_idle - a CPU that may go idle
 * @notifier:	of its idle task
 * @timer:	to find the idle task at work
 * @notified:	@notifier is registered.  This and @spinning: the CPU itself, with
 *		bottom halves off or in its idle task; and the module's end
 * @spinning:	the idle task will ask the lanes again before the CPU sleeps
 * @lock:	protects @lanes, and whether a lane is one of them.  Bottom halves off.
 *		Leaf, but for what napi_schedule() takes
 * @lanes:	lanes that were polled here last
 */
struct vbus_idle {
	struct preempt_notifier notifier;
	struct timer_list timer;
	bool notified;
	bool spinning;
	spinlock_t lock;
	struct list_head lanes;
};

static DEFINE_PER_CPU(struct vbus_idle, vbus_idle);

/* The last look: who says that it is awake takes it back. */
static void idle_doze(struct vbus_idle *idle)
{
	struct vbus_lane *lane;

	/* what is found is polled for when bottom halves are on again */
	spin_lock_bh(&idle->lock);
	list_for_each_entry(lane, &idle->lanes, spin.member)
		if (READ_ONCE(lane->spin.awake))
			vbus_spin_doze(lane);
	spin_unlock_bh(&idle->lock);
}

/*
 * Take all lanes that are awake, if one of them wants to look for more than once, so
 * that nobody else polls them; chained by @next.  Return: how long to look, ns.
 */
static u32 idle_take(struct vbus_idle *idle, struct vbus_lane **first)
{
	struct vbus_lane *lane;
	u32 window = 0;

	*first = NULL;
	spin_lock_bh(&idle->lock);
	list_for_each_entry(lane, &idle->lanes, spin.member)
		if (READ_ONCE(lane->spin.awake))
			window = max(window, vbus_spin_window(lane));
	if (!window)
		goto out;
	list_for_each_entry(lane, &idle->lanes, spin.member) {
		/* one that is scheduled already arms, or not, in that poll */
		if (!READ_ONCE(lane->spin.awake) || !napi_schedule_prep(&lane->napi))
			continue;
		vbus_evq_disarm(&lane->cons);
		lane->spin.next = *first;
		*first = lane;
	}
out:
	spin_unlock_bh(&idle->lock);
	return window;
}

static bool idle_any_ready(const struct vbus_lane *lane)
{
	for (; lane; lane = lane->spin.next)
		if (vbus_evq_ready(&lane->cons))
			return true;
	return false;
}

/*
 * Look for as long as that pays, or until anybody wants the CPU.  Preemption is off;
 * bottom halves are on, so that other devices' do not wait.  Return: it was worth it,
 * ask the lanes again.
 */
static bool idle_spin(struct vbus_idle *idle)
{
	struct vbus_lane *first, *lane, *next;
	u64 start, spent = 0;
	bool ready = false;
	u32 window;

	window = idle_take(idle, &first);
	if (!first)
		return false;
	start = local_clock();
	while (spent < window && !need_resched()) {
		ready = idle_any_ready(first);
		if (ready)
			break;
		cpu_relax();
		spent = local_clock() - start;
	}
	local_bh_disable();
	for (lane = first; lane; lane = next) {
		/* it may be taken again as soon as it is polled */
		next = lane->spin.next;
		vbus_spin_ended(lane, spent, spent >= window);
		__napi_schedule(&lane->napi);
	}
	local_bh_enable();
	return ready;
}

/* Interrupts are on, preemption is off; no lock of the scheduler's is held. */
static void idle_sched_in(struct preempt_notifier *notifier, int cpu)
{
	struct vbus_idle *idle = container_of(notifier, struct vbus_idle, notifier);
	unsigned int spins = 0;

	/* what is polled for on a CPU that dies may start timers that die with it */
	if (list_empty(&idle->lanes) || cpu_is_offline(cpu))
		return;
	idle->spinning = true;
	while (!need_resched() && spins++ < IDLE_SPINS && idle_spin(idle))
		;
	idle->spinning = false;
	/*
	 * Orders that before the look, for bottom halves of this CPU: one that comes from
	 * here on is told by vbus_idle_asks() that the CPU sleeps next.
	 */
	barrier();
	if (!need_resched())
		idle_doze(idle);
}

static void idle_sched_out(struct preempt_notifier *notifier,
			   struct task_struct *next)
{
}

static struct preempt_ops idle_ops = {
	.sched_in = idle_sched_in,
	.sched_out = idle_sched_out,
};

/**
 * vbus_idle_leave() - the lane is asked no more
 * @lane:	lane; nobody else polls it
 *
 * Process context or bottom half.
 */
void vbus_idle_leave(struct vbus_lane *lane)
{
	struct vbus_idle *idle = lane->spin.idle;

	if (!idle)
		return;
	spin_lock_bh(&idle->lock);
	list_del(&lane->spin.member);
	WRITE_ONCE(lane->spin.idle, NULL);
	spin_unlock_bh(&idle->lock);
}

/* In a bottom half of the CPU's. */
static void idle_register(struct vbus_idle *idle)
{
	/* not is_idle_task(): a thread that injects idle time is one, too, and may exit */
	if (idle->notified || task_pid_nr(current))
		return;
	preempt_notifier_register(&idle->notifier);
	idle->notified = true;
}

static void idle_timer(struct timer_list *timer)
{
	struct vbus_idle *idle = this_cpu_ptr(&vbus_idle);

	/*
	 * If it interrupted something else, or comes from a CPU that is offline, the
	 * next poll sets it again.
	 */
	if (timer == &idle->timer)
		idle_register(idle);
}

/**
 * vbus_idle_join() - the lane is asked before this CPU sleeps
 * @lane:	lane, in its poll
 */
void vbus_idle_join(struct vbus_lane *lane)
{
	struct vbus_idle *idle = this_cpu_ptr(&vbus_idle);

	if (lane->spin.idle != idle) {
		vbus_idle_leave(lane);
		spin_lock_bh(&idle->lock);
		list_add(&lane->spin.member, &idle->lanes);
		WRITE_ONCE(lane->spin.idle, idle);
		spin_unlock_bh(&idle->lock);
	}
	idle_register(idle);
	if (!idle->notified && !timer_pending(&idle->timer)) {
		idle->timer.expires = jiffies + 1;
		add_timer_on(&idle->timer, smp_processor_id());
	}
}

/**
 * vbus_idle_asks() - will the lane be asked before this CPU sleeps?
 * @lane:	lane
 *
 * Bottom halves are off.
 */
bool vbus_idle_asks(const struct vbus_lane *lane)
{
	const struct vbus_idle *idle = this_cpu_ptr(&vbus_idle);

	if (READ_ONCE(lane->spin.idle) != idle || !idle->notified)
		return false;
	return !is_idle_task(current) || need_resched() || idle->spinning;
}

/*
 * No lane is left.  A CPU walks the notifiers of its idle task when it switches to or
 * from it, with preemption off: not while it runs us, nor if it is offline.
 */
static long idle_forget(void *arg)
{
	struct vbus_idle *idle = arg;

	preempt_disable();
	if (idle->notified)
		preempt_notifier_unregister(&idle->notifier);
	idle->notified = false;
	preempt_enable();
	return 0;
}

/* When the module is loaded.  May sleep. */
void vbus_idle_init(void)
{
	struct vbus_idle *idle;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		idle = per_cpu_ptr(&vbus_idle, cpu);
		preempt_notifier_init(&idle->notifier, &idle_ops);
		timer_setup(&idle->timer, idle_timer, TIMER_PINNED);
		spin_lock_init(&idle->lock);
		INIT_LIST_HEAD(&idle->lanes);
	}
	preempt_notifier_inc();
}

/* When it is unloaded, and no lane is left.  May sleep. */
void vbus_idle_exit(void)
{
	struct vbus_idle *idle;
	unsigned int cpu;

	/* none registers after this: no lane is left to set them */
	for_each_possible_cpu(cpu)
		vbus_compat_timer_delete_sync(&per_cpu_ptr(&vbus_idle, cpu)->timer);
	cpus_read_lock();
	for_each_possible_cpu(cpu) {
		idle = per_cpu_ptr(&vbus_idle, cpu);
		if (cpu_online(cpu))
			work_on_cpu(cpu, idle_forget, idle);
		else
			idle_forget(idle);
	}
	cpus_read_unlock();
	preempt_notifier_dec();
}
