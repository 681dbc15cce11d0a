// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting before sleep: when a lane has run empty and nothing else wants its
 * CPU, look for the host's next signal for a moment instead of halting.  It
 * saves the exit of the halt, the interrupt, and the host the wake-up.
 *
 * Each lane has a thread of the lowest weight.  The lane is armed as ever, and
 * the thread woken: it runs when the CPU has nothing better to do.  Then it takes
 * the lane's NAPI instance, so that nobody else polls, disarms the lane, and
 * looks until there is a signal, until the time is up, or until anybody wants the
 * CPU; it schedules the poll in any case, which takes what there is and arms.
 * So the lane is unarmed only while somebody looks at it.
 *
 * How long: as long as a sleep costs.  That is what a timer comes late when the
 * CPU slept, which is measured, and what raising the interrupt costs the host,
 * which it tells.  So it never costs more than twice what the best choice would
 * have.  And only if it has paid lately: each wait is reckoned as what it cost, or
 * would have cost, with spinning, and the average must be less than a sleep's.  Else
 * the thread looks once, and leaves the lane armed: the host may hold an interrupt
 * back because the CPU was busy.  A CPU without idle accounting (nohz=off) never
 * spins.
 */
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/stat.h>
#include <linux/sort.h>
#include <linux/tick.h>
#include "guest.h"

#define SPIN_AVERAGE	8			/* waits that the average remembers */
#define COST_MAX_NS	(1u * NSEC_PER_MSEC)	/* beyond this it is chance */
#define CALIBRATIONS	64			/* doorbells to find their cost */
#define SLEEPS		15			/* sleeps to find theirs */
#define SLEEP_NS	(100 * NSEC_PER_USEC)	/* enough for the CPU to halt */

/* The longest spin that can pay. */
static u32 spin_max(const struct vbus_lane *lane)
{
	u32 cap = READ_ONCE(lane->guest->spin_us) * NSEC_PER_USEC;
	/* the host's word, read once; a lie costs otherwise idle time */
	u32 interrupt = min(vbus_evq_cost(&lane->cons), COST_MAX_NS);

	return min(lane->guest->sleep_ns + interrupt, cap);
}

static u64 spin_cpu_idle_us(void)
{
	return get_cpu_idle_time_us(smp_processor_id(), NULL);
}

/**
 * vbus_spin_idle() - the lane is armed and has nothing to do
 * @lane:	lane, in its poll
 */
void vbus_spin_idle(struct vbus_lane *lane)
{
	struct vbus_spin *spin = &lane->spin;

	if (spin->after) {	/* the thread has just given up */
		spin->after = false;
	} else {
		spin->spent_ns = 0;
		if (READ_ONCE(lane->guest->spin_us)) {
			spin->cpu = smp_processor_id();
			WRITE_ONCE(spin->wanted, true);
			wake_up_process(spin->task);
		}
	}
	spin->idle_us = spin_cpu_idle_us();
}

/* A wait of @ns ended: would spinning have been, or was it, the better choice? */
static void spin_learn(struct vbus_lane *lane, u64 ns)
{
	struct vbus_spin *spin = &lane->spin;
	u32 sleep = spin_max(lane);
	int cost = ns < sleep ? ns : 2 * sleep;

	spin->cost_ns += (cost - (int)spin->cost_ns) / SPIN_AVERAGE;
	spin->ns = spin->cost_ns < sleep ? sleep : 0;
}

/**
 * vbus_spin_woken() - an interrupt ended the lane's sleep
 * @lane:	lane, in its poll
 */
void vbus_spin_woken(struct vbus_lane *lane)
{
	struct vbus_spin *spin = &lane->spin;
	u64 idle_us = spin_cpu_idle_us() - spin->idle_us;

	/* busy, or nothing is known: spinning was not possible */
	if (idle_us || spin->spent_ns)
		spin_learn(lane, idle_us * NSEC_PER_USEC + spin->spent_ns);
}

/* Nothing else runs on this CPU; preemption is off. */
static void spin_look(struct vbus_lane *lane)
{
	struct vbus_spin *spin = &lane->spin;
	u64 start = local_clock(), spent = 0;
	u32 window = min(spin->ns, spin_max(lane));

	vbus_evq_disarm(&lane->cons);
	while (spent < window && !need_resched()) {
		if (vbus_evq_ready(&lane->cons)) {
			spin->won++;
			spin_learn(lane, spent);
			return;
		}
		cpu_relax();
		spent = local_clock() - start;
	}
	spin->lost++;
	spin->spent_ns = spent;
	spin->after = true;
}

