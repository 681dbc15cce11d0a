// SPDX-License-Identifier: GPL-2.0-only
/*
 * Priorities of lanes: which lane a device is bound to, and who gives way.
 *
 * A lane is awake from the first poll after an interrupt until it arms again:
 * while signals are taken, and while a device of the lane polls.  A CPU's active
 * priority is the highest among the lanes that are awake on it; the host sees it
 * (ring/active.h) and does not interrupt the CPU for a lane that is not above.
 * Such a lane stays armed with a signal in its queue.
 *
 * Why no signal is lost:
 *   - A lane that goes to sleep lowers its CPU's word, if it was the one that
 *     held it up, and looks at every lane of that CPU that was kept quiet and
 *     need not be any more.  Then it arms itself and looks once more; it was not
 *     armed while it held the word up, so it cannot keep itself quiet.
 *   - The lanes of a CPU are those that were polled there last: each poll takes
 *     the lane over, before it arms and looks.  So an interrupt that is moved to
 *     another CPU may be kept back by the old one once, and is found by it.
 *
 * Why no lane waits for ever: while a CPU is awake each poll of a device looks at
 * the lanes of at least the same priority on that CPU, and once in a jiffy at all
 * of them.  A lane of a lower priority that is found so gets one turn.
 *
 * All of it sleeps while all lanes have priority 0.
 */
#include <linux/bitops.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include "active.h"
#include "guest.h"

/* The CPU's word, or NULL: it has none, and is always interrupted. */
static struct vbus_cpu *prio_cpu(struct vbus_guest *guest)
{
	unsigned int cpu = smp_processor_id();

	return cpu < VBUS_ACTIVE_WORDS ? &guest->cpu[cpu] : NULL;
}

static struct vbus_active *prio_word(struct vbus_guest *guest,
				     const struct vbus_cpu *cpu)
{
	struct vbus_active *words = guest->active.va;

	return &words[cpu - guest->cpu];
}

static u32 prio_highest_locked(const struct vbus_cpu *cpu)
{
	u32 active;

	lockdep_assert_held(&cpu->lock);
	for (active = VBUS_PRIORITY_MAX + 1; active; active--)
		if (cpu->awake[active - 1])
			break;
	return active;
}

/* Find work of the lanes in @mask as if their interrupts had come. */
static void prio_look(struct vbus_guest *guest, unsigned long mask)
{
	struct vbus_lane *lane;
	u32 i;

	for_each_set_bit(i, &mask, VBUS_LANES_MAX) {
		lane = &guest->lane[i];
		/* racy on purpose: whoever polls it looks for itself */
		if (!data_race(vbus_evq_ready(&lane->cons)))
			continue;
		/* a statistic, so a lost count does no harm */
		data_race(lane->outranked++);
		/*
		 * Also if it is scheduled: its poll may be past its last look,
		 * and NAPI takes note (NAPI_STATE_MISSED).
		 */
		vbus_guest_lane_schedule(lane);
	}
}

/* The lane does not hold up its CPU's word any more.  It is not armed. */
static void prio_sleep(struct vbus_lane *lane)
{
	struct vbus_guest *guest = lane->guest;
	struct vbus_cpu *cpu = lane->cpu;
	unsigned long mask = 0;
	u32 active;

	if (!lane->awake)
		return;
	lane->awake = false;
	spin_lock_bh(&cpu->lock);
	cpu->awake[lane->priority]--;
	active = prio_highest_locked(cpu);
	if (active < cpu->active) {
		cpu->active = active;
		vbus_active_lower(prio_word(guest, cpu), active);
		/* those that were kept quiet before and are not now */
		mask = cpu->lanes & ~BIT(lane->index);
		if (active)
			mask &= guest->above[active - 1];
	}
	spin_unlock_bh(&cpu->lock);
	prio_look(guest, mask);
}

