// SPDX-License-Identifier: GPL-2.0-only
/*
 * configfs: /sys/kernel/config/vbus.  See docs/administration.md.
 *
 *   devices/<class>/<device>/   mkdir makes one; attributes of the class
 *   buses/<bus>/                mkdir makes one; ln -s of a device plugs it
 *
 * Callbacks parse, take vbus_config_lock, call the core and return.  What is
 * enabled is pinned, so that its directory cannot be removed (-EBUSY).
 */
#define pr_fmt(fmt) "vbus: " fmt

#include <linux/slab.h>

#include "vbus_host.h"

static struct configfs_subsystem vbus_subsys;

/*
 * Store of an "enable" attribute: what is enabled is pinned, so that rmdir says
 * -EBUSY.  @disable does nothing to what is not enabled.
 */
static ssize_t vbus_enable_store(struct config_item *item, const char *page,
				 size_t count, const bool *enabled,
				 int (*enable)(struct config_item *item),
				 int (*disable)(struct config_item *item))
{
	bool on;
	int err;

	err = kstrtobool(page, &on);
	if (err)
		return err;
	mutex_lock(&vbus_config_lock);
	if (on) {
		err = configfs_depend_item_unlocked(&vbus_subsys, item);
		if (!err) {
			err = enable(item);
			if (err)
				configfs_undepend_item(item);
		}
	} else if (*enabled) {
		err = disable(item);
		if (!err)
			configfs_undepend_item(item);
	}
	mutex_unlock(&vbus_config_lock);
	return err ?: count;
}

/* ---------------------------------------------------------------- device */

static ssize_t vbus_device_enable_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", to_vbus_device(item)->enabled);
}

static int vbus_device_item_enable(struct config_item *item)
{
	return vbus_device_enable(to_vbus_device(item));
}

static int vbus_device_item_disable(struct config_item *item)
{
	vbus_device_disable(to_vbus_device(item));
	return 0;
}

static ssize_t vbus_device_enable_store(struct config_item *item,
					const char *page, size_t count)
{
	return vbus_enable_store(item, page, count,
				 &to_vbus_device(item)->enabled,
				 vbus_device_item_enable,
				 vbus_device_item_disable);
}

CONFIGFS_ATTR(vbus_device_, enable);

static ssize_t vbus_device_bus_show(struct config_item *item, char *page)
{
	struct vbus_device *dev = to_vbus_device(item);
	ssize_t ret;

	mutex_lock(&vbus_config_lock);
	ret = sysfs_emit(page, "%s\n", dev->bus ? dev->bus->name : "");
	mutex_unlock(&vbus_config_lock);
	return ret;
}

CONFIGFS_ATTR_RO(vbus_device_, bus);

static ssize_t vbus_device_slot_show(struct config_item *item, char *page)
{
	struct vbus_device *dev = to_vbus_device(item);
	ssize_t ret;

	mutex_lock(&vbus_config_lock);
	ret = dev->bus ? sysfs_emit(page, "%u\n", dev->slot) :
			 sysfs_emit(page, "\n");
	mutex_unlock(&vbus_config_lock);
	return ret;
}

CONFIGFS_ATTR_RO(vbus_device_, slot);

static ssize_t vbus_device_state_show(struct config_item *item, char *page)
{
	struct vbus_device *dev = to_vbus_device(item);
	const char *state = "inert";

	mutex_lock(&vbus_config_lock);
	if (dev->enabled)
		state = READ_ONCE(dev->opened) ? "open" : "enabled";
	mutex_unlock(&vbus_config_lock);
	return sysfs_emit(page, "%s\n", state);
}

CONFIGFS_ATTR_RO(vbus_device_, state);

static struct configfs_attribute *vbus_device_attrs[] = {
	&vbus_device_attr_enable,
	&vbus_device_attr_bus,
	&vbus_device_attr_slot,
	&vbus_device_attr_state,
	NULL,
};

static void vbus_device_release(struct config_item *item)
{
	struct vbus_device *dev = to_vbus_device(item);

	dev->ops->free(dev);
}

static struct configfs_item_operations vbus_device_item_ops = {
	.release = vbus_device_release,
};

/* ----------------------------------------------------------------- class */

/**
 * struct vbus_class_dir - directory of a class
 * @group:	configfs directory
 * @ops:	class, pinned
 * @type:	item type of its devices
 * @attrs:	common attributes and those of the class
 */