static void spin_once(struct vbus_lane *lane)
{
	bool own;

	/* follow the lane's interrupt; the CPU may be gone, then do without */
	if (READ_ONCE(lane->spin.cpu) != raw_smp_processor_id())
		set_cpus_allowed_ptr(current, cpumask_of(lane->spin.cpu));
	if (!READ_ONCE(lane->spin.ns)) {
		/* one look is cheap: an interrupt may be held back from us */
		vbus_guest_lane_peek(lane);
		return;
	}
	preempt_disable();
	own = single_task_running() && napi_schedule_prep(&lane->napi);
	if (own) {
		spin_look(lane);
		/*
		 * Before anybody else may have the CPU: nobody polls the lane
		 * until this has come to pass.
		 */
		local_bh_disable();
		__napi_schedule(&lane->napi);
	}
	preempt_enable();
	if (own)
		local_bh_enable();
	cond_resched();
}

static int spin_thread(void *arg)
{
	struct vbus_lane *lane = arg;

	sched_set_normal(current, MAX_NICE);
	while (!kthread_should_stop()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!READ_ONCE(lane->spin.wanted)) {
			if (!kthread_should_stop())
				schedule();
			__set_current_state(TASK_RUNNING);
			continue;
		}
		__set_current_state(TASK_RUNNING);
		WRITE_ONCE(lane->spin.wanted, false);
		spin_once(lane);
	}
	return 0;
}

/* The shortest of many: the others were disturbed. */
static u32 spin_doorbell_cost(struct vbus_guest *guest)
{
	u64 start, best = COST_MAX_NS;
	u32 i;

	for (i = 0; i < CALIBRATIONS && READ_ONCE(guest->live); i++) {
		preempt_disable();
		start = local_clock();
		guest->ops->doorbell(guest, 0);
		best = min(best, local_clock() - start);
		preempt_enable();
		cond_resched();
	}
	return best;
}

static int spin_compare(const void *a, const void *b)
{
	return *(const u32 *)a < *(const u32 *)b ? -1 : 1;
}

/* The median of a few: some found the CPU awake, others had to wait for it. */
static u32 spin_sleep_cost(void)
{
	u32 late[SLEEPS], i;
	ktime_t start, timeout;

	for (i = 0; i < SLEEPS; i++) {
		start = ktime_get();
		timeout = ns_to_ktime(SLEEP_NS);
		set_current_state(TASK_UNINTERRUPTIBLE);
		schedule_hrtimeout(&timeout, HRTIMER_MODE_REL);
		late[i] = clamp_t(s64, ktime_to_ns(ktime_sub(ktime_get(), start)) -
				  SLEEP_NS, 0, COST_MAX_NS);
	}
	sort(late, SLEEPS, sizeof(*late), spin_compare, NULL);
	return late[SLEEPS / 2];
}

/**
 * vbus_spin_calibrate() - find out what things cost here, and tell the host
 * @guest:	bus, attached
 *
 * Process context, sleeps for milliseconds.  The host looks at its queue in vain
 * some times.
 */
void vbus_spin_calibrate(struct vbus_guest *guest)
{
	unsigned long flags;
	u32 i;

	guest->doorbell_ns = spin_doorbell_cost(guest);
	guest->sleep_ns = spin_sleep_cost();
	for (i = 0; i < guest->nlanes; i++) {
		struct vbus_lane *lane = &guest->lane[i];

		spin_lock_irqsave(&lane->lock, flags);
		vbus_evq_tell_cost(&lane->prod, guest->doorbell_ns);
		spin_unlock_irqrestore(&lane->lock, flags);
	}
}

int vbus_spin_init(struct vbus_lane *lane)
{
	struct task_struct *task;

	task = kthread_run(spin_thread, lane, "vbus%d/%u", lane->guest->id,
			   lane->index);
	if (IS_ERR(task))
		return PTR_ERR(task);
	lane->spin.task = task;
	return 0;
}

void vbus_spin_exit(struct vbus_lane *lane)
{
	kthread_stop(lane->spin.task);
}
