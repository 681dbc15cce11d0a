// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device classes and devices: registry, life cycle, plugging.
 *
 * A device is made inert, enabled for the host, and plugged into a bus; guests
 * see it when it is both enabled and plugged, in whichever order that came.
 *
 * Locking: vbus_config_lock; what a guest can see changes under bus->lock.
 * Lifetime: a device belongs to its configfs directory, which cannot go while
 * the device is enabled or plugged.
 */
#define pr_fmt(fmt) "vbus: " fmt

#include <linux/slab.h>

#include "core.h"

struct vbus_class {
	struct list_head node;
	const struct vbus_class_ops *ops;
};

/* Protects vbus_classes; leaf lock, so that modules may load meanwhile. */
static DEFINE_MUTEX(vbus_class_lock);
static LIST_HEAD(vbus_classes);

/* Leaf lock of vbus_device.bus and .slot, beside vbus_config_lock. */
static DEFINE_SPINLOCK(vbus_plug_lock);

/* Number of pluggings so far; vbus_config_lock. */
static u64 vbus_instances;

static struct vbus_class *vbus_class_find(const char *name)
{
	struct vbus_class *class;

	lockdep_assert_held(&vbus_class_lock);
	list_for_each_entry(class, &vbus_classes, node)
		if (!strcmp(class->ops->name, name))
			return class;
	return NULL;
}

/**
 * vbus_class_register() - offer a device class
 * @ops:	stays valid until vbus_class_unregister()
 *
 * Return: 0, -EEXIST or -ENOMEM.
 */
int vbus_class_register(const struct vbus_class_ops *ops)
{
	struct vbus_class *class;
	int err = 0;

	class = kzalloc(sizeof(*class), GFP_KERNEL);
	if (!class)
		return -ENOMEM;
	class->ops = ops;
	mutex_lock(&vbus_class_lock);
	if (vbus_class_find(ops->name)) {
		kfree(class);
		err = -EEXIST;
	} else {
		list_add_tail(&class->node, &vbus_classes);
	}
	mutex_unlock(&vbus_class_lock);
	return err;
}
EXPORT_SYMBOL_GPL(vbus_class_register);

/* No device of the class exists: each holds a reference of the module. */
void vbus_class_unregister(const struct vbus_class_ops *ops)
{
	struct vbus_class *class;

	mutex_lock(&vbus_class_lock);
	class = vbus_class_find(ops->name);
	if (class && class->ops == ops) {
		list_del(&class->node);
		kfree(class);
	}
	mutex_unlock(&vbus_class_lock);
}
EXPORT_SYMBOL_GPL(vbus_class_unregister);

static const struct vbus_class_ops *vbus_class_try_get(const char *name)
{
	const struct vbus_class_ops *ops = NULL;
	struct vbus_class *class;

	mutex_lock(&vbus_class_lock);
	class = vbus_class_find(name);
	if (class && try_module_get(class->ops->owner))
		ops = class->ops;
	mutex_unlock(&vbus_class_lock);
	return ops;
}

/**
 * vbus_class_get() - find a class, load its module if need be, and pin it
 * @name:	name of the class
 *
 * Return: the class, or NULL.  vbus_config_lock must not be held.
 */
const struct vbus_class_ops *vbus_class_get(const char *name)
{
	const struct vbus_class_ops *ops = vbus_class_try_get(name);

	if (ops)
		return ops;
	request_module("vbus-class-%s", name);
	return vbus_class_try_get(name);
}

void vbus_class_put(const struct vbus_class_ops *ops)
{
	module_put(ops->owner);
}

/* Show the device to guests, if it is both enabled and plugged. */
static void vbus_device_show(struct vbus_device *dev)
{
	struct vbus_bus *bus = dev->bus;

	if (!bus || !dev->enabled)
		return;
	mutex_lock(&bus->lock);
	dev->instance = ++vbus_instances;
	bus->slot[dev->slot] = dev;
	mutex_unlock(&bus->lock);
	vbus_bus_changed(bus);
}

