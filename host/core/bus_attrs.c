// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attributes of a bus in configfs: docs/administration.md.
 *
 * As in configfs.c they parse, take vbus_config_lock, call the core and return.
 * Those of moderation may be written at any time and take no lock.
 */
#include <linux/cpumask.h>
#include <linux/slab.h>

#include "core.h"

static ssize_t vbus_bus_enable_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", to_vbus_bus(item)->enabled);
}

static int vbus_bus_item_enable(struct config_item *item)
{
	return vbus_bus_enable(to_vbus_bus(item));
}

static int vbus_bus_item_disable(struct config_item *item)
{
	return vbus_bus_disable(to_vbus_bus(item));
}

static ssize_t vbus_bus_enable_store(struct config_item *item,
				     const char *page, size_t count)
{
	return vbus_enable_store(item, page, count, &to_vbus_bus(item)->enabled,
				 vbus_bus_item_enable, vbus_bus_item_disable);
}

CONFIGFS_ATTR(vbus_bus_, enable);

static ssize_t vbus_bus_lanes_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%u\n", to_vbus_bus(item)->lanes);
}

static ssize_t vbus_bus_lanes_store(struct config_item *item, const char *page,
				    size_t count)
{
	struct vbus_bus *bus = to_vbus_bus(item);
	unsigned int lanes;
	int err;

	err = kstrtouint(page, 0, &lanes);
	if (err)
		return err;
	if (lanes > VBUS_LANES_MAX)
		return -ERANGE;
	mutex_lock(&vbus_config_lock);
	if (bus->enabled)
		err = -EBUSY;
	else
		bus->lanes = lanes;
	mutex_unlock(&vbus_config_lock);
	return err ?: count;
}

CONFIGFS_ATTR(vbus_bus_, lanes);

static ssize_t vbus_bus_priorities_show(struct config_item *item, char *page)
{
	struct vbus_bus *bus = to_vbus_bus(item);
	unsigned int i;
	ssize_t n = 0;

	mutex_lock(&vbus_config_lock);
	for (i = 0; i < bus->lanes; i++)
		n += sysfs_emit_at(page, n, "%s%u", i ? " " : "",
				   bus->priority[i]);
	mutex_unlock(&vbus_config_lock);
	return n + sysfs_emit_at(page, n, "\n");
}

/* A list of words, one for each lane; lanes that are not named get 0. */
static int vbus_parse_priorities(const char *page, u8 *priority)
{
	char *list, *rest, *word;
	unsigned int n = 0;
	int err = 0;

	list = kstrdup(page, GFP_KERNEL);
	if (!list)
		return -ENOMEM;
	rest = list;
	while (!err && (word = strsep(&rest, " \t\n")) != NULL) {
		if (!*word)
			continue;
		if (n == VBUS_LANES_MAX)
			err = -ERANGE;
		else
			err = kstrtou8(word, 0, &priority[n]);
		if (!err && priority[n++] > VBUS_PRIORITY_MAX)
			err = -ERANGE;
	}
	kfree(list);
	return err;
}

static ssize_t vbus_bus_priorities_store(struct config_item *item,
					 const char *page, size_t count)
{
	u8 priority[VBUS_LANES_MAX] = {};
	struct vbus_bus *bus = to_vbus_bus(item);
	int err;

	err = vbus_parse_priorities(page, priority);
	if (err)
		return err;
	mutex_lock(&vbus_config_lock);
	if (bus->enabled)
		err = -EBUSY;
	else
		memcpy(bus->priority, priority, sizeof(priority));
	mutex_unlock(&vbus_config_lock);
	return err ?: count;
}

CONFIGFS_ATTR(vbus_bus_, priorities);

