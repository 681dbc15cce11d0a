// SPDX-License-Identifier: GPL-2.0-only
/*
 * Before sleep: what a lane tells the host, and for how long it looks for signals.
 *
 * A CPU that is awake need not be interrupted: whatever it does, it will be done
 * with it, and then it can look for signals itself.  So a lane that is armed and has
 * run empty says that it is awake (vbus_evq_stay_awake()): the host may hold its
 * interrupt back for a bounded time.  When its CPU has nothing else to do (idle.c) the
 * lane takes that back (vbus_evq_doze()) and looks once more; only then the CPU sleeps.
 * Bulk data is so received in batches, while the program that wants it is busy
 * with the last one, and an answer that comes before the program has begun to wait
 * for it costs no interrupt.  When a CPU that slept transmits it is awake again.
 *
 * Spinning: when a lane has run empty and nothing else wants its CPU, look for the
 * host's next signal for a moment instead of halting.  It saves the exit of the
 * halt, the interrupt, and the host the wake-up.  The idle task takes the lane's NAPI
 * instance, so that nobody else polls, disarms the lane, and looks until there is a
 * signal, until the time is up, or until anybody wants the CPU; it schedules the
 * poll in any case, which takes what there is and arms.  So the lane is unarmed
 * only while somebody looks at it.
 *
 * But not while bulk data moves, either way: there is always something soon, so it would
 * pay each time, as it is reckoned here, and keep on paying.  What is found is one frame
 * where a CPU that slept would find a batch: a stream to the guest took more than twice
 * as many signals, and was a fifth slower, whenever it fell into that.
 *
 * How long: as long as a sleep costs.  That is what a timer comes late when the
 * CPU slept, which is measured, and what raising the interrupt costs the host,
 * which it tells.  So it never costs more than twice what the best choice would
 * have.  And only if it has paid lately: each wait is reckoned as what it cost, or
 * would have cost, with spinning, and the average must be less than a sleep's.  A CPU
 * without idle accounting (nohz=off) never spins.
 */
#include <linux/hrtimer.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sort.h>
#include <linux/tick.h>
#include "guest.h"

#define SPIN_AVERAGE	8			/* waits that the average remembers */
#define SPIN_BULK	(HZ / 10)		/* jiffies that bulk data is remembered for */
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

	return min(READ_ONCE(lane->guest->sleep_ns) + interrupt, cap);
}

static u64 spin_cpu_idle_us(void)
{
	return get_cpu_idle_time_us(smp_processor_id(), NULL);
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
	vbus_idle_join(lane);
	/* if it has just been looked at in vain, the CPU sleeps next */
	spin_stay_awake(lane, !lane->spin.after && vbus_idle_asks(lane));
}

/**
 * vbus_spin_idle() - the lane is armed and has nothing to do
 * @lane:	lane, in its poll
 */
void vbus_spin_idle(struct vbus_lane *lane)
{
	struct vbus_spin *spin = &lane->spin;

	if (spin->after)
		spin->after = false;
	else
		spin->spent_ns = 0;
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
	if (vbus_idle_asks(lane))
		spin_stay_awake(lane, true);
}
EXPORT_SYMBOL_GPL(__vbus_guest_lane_stir);

/* A wait of @ns ended: would spinning have been, or was it, the better choice? */
static void spin_learn(struct vbus_lane *lane, u64 ns)
{
	struct vbus_spin *spin = &lane->spin;
	u32 sleep = spin_max(lane);
	int cost = ns < sleep ? ns : 2 * sleep;

	spin->cost_ns += (cost - (int)spin->cost_ns) / SPIN_AVERAGE;
	WRITE_ONCE(spin->ns, spin->cost_ns < sleep ? sleep : 0);
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

/**
 * vbus_spin_window() - for how long a look before sleep pays, ns
 * @lane:	lane
 *
 * Any context.  Return: 0: it has not paid lately, or bulk data moves.
 */
u32 vbus_spin_window(const struct vbus_lane *lane)
{
	if (time_before(jiffies, READ_ONCE(lane->spin.bulk_at) + SPIN_BULK))
		return 0;
	return min(READ_ONCE(lane->spin.ns), spin_max(lane));
}

/**
 * vbus_spin_ended() - the CPU has looked for signals, and nobody else polled
 * @lane:	lane, its poll is scheduled next
 * @ns:		for how long
 * @up:		the time was up; else there was a signal, or somebody wants the CPU
 */
void vbus_spin_ended(struct vbus_lane *lane, u64 ns, bool up)
{
	struct vbus_spin *spin = &lane->spin;

	if (vbus_evq_ready(&lane->cons)) {
		spin->won++;
		spin_learn(lane, ns);
		return;
	}
	spin->lost++;
	spin->spent_ns = ns;
	/* if somebody wants the CPU it does not sleep yet */
	spin->after = up;
}

/**
 * vbus_spin_doze() - the lane's CPU sleeps next: say so, and look once more
 * @lane:	lane that said that it is awake
 *
 * On that CPU, bottom halves off.  As far as we know: if the CPU does something else
 * after all, an interrupt comes.
 */
void vbus_spin_doze(struct vbus_lane *lane)
{
	/* the poll of this CPU says what it says before, or after */
	WRITE_ONCE(lane->spin.awake, false);
	/* a poll on another CPU may take the entry meanwhile */
	if (!data_race(vbus_evq_doze(&lane->cons)))
		vbus_guest_lane_schedule(lane);
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
	WRITE_ONCE(guest->sleep_ns, spin_sleep_cost());
	for (i = 0; i < guest->nlanes; i++) {
		struct vbus_lane *lane = &guest->lane[i];

		spin_lock_irqsave(&lane->lock, flags);
		vbus_evq_tell_cost(&lane->prod, guest->doorbell_ns);
		spin_unlock_irqrestore(&lane->lock, flags);
	}
}

void vbus_spin_init(struct vbus_lane *lane)
{
	/* long ago */
	WRITE_ONCE(lane->spin.bulk_at, jiffies - 2 * SPIN_BULK);
}
