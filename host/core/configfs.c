// SPDX-License-Identifier: GPL-2.0-only
/*
 * configfs: /sys/kernel/config/vbus.  See docs/administration.md.
 *
 *   devices/<class>/<device>/   mkdir makes one; attributes of the class
 *   buses/<bus>/                mkdir makes one; ln -s of a device plugs it;
 *                               attributes: bus_attrs.c
 *
 * Callbacks parse, take vbus_config_lock, call the core and return.  What is
 * enabled is pinned, so that its directory cannot be removed (-EBUSY).
 */
#define pr_fmt(fmt) "vbus: " fmt

#include <linux/slab.h>

#include "core.h"

static struct configfs_subsystem vbus_subsys;

/**
 * vbus_enable_store() - store of an "enable" attribute
 * @item:	bus or device
 * @page:	what was written
 * @count:	bytes of that
 * @enabled:	is it?
 * @enable:	do it
 * @disable:	undo it; not called for what is not enabled
 *
 * What is enabled is pinned, so that rmdir says -EBUSY.
 */
ssize_t vbus_enable_store(struct config_item *item, const char *page,
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
