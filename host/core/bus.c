// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buses and the connectors that offer them to guests.
 *
 * Locking: vbus_config_lock for everything but what vbus_host.h says about
 * bus->lock.
 */
#define pr_fmt(fmt) "vbus: " fmt

#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "core.h"

/* Topology and configuration; see vbus_host.h. */
DEFINE_MUTEX(vbus_config_lock);
EXPORT_SYMBOL_GPL(vbus_config_lock);

#define VBUS_CONNECTORS_MAX	4

/* Defaults of the bus's attributes; docs/performance.md says why. */
#define VBUS_SPIN_US		400
#define VBUS_NAP_US		25
#define VBUS_HOLD_US		2000
#define VBUS_BULK_BYTES		8192

/* Protects vbus_connectors; leaf lock, so that modules may load meanwhile. */
static DEFINE_MUTEX(vbus_connector_lock);
static const struct vbus_connector_ops *vbus_connectors[VBUS_CONNECTORS_MAX];

/**
 * vbus_connector_register() - offer a way to join guests to buses
 * @ops:	stays valid until vbus_connector_unregister()
 *
 * Return: 0 or -ENOSPC.
 */
int vbus_connector_register(const struct vbus_connector_ops *ops)
{
	int i, err = -ENOSPC;

	mutex_lock(&vbus_connector_lock);
	for (i = 0; i < VBUS_CONNECTORS_MAX && err; i++) {
		if (vbus_connectors[i])
			continue;
		vbus_connectors[i] = ops;
		err = 0;
	}
	mutex_unlock(&vbus_connector_lock);
	return err;
}
EXPORT_SYMBOL_GPL(vbus_connector_register);

/* No enabled bus uses it: each holds a reference of the module. */
void vbus_connector_unregister(const struct vbus_connector_ops *ops)
{
	int i;

	mutex_lock(&vbus_connector_lock);
	for (i = 0; i < VBUS_CONNECTORS_MAX; i++)
		if (vbus_connectors[i] == ops)
			vbus_connectors[i] = NULL;
	mutex_unlock(&vbus_connector_lock);
}
EXPORT_SYMBOL_GPL(vbus_connector_unregister);

static const struct vbus_connector_ops *vbus_connector_try_get(const char *name)
{
	const struct vbus_connector_ops *ops = NULL;
	int i;

	mutex_lock(&vbus_connector_lock);
	for (i = 0; i < VBUS_CONNECTORS_MAX && !ops; i++)
		if (vbus_connectors[i] &&
		    !strcmp(vbus_connectors[i]->name, name) &&
		    try_module_get(vbus_connectors[i]->owner))
			ops = vbus_connectors[i];
	mutex_unlock(&vbus_connector_lock);
	return ops;
}

static const struct vbus_connector_ops *vbus_connector_get(const char *name)
{
	const struct vbus_connector_ops *ops = vbus_connector_try_get(name);

	if (ops)
		return ops;
	request_module("vbus-connector-%s", name);
	return vbus_connector_try_get(name);
}

/**
 * vbus_bus_alloc() - make an inert bus of one lane
 * @name:	shorter than VBUS_NAME_LEN
 */
struct vbus_bus *vbus_bus_alloc(const char *name)
{
	struct vbus_bus *bus = kvzalloc(sizeof(*bus), GFP_KERNEL);

	if (!bus)
		return NULL;
	if (!alloc_cpumask_var(&bus->cpus, GFP_KERNEL)) {
		kvfree(bus);
		return NULL;
	}
	cpumask_copy(bus->cpus, cpu_possible_mask);
	strscpy(bus->name, name, sizeof(bus->name));
	/* a guest takes no more than it has CPUs, of which a host rarely has fewer */
	bus->lanes = min(num_online_cpus(), VBUS_LANES_MAX);
	bus->cgroup = true;
	bus->spin_us = VBUS_SPIN_US;
	bus->nap_us = VBUS_NAP_US;
	bus->hold_us = VBUS_HOLD_US;
	bus->bulk_bytes = VBUS_BULK_BYTES;
	mutex_init(&bus->lock);
	mutex_init(&bus->owner_lock);
	return bus;
}

/* The bus is not enabled and nothing is plugged in. */
void vbus_bus_free(struct vbus_bus *bus)
{
	mutex_destroy(&bus->owner_lock);
	mutex_destroy(&bus->lock);
	free_cpumask_var(bus->cpus);
	kvfree(bus);
}