/* The lane is polled on @cpu from now on.  It is not armed. */
static void prio_move(struct vbus_lane *lane, struct vbus_cpu *cpu)
{
	struct vbus_cpu *old = lane->cpu;

	if (old) {
		prio_sleep(lane);
		spin_lock_bh(&old->lock);
		WRITE_ONCE(old->lanes, old->lanes & ~BIT(lane->index));
		spin_unlock_bh(&old->lock);
	}
	WRITE_ONCE(lane->cpu, cpu);
	if (cpu) {
		spin_lock_bh(&cpu->lock);
		WRITE_ONCE(cpu->lanes, cpu->lanes | BIT(lane->index));
		spin_unlock_bh(&cpu->lock);
	}
	/*
	 * After it became one of the CPU's lanes, and before it arms: D in
	 * shm_signal_arm() orders this before the second look, see active.h.
	 */
	ring_store32(&lane->cons.q->active, cpu ? cpu - lane->guest->cpu + 1 : 0);
}

/**
 * vbus_prio_wake() - a lane is being polled
 * @lane:	lane, by its poll
 */
void vbus_prio_wake(struct vbus_lane *lane)
{
	struct vbus_cpu *cpu;

	/* O: the priorities are those that were ranked; pairs with Z in vbus_prio_attach() */
	if (!smp_load_acquire(&lane->guest->ranked))
		return;
	cpu = prio_cpu(lane->guest);
	if (lane->cpu != cpu)
		prio_move(lane, cpu);
	if (lane->awake || !cpu)
		return;
	lane->awake = true;
	spin_lock_bh(&cpu->lock);
	cpu->awake[lane->priority]++;
	if (lane->priority + 1 > cpu->active) {
		cpu->active = lane->priority + 1;
		vbus_active_raise(prio_word(lane->guest, cpu), cpu->active);
		lane->raised++;
	}
	spin_unlock_bh(&cpu->lock);
}

/**
 * vbus_prio_sleep() - a lane is about to be armed
 * @lane:	lane, by its poll: it is empty and no device of it polls
 */
void vbus_prio_sleep(struct vbus_lane *lane)
{
	prio_sleep(lane);
}

/* For vbus_guest_poll_begin(): look at the other lanes of this CPU. */
void __vbus_guest_prio_peek(struct vbus_lane *lane, struct vbus_cpu *cpu)
{
	struct vbus_guest *guest = lane->guest;
	unsigned long mask = READ_ONCE(cpu->lanes) & ~BIT(lane->index);
	u32 i;

	if (time_after(jiffies, READ_ONCE(cpu->looked)))
		WRITE_ONCE(cpu->looked, jiffies);
	else if (lane->priority)
		/* equals, and those above */
		mask &= guest->above[lane->priority - 1];
	for_each_set_bit(i, &mask, VBUS_LANES_MAX)
		vbus_guest_lane_peek(&guest->lane[i]);
}
EXPORT_SYMBOL_GPL(__vbus_guest_prio_peek);

/* For vbus_guest_higher_ready(): is there something to do for one of @mask? */
bool __vbus_guest_any_ready(struct vbus_guest *guest, unsigned long mask)
{
	struct vbus_lane *lane;
	u32 i;

	for_each_set_bit(i, &mask, VBUS_LANES_MAX) {
		lane = &guest->lane[i];
		vbus_guest_lane_peek(lane);
		/* its own poll is due, or one of its devices' */
		if (test_bit(NAPI_STATE_SCHED, &lane->napi.state) ||
		    atomic_read(&lane->busy) > 0)
			return true;
	}
	return false;
}
EXPORT_SYMBOL_GPL(__vbus_guest_any_ready);

/**
 * vbus_guest_lanes_of() - how many lanes a device of some priority may use
 * @vdev:	device
 * @priority:	what it wants
 *
 * Return: number of lanes of that priority; if there is none, of the nearest
 * lower one that there is; else of the lowest one.
 */
u32 vbus_guest_lanes_of(const struct vbus_device *vdev, u32 priority)
{
	struct vbus_guest *guest = vdev->guest;
	u32 best = vbus_guest_lane_pick(vdev, priority, 0)->priority;
	u32 i, n = 0;

	for (i = 0; i < guest->nlanes; i++)
		n += guest->lane[i].priority == best;
	return n;
}
EXPORT_SYMBOL_GPL(vbus_guest_lanes_of);

