// SPDX-License-Identifier: GPL-2.0-only
/*
 * Before sleep: look for the host's signals once more, or for a moment.
 *
 * A CPU that is awake need not be interrupted: whatever it does, it will be done
 * with it, and then it can look for signals itself.  So each lane has a thread
 * that runs when its CPU has nothing else to do.  A lane that is armed and has run
 * empty wakes the thread, and says that it is awake (vbus_evq_stay_awake()): the
 * host may hold its interrupt back for a bounded time.  When the thread runs it
 * takes that back (vbus_evq_doze()) and looks once more; only then the CPU sleeps.
 * Bulk data is so received in batches, while the program that wants it is busy
 * with the last one, and an answer that comes before the program has begun to wait
 * for it costs no interrupt.  When a CPU that slept transmits it is awake again.
 *
 * Not while bulk data is received, if there are other CPUs.  To them it looks as if the
 * program that receives it shared its CPU with the thread, which waits for it; when one
 * of them is idle the load balancer pulls the program over, away from its packets, some
 * 50 times a second.  That costs more than the interrupts do.
 *
 * Spinning: when a lane has run empty and nothing else wants its CPU, look for the
 * host's next signal for a moment instead of halting.  It saves the exit of the
 * halt, the interrupt, and the host the wake-up.  The thread takes the lane's NAPI
 * instance, so that nobody else polls, disarms the lane, and looks until there is a
 * signal, until the time is up, or until anybody wants the CPU; it schedules the
 * poll in any case, which takes what there is and arms.  So the lane is unarmed
 * only while somebody looks at it.
 *
 * How long: as long as a sleep costs.  That is what a timer comes late when the
 * CPU slept, which is measured, and what raising the interrupt costs the host,
 * which it tells.  So it never costs more than twice what the best choice would
 * have.  And only if it has paid lately: each wait is reckoned as what it cost, or
 * would have cost, with spinning, and the average must be less than a sleep's.  A CPU
 * without idle accounting (nohz=off) never spins.
 */
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/stat.h>
#include <linux/sort.h>
#include <linux/tick.h>
#include <uapi/linux/sched/types.h>
#include "guest.h"

#define SPIN_AVERAGE	8			/* waits that the average remembers */
#define SPIN_BULK	(HZ / 10)		/* jiffies that bulk data is remembered for */
#define COST_MAX_NS	(1u * NSEC_PER_MSEC)	/* beyond this it is chance */
#define CALIBRATIONS	64			/* doorbells to find their cost */
#define SLEEPS		15			/* sleeps to find theirs */
#define SLEEP_NS	(100 * NSEC_PER_USEC)	/* enough for the CPU to halt */

/* May the thread be woken? */
static bool spin_welcome(const struct vbus_lane *lane)
{
	return num_online_cpus() == 1 ||
	       time_after(jiffies, READ_ONCE(lane->spin.bulk_at) + SPIN_BULK);
}

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

static void spin_wake(struct vbus_lane *lane)
{
	WRITE_ONCE(lane->spin.wanted, true);
	wake_up_process(lane->spin.task);
}

static void spin_stay_awake(struct vbus_lane *lane, bool awake)
{
	WRITE_ONCE(lane->spin.awake, awake);
	vbus_evq_stay_awake(&lane->cons, awake);
}

/**
 * vbus_spin_arming() - the lane is about to be armed
 * @lane:	lane, in its poll
 */
void vbus_spin_arming(struct vbus_lane *lane)
{
	struct vbus_spin *spin = &lane->spin;

	/* if the thread has just given up, the CPU sleeps next */
	spin->stay = !spin->after && spin_welcome(lane);
	spin_stay_awake(lane, spin->stay);
}

/**
 * vbus_spin_idle() - the lane is armed and has nothing to do
 * @lane:	lane, in its poll
 */
void vbus_spin_idle(struct vbus_lane *lane)
{
	struct vbus_spin *spin = &lane->spin;

	if (spin->after) {
		spin->after = false;
	} else {
		spin->spent_ns = 0;
		WRITE_ONCE(spin->cpu, smp_processor_id());
		if (spin->stay)
			spin_wake(lane);
	}
	spin->idle_us = spin_cpu_idle_us();
}

/**
 * __vbus_guest_lane_stir() - the lane's CPU is awake again
 * @lane:	lane that had dozed off
 *
 * Bottom halves are off.
 */
void __vbus_guest_lane_stir(struct vbus_lane *lane)
{
	/* netconsole may be here with the scheduler's locks held */
	if (irqs_disabled() ||
	    READ_ONCE(lane->spin.cpu) != smp_processor_id() ||
	    !spin_welcome(lane))
		return;
	spin_stay_awake(lane, true);
	spin_wake(lane);
}
EXPORT_SYMBOL_GPL(__vbus_guest_lane_stir);

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
	/* if somebody wants the CPU it does not sleep yet */
	spin->after = spent >= window;
}

/* The CPU has nothing to do, as far as we know; if it has, an interrupt comes. */
static void spin_doze(struct vbus_lane *lane)
{
	bool ready;

	/* the poll of this CPU says what it says before, or after */
	local_bh_disable();
	WRITE_ONCE(lane->spin.awake, false);
	/* a poll on another CPU may take the entry meanwhile */
	ready = !data_race(vbus_evq_doze(&lane->cons));
	local_bh_enable();
	if (ready)
		vbus_guest_lane_schedule(lane);
}

static void spin_once(struct vbus_lane *lane)
{
	unsigned int cpu = READ_ONCE(lane->spin.cpu);
	bool own;

	/* follow the lane's interrupt; the CPU may be gone, then do without */
	if (cpu != raw_smp_processor_id())
		set_cpus_allowed_ptr(current, cpumask_of(cpu));
	preempt_disable();
	/*
	 * Who else may run: the threads of other lanes, or anybody, since our share
	 * of the CPU is next to nothing, but not nothing.
	 */
	if (!READ_ONCE(lane->spin.ns) || !single_task_running()) {
		preempt_enable();
		spin_doze(lane);
		return;
	}
	/* if it is scheduled already, that poll arms, and wakes us again */
	own = napi_schedule_prep(&lane->napi);
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
}

static int spin_thread(void *arg)
{
	const struct sched_attr attr = { .sched_policy = SCHED_IDLE };
	struct vbus_lane *lane = arg;

	if (sched_setattr_nocheck(current, &attr))
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
		/*
		 * What was found may have been polled for just now, in our context, and
		 * have woken a program and us: that is first, the CPU does not sleep yet.
		 */
		cond_resched();
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

	/* long ago */
	WRITE_ONCE(lane->spin.bulk_at, jiffies - 2 * SPIN_BULK);
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