/* What is fixed while the bus is enabled. */
static ssize_t vbus_bus_store_bool(struct vbus_bus *bus, const char *page,
				   size_t count, bool *to)
{
	bool value;
	int err;

	err = kstrtobool(page, &value);
	if (err)
		return err;
	mutex_lock(&vbus_config_lock);
	if (bus->enabled)
		err = -EBUSY;
	else
		*to = value;
	mutex_unlock(&vbus_config_lock);
	return err ?: count;
}

#define VBUS_BUS_BOOL(name)						\
static ssize_t vbus_bus_##name##_show(struct config_item *item,		\
				      char *page)			\
{									\
	return sysfs_emit(page, "%d\n", to_vbus_bus(item)->name);	\
}									\
									\
static ssize_t vbus_bus_##name##_store(struct config_item *item,	\
				       const char *page, size_t count)	\
{									\
	struct vbus_bus *bus = to_vbus_bus(item);			\
									\
	return vbus_bus_store_bool(bus, page, count, &bus->name);	\
}									\
									\
CONFIGFS_ATTR(vbus_bus_, name)

VBUS_BUS_BOOL(rt);
VBUS_BUS_BOOL(cgroup);

static ssize_t vbus_bus_cpus_show(struct config_item *item, char *page)
{
	struct vbus_bus *bus = to_vbus_bus(item);
	ssize_t n;

	mutex_lock(&vbus_config_lock);
	n = cpumap_print_to_pagebuf(true, page, bus->cpus);
	mutex_unlock(&vbus_config_lock);
	return n;
}

static ssize_t vbus_bus_cpus_store(struct config_item *item, const char *page,
				   size_t count)
{
	cpumask_var_t cpus;
	int err;

	if (!alloc_cpumask_var(&cpus, GFP_KERNEL))
		return -ENOMEM;
	err = cpulist_parse(page, cpus);
	if (!err) {
		mutex_lock(&vbus_config_lock);
		err = vbus_bus_set_cpus(to_vbus_bus(item), cpus);
		mutex_unlock(&vbus_config_lock);
	}
	free_cpumask_var(cpus);
	return err ?: count;
}

CONFIGFS_ATTR(vbus_bus_, cpus);

/* Attributes of moderation may change at any time. */
static ssize_t vbus_store_uint(const char *page, size_t count, unsigned int *to,
			       unsigned int max)
{
	unsigned int value;
	int err;

	err = kstrtouint(page, 0, &value);
	if (err)
		return err;
	if (value > max)
		return -ERANGE;
	WRITE_ONCE(*to, value);
	return count;
}

#define VBUS_BUS_UINT(name, max)					\
static ssize_t vbus_bus_##name##_show(struct config_item *item,		\
				      char *page)			\
{									\
	return sysfs_emit(page, "%u\n", to_vbus_bus(item)->name);	\
}									\
									\
static ssize_t vbus_bus_##name##_store(struct config_item *item,	\
				       const char *page, size_t count)	\
{									\
	return vbus_store_uint(page, count, &to_vbus_bus(item)->name,	\
			       max);					\
}									\
									\
CONFIGFS_ATTR(vbus_bus_, name)

VBUS_BUS_UINT(spin_us, 10000);
VBUS_BUS_UINT(nap_us, 10000);
VBUS_BUS_UINT(hold_us, 10000);
VBUS_BUS_UINT(bulk_bytes, UINT_MAX);

static ssize_t vbus_bus_address_show(struct config_item *item, char *page)
{
	struct vbus_bus *bus = to_vbus_bus(item);
	ssize_t ret;

	mutex_lock(&vbus_config_lock);
	ret = bus->enabled && !bus->disabling ?
	      bus->conn->address(bus, page) : sysfs_emit(page, "\n");
	mutex_unlock(&vbus_config_lock);
	return ret;
}

CONFIGFS_ATTR_RO(vbus_bus_, address);