/**
 * vbus_guest_lane_pick() - a lane for a queue of a device
 * @vdev:	device
 * @priority:	what it wants
 * @n:		number of the lane among those of its priority; it wraps
 *
 * Return: see vbus_guest_lanes_of() for its priority.
 */
struct vbus_lane *vbus_guest_lane_pick(const struct vbus_device *vdev,
				       u32 priority, u32 n)
{
	struct vbus_guest *guest = vdev->guest;
	u32 lowest = VBUS_PRIORITY_MAX, best = 0, i, lanes = 0;
	bool found = false;

	for (i = 0; i < guest->nlanes; i++) {
		lowest = min(lowest, guest->lane[i].priority);
		if (guest->lane[i].priority > priority)
			continue;
		best = max(best, guest->lane[i].priority);
		found = true;
	}
	if (!found)
		best = lowest;
	for (i = 0; i < guest->nlanes; i++)
		lanes += guest->lane[i].priority == best;
	n %= lanes;
	for (i = 0; i < guest->nlanes - 1; i++)
		if (guest->lane[i].priority == best && !n--)
			break;
	return &guest->lane[i];
}
EXPORT_SYMBOL_GPL(vbus_guest_lane_pick);

/**
 * vbus_prio_attach() - take over the priorities that the host gave
 * @guest:	bus; HELLO was answered
 *
 * Return: 0, or -EPROTO: the host says nonsense.
 */
int vbus_prio_attach(struct vbus_guest *guest)
{
	const struct vbus_bus_page *page = guest->bus_page.va;
	u32 priority[VBUS_LANES_MAX], highest = 0;
	u32 i, j;

	for (i = 0; i < guest->nlanes; i++) {
		priority[i] = ring_load32(&page->lane[i].priority);
		if (priority[i] > VBUS_PRIORITY_MAX)
			return -EPROTO;
		highest = max(highest, priority[i]);
	}
	memset(guest->above, 0, sizeof(guest->above));
	for (i = 0; i < guest->nlanes; i++) {
		guest->lane[i].priority = priority[i];
		for (j = 0; j < priority[i]; j++)
			guest->above[j] |= BIT(i);
	}
	/* Z: orders them before @ranked; pairs with O in vbus_prio_wake(): lanes may be polled already */
	smp_store_release(&guest->ranked, highest > 0);
	return 0;
}

/* No lane runs and the host is not attached: as at the beginning. */
void vbus_prio_reset(struct vbus_guest *guest)
{
	u32 i;

	guest->ranked = false;
	for (i = 0; i < guest->nlanes; i++) {
		guest->lane[i].awake = false;
		guest->lane[i].cpu = NULL;
		guest->lane[i].priority = 0;
	}
	for (i = 0; i < VBUS_ACTIVE_WORDS; i++) {
		memset(guest->cpu[i].awake, 0, sizeof(guest->cpu[i].awake));
		guest->cpu[i].active = 0;
		guest->cpu[i].lanes = 0;
		guest->cpu[i].looked = jiffies;
	}
	memset(guest->active.va, 0, guest->active.size);
}

int vbus_prio_init(struct vbus_guest *guest)
{
	int err;
	u32 i;

	BUILD_BUG_ON(VBUS_LANES_MAX > BITS_PER_LONG);
	guest->cpu = kcalloc(VBUS_ACTIVE_WORDS, sizeof(*guest->cpu), GFP_KERNEL);
	if (!guest->cpu)
		return -ENOMEM;
	err = vbus_mem_alloc(guest, &guest->active,
			     VBUS_ACTIVE_WORDS * sizeof(struct vbus_active));
	if (err) {
		kfree(guest->cpu);
		guest->cpu = NULL;
		return err;
	}
	for (i = 0; i < VBUS_ACTIVE_WORDS; i++)
		spin_lock_init(&guest->cpu[i].lock);
	return 0;
}

void vbus_prio_exit(struct vbus_guest *guest)
{
	vbus_mem_free(guest, &guest->active);
	kfree(guest->cpu);
}
