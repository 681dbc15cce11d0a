// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who pays for the workers: the process that uses the bus, a VMM.
 *
 * As vhost does, the workers join all cgroups of that process, so that its limits
 * of CPU time and its cpuset hold for what is done in its name.  What the
 * administrator said of their CPUs (bus->cpus) goes before the cpuset.
 *
 * Locking: bus->owner_lock.  Not vbus_config_lock: whoever holds that may have to wait
 * for a worker of another VMM, and that VMM's cgroup may keep it from running.
 */
#define pr_fmt(fmt) "vbus: " fmt

#include <linux/cgroup.h>
#include <linux/cpumask.h>
#include <linux/sched/task.h>

#include "core.h"

static int vbus_workers_join(struct vbus_bus *bus, struct task_struct *whose)
{
	unsigned int i;
	int err = 0;

	lockdep_assert_held(&bus->owner_lock);
	for (i = 0; !err && i < bus->lanes; i++)
		err = cgroup_attach_task_all(whose, bus->lane[i].worker);
	/* the cpuset has decided where they run, if nobody else has */
	if (!cpumask_equal(bus->cpus, cpu_possible_mask))
		for (i = 0; i < bus->lanes; i++)
			vbus_lane_place_worker(&bus->lane[i]);
	return err;
}

/**
 * vbus_bus_adopt() - the calling process uses the bus from now on
 * @bus:	enabled
 *
 * Its workers join the caller's cgroups, unless the bus says that the host pays.
 * Process context; vbus_config_lock and bus->lock are not held.  May be called again.
 *
 * Return: 0, or what the cgroups said: the workers are the host's still.
 */
int vbus_bus_adopt(struct vbus_bus *bus)
{
	int err = 0;

	mutex_lock(&bus->owner_lock);
	if (bus->cgroup && !bus->adopted) {
		err = vbus_workers_join(bus, current);
		if (err)
			vbus_workers_join(bus, &init_task);
		else
			bus->adopted = true;
	}
	mutex_unlock(&bus->owner_lock);
	return err;
}
EXPORT_SYMBOL_GPL(vbus_bus_adopt);

/**
 * vbus_bus_orphan() - nobody uses the bus any more
 * @bus:	enabled
 *
 * Its workers go back to the host's cgroups.  Context as above; may be called
 * without vbus_bus_adopt().
 */
void vbus_bus_orphan(struct vbus_bus *bus)
{
	mutex_lock(&bus->owner_lock);
	if (bus->adopted && vbus_workers_join(bus, &init_task))
		pr_warn_ratelimited("bus %s: workers stay in the cgroup of the last guest\n",
				    bus->name);
	bus->adopted = false;
	mutex_unlock(&bus->owner_lock);
}
EXPORT_SYMBOL_GPL(vbus_bus_orphan);