static void vbus_bus_free_lanes(struct vbus_bus *bus, unsigned int n)
{
	while (n--)
		vbus_lane_exit(&bus->lane[n]);
	kvfree(bus->lane);
	bus->lane = NULL;
}

static int vbus_bus_alloc_lanes(struct vbus_bus *bus)
{
	unsigned int i;
	int err;

	bus->lane = kvcalloc(bus->lanes, sizeof(*bus->lane), GFP_KERNEL);
	if (!bus->lane)
		return -ENOMEM;
	for (i = 0; i < bus->lanes; i++) {
		err = vbus_lane_init(&bus->lane[i], bus, i);
		if (err) {
			vbus_bus_free_lanes(bus, i);
			return err;
		}
	}
	return 0;
}

/**
 * vbus_bus_enable() - offer a bus to guests
 * @bus:	bus
 *
 * Return: 0, -EBUSY if it is enabled, -EINVAL without lanes, -ENOMEM, or what
 * the connector says.
 */
int vbus_bus_enable(struct vbus_bus *bus)
{
	int err;

	lockdep_assert_held(&vbus_config_lock);
	if (bus->enabled)
		return -EBUSY;
	if (!bus->lanes) {
		pr_warn("bus %s: cannot be enabled without lanes\n", bus->name);
		return -EINVAL;
	}
	bus->conn = vbus_connector_get("vdpa");
	if (!bus->conn) {
		pr_warn("bus %s: connector module vbus_vdpa is not available\n",
			bus->name);
		return -ENODEV;
	}
	err = vbus_bus_alloc_lanes(bus);
	if (err)
		goto err_put_connector;
	err = bus->conn->enable(bus);
	if (err)
		goto err_free_lanes;
	vbus_debugfs_add(bus);
	bus->enabled = true;
	return 0;

err_free_lanes:
	vbus_bus_free_lanes(bus, bus->lanes);
err_put_connector:
	module_put(bus->conn->owner);
	bus->conn = NULL;
	return err;
}

/**
 * vbus_bus_disable() - withdraw a bus
 * @bus:	bus
 *
 * vbus_config_lock is given up meanwhile: the connector may have to wait for a
 * program.
 *
 * Return: 0, -EBUSY while a guest is attached or somebody else disables it,
 * -EINTR if killed while waiting; the bus is on its way out then, and disabling
 * it again waits for the rest.
 */
int vbus_bus_disable(struct vbus_bus *bus)
{
	int err;

	lockdep_assert_held(&vbus_config_lock);
	if (!bus->enabled)
		return 0;
	if (bus->disabling)
		return -EBUSY;
	bus->disabling = true;
	mutex_unlock(&vbus_config_lock);
	err = bus->conn->disable(bus);
	mutex_lock(&vbus_config_lock);
	bus->disabling = false;
	if (err)
		return err;
	vbus_session_set_mem(bus, NULL);
	/* the data path of devices that are plugged in may still look */
	synchronize_rcu();
	vbus_debugfs_remove(bus);
	vbus_bus_free_lanes(bus, bus->lanes);
	module_put(bus->conn->owner);
	bus->conn = NULL;
	bus->enabled = false;
	return 0;
}

/**
 * vbus_bus_set_cpus() - say where the workers may run
 * @bus:	bus
 * @cpus:	CPUs
 *
 * At any time; workers that exist move at once.
 *
 * Return: 0, or -EINVAL if none of the CPUs is online: nothing changes.
 */
int vbus_bus_set_cpus(struct vbus_bus *bus, const struct cpumask *cpus)
{
	unsigned int i;

	lockdep_assert_held(&vbus_config_lock);
	if (!cpumask_intersects(cpus, cpu_online_mask))
		return -EINVAL;
	mutex_lock(&bus->owner_lock);
	cpumask_copy(bus->cpus, cpus);
	for (i = 0; bus->lane && i < bus->lanes; i++)
		vbus_lane_place_worker(&bus->lane[i]);
	mutex_unlock(&bus->owner_lock);
	return 0;
}

/**
 * vbus_bus_changed() - tell the guest that the devices have changed
 * @bus:	bus
 *
 * May sleep.
 */
void vbus_bus_changed(struct vbus_bus *bus)
{
	mutex_lock(&bus->lock);
	if (bus->running) {
		local_bh_disable();
		vbus_lane_signal(&bus->lane[0], VBUS_SIGNAL_BUS);
		local_bh_enable();
	}
	mutex_unlock(&bus->lock);
}