static void vbus_device_hide(struct vbus_device *dev)
{
	struct vbus_bus *bus = dev->bus;

	if (!bus || !dev->enabled)
		return;
	mutex_lock(&bus->lock);
	vbus_device_close(dev);
	bus->slot[dev->slot] = NULL;
	mutex_unlock(&bus->lock);
	vbus_bus_changed(bus);
}

/**
 * vbus_device_close() - close a device on behalf of its guest
 * @dev:	device, open or not
 */
void vbus_device_close(struct vbus_device *dev)
{
	unsigned int i;

	lockdep_assert_held(&dev->bus->lock);
	if (!dev->opened)
		return;
	for (i = 0; i < VBUS_SHM_MAX; i++)
		if (dev->queue[i])
			vbus_queue_remove(dev->queue[i]);
	dev->ops->close(dev);
	dev->opened = false;
}

/**
 * vbus_device_enable() - make a device live for the host
 * @dev:	device
 *
 * Return: 0, -EBUSY if it is enabled, or what the class says.
 */
int vbus_device_enable(struct vbus_device *dev)
{
	int err;

	lockdep_assert_held(&vbus_config_lock);
	if (dev->enabled)
		return -EBUSY;
	err = dev->ops->enable(dev);
	if (err)
		return err;
	dev->enabled = true;
	vbus_device_show(dev);
	return 0;
}

/* Undo vbus_device_enable(); a guest that uses the device loses it. */
void vbus_device_disable(struct vbus_device *dev)
{
	lockdep_assert_held(&vbus_config_lock);
	if (!dev->enabled)
		return;
	vbus_device_hide(dev);
	dev->enabled = false;
	dev->ops->disable(dev);
}

/**
 * vbus_device_plug() - plug a device into a bus
 * @dev:	device
 * @bus:	bus, enabled or not
 *
 * Return: 0, -EBUSY if it is plugged already, -ENOSPC if the bus is full.
 */
int vbus_device_plug(struct vbus_device *dev, struct vbus_bus *bus)
{
	int slot;

	lockdep_assert_held(&vbus_config_lock);
	if (dev->bus)
		return -EBUSY;
	slot = find_first_zero_bit(bus->plugged, VBUS_SLOTS_MAX);
	if (slot == VBUS_SLOTS_MAX)
		return -ENOSPC;
	set_bit(slot, bus->plugged);
	spin_lock(&vbus_plug_lock);
	dev->slot = slot;
	dev->bus = bus;
	spin_unlock(&vbus_plug_lock);
	vbus_device_show(dev);
	return 0;
}

/* Unplug a device; a guest that uses it loses it. */
void vbus_device_unplug(struct vbus_device *dev)
{
	lockdep_assert_held(&vbus_config_lock);
	if (!dev->bus)
		return;
	vbus_device_hide(dev);
	clear_bit(dev->slot, dev->bus->plugged);
	spin_lock(&vbus_plug_lock);
	dev->bus = NULL;
	spin_unlock(&vbus_plug_lock);
}

/**
 * vbus_device_where() - where a device is plugged
 * @dev:	device
 * @name:	where the name of its bus goes, VBUS_NAME_LEN bytes
 * @slot:	where its slot goes
 *
 * For those who cannot take vbus_config_lock.  Process context.
 *
 * Return: true if it is plugged.
 */
bool vbus_device_where(struct vbus_device *dev, char *name, unsigned int *slot)
{
	bool plugged;

	spin_lock(&vbus_plug_lock);
	plugged = dev->bus;
	if (plugged) {
		strscpy(name, dev->bus->name, VBUS_NAME_LEN);
		*slot = dev->slot;
	}
	spin_unlock(&vbus_plug_lock);
	return plugged;
}
EXPORT_SYMBOL_GPL(vbus_device_where);

/**
 * vbus_device_changed() - what guests can query has changed
 * @dev:	device
 *
 * vbus_config_lock is held.  May sleep.
 */
void vbus_device_changed(struct vbus_device *dev)
{
	struct vbus_bus *bus = dev->bus;

	lockdep_assert_held(&vbus_config_lock);
	if (!bus)
		return;
	mutex_lock(&bus->lock);
	dev->generation++;
	mutex_unlock(&bus->lock);
	vbus_bus_changed(bus);
}
EXPORT_SYMBOL_GPL(vbus_device_changed);