struct vbus_class_dir {
	struct config_group group;
	const struct vbus_class_ops *ops;
	struct config_item_type type;
	struct configfs_attribute *attrs[];
};

static struct vbus_class_dir *to_vbus_class_dir(struct config_item *item)
{
	return container_of(to_config_group(item), struct vbus_class_dir,
			    group);
}

static struct config_group *vbus_device_make(struct config_group *group,
					     const char *name)
{
	struct vbus_class_dir *dir = to_vbus_class_dir(&group->cg_item);
	struct vbus_device *dev;

	if (strlen(name) >= VBUS_NAME_LEN)
		return ERR_PTR(-ENAMETOOLONG);
	mutex_lock(&vbus_config_lock);
	dev = dir->ops->alloc(name);
	mutex_unlock(&vbus_config_lock);
	if (IS_ERR(dev))
		return ERR_CAST(dev);
	dev->ops = dir->ops;
	strscpy(dev->name, name, sizeof(dev->name));
	config_group_init_type_name(&dev->group, name, &dir->type);
	return &dev->group;
}

static struct configfs_group_operations vbus_class_dir_group_ops = {
	.make_group = vbus_device_make,
};

static void vbus_class_dir_release(struct config_item *item)
{
	struct vbus_class_dir *dir = to_vbus_class_dir(item);

	vbus_class_put(dir->ops);
	kfree(dir);
}

static struct configfs_item_operations vbus_class_dir_item_ops = {
	.release = vbus_class_dir_release,
};

static const struct config_item_type vbus_class_dir_type = {
	.ct_owner = THIS_MODULE,
	.ct_item_ops = &vbus_class_dir_item_ops,
	.ct_group_ops = &vbus_class_dir_group_ops,
};

static size_t vbus_count_attrs(struct configfs_attribute **attrs)
{
	size_t n = 0;

	while (attrs && attrs[n])
		n++;
	return n;
}

static struct config_group *vbus_class_dir_make(struct config_group *group,
						const char *name)
{
	size_t common = vbus_count_attrs(vbus_device_attrs);
	const struct vbus_class_ops *ops;
	struct vbus_class_dir *dir;
	size_t own;

	ops = vbus_class_get(name);
	if (!ops) {
		pr_warn_ratelimited("there is no device class '%s'\n", name);
		return ERR_PTR(-ENODEV);
	}
	own = vbus_count_attrs(ops->attrs);
	dir = kzalloc(struct_size(dir, attrs, common + own + 1), GFP_KERNEL);
	if (!dir) {
		vbus_class_put(ops);
		return ERR_PTR(-ENOMEM);
	}
	dir->ops = ops;
	memcpy(dir->attrs, vbus_device_attrs, common * sizeof(*dir->attrs));
	if (own)
		memcpy(dir->attrs + common, ops->attrs,
		       own * sizeof(*dir->attrs));
	dir->type.ct_owner = THIS_MODULE;
	dir->type.ct_item_ops = &vbus_device_item_ops;
	dir->type.ct_attrs = dir->attrs;
	config_group_init_type_name(&dir->group, name, &vbus_class_dir_type);
	return &dir->group;
}

static struct configfs_group_operations vbus_devices_group_ops = {
	.make_group = vbus_class_dir_make,
};

static const struct config_item_type vbus_devices_type = {
	.ct_owner = THIS_MODULE,
	.ct_group_ops = &vbus_devices_group_ops,
};

/* ------------------------------------------------------------------- bus */

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

static ssize_t vbus_bus_rt_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", to_vbus_bus(item)->rt);
}

static ssize_t vbus_bus_rt_store(struct config_item *item, const char *page,
				 size_t count)
{
	struct vbus_bus *bus = to_vbus_bus(item);
	bool rt;
	int err;

	err = kstrtobool(page, &rt);
	if (err)
		return err;
	mutex_lock(&vbus_config_lock);
	if (bus->enabled)
		err = -EBUSY;
	else
		bus->rt = rt;
	mutex_unlock(&vbus_config_lock);
	return err ?: count;
}