static ssize_t vbus_bus_state_show(struct config_item *item, char *page)
{
	struct vbus_bus *bus = to_vbus_bus(item);
	const char *state;

	mutex_lock(&vbus_config_lock);
	state = bus->enabled ? "enabled" : "inert";
	mutex_unlock(&vbus_config_lock);
	/* not inside: it may be held for as long as the guest's cgroup lets a worker wait */
	mutex_lock(&bus->lock);
	if (bus->running)
		state = "attached";
	else if (bus->session)
		state = "suspended";
	mutex_unlock(&bus->lock);
	return sysfs_emit(page, "%s\n", state);
}

CONFIGFS_ATTR_RO(vbus_bus_, state);

static ssize_t vbus_bus_memory_show(struct config_item *item, char *page)
{
	struct vbus_bus *bus = to_vbus_bus(item);
	size_t size;

	mutex_lock(&bus->lock);
	size = vbus_mem_size(bus->mem);
	mutex_unlock(&bus->lock);
	return sysfs_emit(page, "%zu\n", size);
}

CONFIGFS_ATTR_RO(vbus_bus_, memory);

/* A line of names, and one of numbers for each lane: it must fit in a page. */
static ssize_t vbus_bus_stats_show(struct config_item *item, char *page)
{
	struct vbus_bus *bus = to_vbus_bus(item);
	unsigned int i, j;
	ssize_t n;

	n = sysfs_emit(page, "lane doorbells");
	for (j = 0; j < vbus_lane_ncounters; j++)
		n += sysfs_emit_at(page, n, " %s", vbus_lane_counters[j].name);
	n += sysfs_emit_at(page, n, "\n");
	mutex_lock(&vbus_config_lock);
	for (i = 0; bus->enabled && i < bus->lanes; i++) {
		const struct vbus_lane_stats *s = &bus->lane[i].stats;

		n += sysfs_emit_at(page, n, "%u %lld", i,
				   atomic64_read(&s->doorbells));
		for (j = 0; j < vbus_lane_ncounters; j++)
			n += sysfs_emit_at(page, n, " %llu",
					   vbus_lane_count(s, &vbus_lane_counters[j]));
		n += sysfs_emit_at(page, n, "\n");
	}
	mutex_unlock(&vbus_config_lock);
	return n;
}

CONFIGFS_ATTR_RO(vbus_bus_, stats);

/* What moderation has measured and learnt, in nanoseconds; a table as above. */
static ssize_t vbus_bus_costs_show(struct config_item *item, char *page)
{
	struct vbus_bus *bus = to_vbus_bus(item);
	unsigned int i;
	ssize_t n;

	n = sysfs_emit(page, "lane doorbell_ns wake_ns raise_ns spin_ns\n");
	mutex_lock(&vbus_config_lock);
	for (i = 0; bus->enabled && i < bus->lanes; i++) {
		const struct vbus_lane *lane = &bus->lane[i];

		n += sysfs_emit_at(page, n, "%u %u %u %u %u\n", i,
				   READ_ONCE(lane->doorbell_ns),
				   READ_ONCE(lane->wake_ns),
				   READ_ONCE(lane->raise_ns),
				   READ_ONCE(lane->spin_ns));
	}
	mutex_unlock(&vbus_config_lock);
	return n;
}

CONFIGFS_ATTR_RO(vbus_bus_, costs);

struct configfs_attribute *vbus_bus_attrs[] = {
	&vbus_bus_attr_enable,
	&vbus_bus_attr_lanes,
	&vbus_bus_attr_priorities,
	&vbus_bus_attr_rt,
	&vbus_bus_attr_cgroup,
	&vbus_bus_attr_cpus,
	&vbus_bus_attr_spin_us,
	&vbus_bus_attr_nap_us,
	&vbus_bus_attr_hold_us,
	&vbus_bus_attr_bulk_bytes,
	&vbus_bus_attr_address,
	&vbus_bus_attr_state,
	&vbus_bus_attr_memory,
	&vbus_bus_attr_stats,
	&vbus_bus_attr_costs,
	NULL,
};