CONFIGFS_ATTR(vbus_bus_, rt);

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
	const char *state = "inert";

	mutex_lock(&vbus_config_lock);
	mutex_lock(&bus->lock);
	if (bus->running)
		state = "attached";
	else if (bus->session)
		state = "suspended";
	else if (bus->enabled)
		state = "enabled";
	mutex_unlock(&bus->lock);
	mutex_unlock(&vbus_config_lock);
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

	n = sysfs_emit(page, "lane doorbell_ns wake_ns raise_ns spin_ns gap_ns\n");
	mutex_lock(&vbus_config_lock);
	for (i = 0; bus->enabled && i < bus->lanes; i++) {
		const struct vbus_lane *lane = &bus->lane[i];

		n += sysfs_emit_at(page, n, "%u %u %u %u %u %u\n", i,
				   READ_ONCE(lane->doorbell_ns),
				   READ_ONCE(lane->wake_ns),
				   READ_ONCE(lane->raise_ns),
				   READ_ONCE(lane->spin_ns),
				   READ_ONCE(lane->gap_ns));
	}
	mutex_unlock(&vbus_config_lock);
	return n;
}

CONFIGFS_ATTR_RO(vbus_bus_, costs);

static struct configfs_attribute *vbus_bus_attrs[] = {
	&vbus_bus_attr_enable,
	&vbus_bus_attr_lanes,
	&vbus_bus_attr_priorities,
	&vbus_bus_attr_rt,
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

static int vbus_bus_allow_link(struct config_item *item,
			       struct config_item *target)
{
	int err;

	if (target->ci_type->ct_item_ops != &vbus_device_item_ops)
		return -EINVAL;
	mutex_lock(&vbus_config_lock);
	err = vbus_device_plug(to_vbus_device(target), to_vbus_bus(item));
	mutex_unlock(&vbus_config_lock);
	return err;
}

static void vbus_bus_drop_link(struct config_item *item,
			       struct config_item *target)
{
	mutex_lock(&vbus_config_lock);
	vbus_device_unplug(to_vbus_device(target));
	mutex_unlock(&vbus_config_lock);
}

static void vbus_bus_release(struct config_item *item)
{
	vbus_bus_free(to_vbus_bus(item));
}

static struct configfs_item_operations vbus_bus_item_ops = {
	.release = vbus_bus_release,
	.allow_link = vbus_bus_allow_link,
	.drop_link = vbus_bus_drop_link,
};

static const struct config_item_type vbus_bus_type = {
	.ct_owner = THIS_MODULE,
	.ct_item_ops = &vbus_bus_item_ops,
	.ct_attrs = vbus_bus_attrs,
};

static struct config_group *vbus_bus_make(struct config_group *group,
					  const char *name)
{
	struct vbus_bus *bus;

	if (strlen(name) >= VBUS_NAME_LEN)
		return ERR_PTR(-ENAMETOOLONG);
	bus = vbus_bus_alloc(name);
	if (!bus)
		return ERR_PTR(-ENOMEM);
	config_group_init_type_name(&bus->group, name, &vbus_bus_type);
	return &bus->group;
}

static struct configfs_group_operations vbus_buses_group_ops = {
	.make_group = vbus_bus_make,
};

static const struct config_item_type vbus_buses_type = {
	.ct_owner = THIS_MODULE,
	.ct_group_ops = &vbus_buses_group_ops,
};

/* ------------------------------------------------------------------ root */

static struct config_group vbus_devices_group;
static struct config_group vbus_buses_group;

static const struct config_item_type vbus_root_type = {
	.ct_owner = THIS_MODULE,
};

static struct configfs_subsystem vbus_subsys = {
	.su_group = {
		.cg_item = {
			.ci_namebuf = "vbus",
			.ci_type = &vbus_root_type,
		},
	},
};

int vbus_configfs_init(void)
{
	config_group_init(&vbus_subsys.su_group);
	mutex_init(&vbus_subsys.su_mutex);
	config_group_init_type_name(&vbus_devices_group, "devices",
				    &vbus_devices_type);
	configfs_add_default_group(&vbus_devices_group, &vbus_subsys.su_group);
	config_group_init_type_name(&vbus_buses_group, "buses",
				    &vbus_buses_type);
	configfs_add_default_group(&vbus_buses_group, &vbus_subsys.su_group);
	return configfs_register_subsystem(&vbus_subsys);
}

void vbus_configfs_exit(void)
{
	configfs_unregister_subsystem(&vbus_subsys);
	mutex_destroy(&vbus_subsys.su_mutex);
}
