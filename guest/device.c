// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's bus type "vbus", its devices and their drivers.
 *
 * Two kinds of struct device live on the bus type: the busses themselves
 * ("vbusN", no driver; bus.c) and their devices ("vbusN.SLOT").
 */
#include <linux/slab.h>
#include <linux/sysfs.h>
#include "guest.h"
#include "compat/guest.h"

static ssize_t type_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%s\n", to_vbus_device(dev)->type);
}
static DEVICE_ATTR_RO(type);

static ssize_t slot_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%u\n", to_vbus_device(dev)->slot);
}
static DEVICE_ATTR_RO(slot);

static ssize_t instance_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%llu\n", to_vbus_device(dev)->instance);
}
static DEVICE_ATTR_RO(instance);

static ssize_t modalias_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "vbus:%s\n", to_vbus_device(dev)->type);
}
static DEVICE_ATTR_RO(modalias);

static struct attribute *bus_device_attrs[] = {
	&dev_attr_type.attr,
	&dev_attr_slot.attr,
	&dev_attr_instance.attr,
	&dev_attr_modalias.attr,
	NULL
};
ATTRIBUTE_GROUPS(bus_device);

static int bus_device_uevent(VBUS_COMPAT_UEVENT_CONST struct device *dev,
			     struct kobj_uevent_env *env)
{
	const struct vbus_device *vdev =
		container_of(dev, const struct vbus_device, dev);

	return add_uevent_var(env, "MODALIAS=vbus:%s", vdev->type);
}

static void bus_device_release(struct device *dev)
{
	struct vbus_device *vdev = to_vbus_device(dev);

	put_device(&vdev->guest->dev);	/* taken in scan_add() */
	kfree(vdev);
}

const struct device_type vbus_device_type = {
	.name = "vbus_device",
	.groups = bus_device_groups,
	.uevent = bus_device_uevent,
	.release = bus_device_release,
};

/*
 * The driver lets go of its queues and keeps the device, for the host is about
 * to forget it.
 */
void vbus_device_quiesce(struct vbus_device *vdev)
{
	struct vbus_driver *drv;
	bool unbind = false;

	device_lock(&vdev->dev);
	if (vdev->dev.driver && vdev->open) {
		drv = to_vbus_driver(vdev->dev.driver);
		if (drv->quiesce && drv->resume) {
			drv->quiesce(vdev);
			vbus_ctl_close(vdev);
			vdev->open = false;
		} else {
			unbind = true;
		}
	}
	device_unlock(&vdev->dev);
	if (unbind)
		device_release_driver(&vdev->dev);
}

/* After vbus_device_quiesce() and a new HELLO.  Does nothing else. */
int vbus_device_reopen(struct vbus_device *vdev)
{
	struct vbus_driver *drv;
	int err = 0;

	device_lock(&vdev->dev);
	/* not during shutdown, which closes devices for good */
	if (!vdev->dev.driver || vdev->open || READ_ONCE(vdev->guest->dying))
		goto unlock;
	drv = to_vbus_driver(vdev->dev.driver);
	if (!drv->resume)
		goto unlock;
	err = vbus_ctl_open(vdev);
	if (err)
		goto unlock;
	vdev->open = true;
	err = drv->resume(vdev);
unlock:
	device_unlock(&vdev->dev);
	return err;
}

void vbus_device_changed(struct vbus_device *vdev)
{
	struct vbus_driver *drv;

	device_lock(&vdev->dev);
	if (vdev->dev.driver && vdev->open) {
		drv = to_vbus_driver(vdev->dev.driver);
		if (drv->config_changed)
			drv->config_changed(vdev);
	}
	device_unlock(&vdev->dev);
}

/* Bus type */

static int bus_match(struct device *dev,
		     VBUS_COMPAT_MATCH_CONST struct device_driver *driver)
{
	const struct vbus_driver *drv =
		container_of(driver, const struct vbus_driver, driver);
	const struct vbus_device_id *id;

	if (dev->type != &vbus_device_type)
		return 0;
	for (id = drv->id_table; id->type[0]; id++)
		if (!strcmp(id->type, to_vbus_device(dev)->type))
			return 1;
	return 0;
}

static int bus_probe(struct device *dev)
{
	struct vbus_driver *drv = to_vbus_driver(dev->driver);
	struct vbus_device *vdev = to_vbus_device(dev);
	int err;

	err = vbus_ctl_open(vdev);
	if (err)
		return err;
	vdev->open = true;
	err = drv->probe(vdev);
	if (err)
		goto close;
	return 0;

close:
	vdev->open = false;
	vbus_ctl_close(vdev);
	return err;
}

static void bus_remove(struct device *dev)
{
	struct vbus_driver *drv = to_vbus_driver(dev->driver);
	struct vbus_device *vdev = to_vbus_device(dev);

	drv->remove(vdev);
	if (vdev->open)
		vbus_ctl_close(vdev);
	vdev->open = false;
}

/*
 * Also for kexec: the next kernel must not find the host writing into it.  The
 * driver core holds the device's lock.
 */
static void bus_shutdown(struct device *dev)
{
	struct vbus_device *vdev = to_vbus_device(dev);
	struct vbus_driver *drv;

	if (dev->type != &vbus_device_type || !dev->driver || !vdev->open)
		return;
	drv = to_vbus_driver(dev->driver);
	if (!drv->quiesce)
		return;
	/* no scan opens it again: read under the device's lock */
	WRITE_ONCE(vdev->guest->dying, true);
	drv->quiesce(vdev);
	vbus_ctl_close(vdev);
	vdev->open = false;
}

struct bus_type vbus_guest_bus_type = {
	.name = "vbus",
	.match = bus_match,
	.probe = bus_probe,
	.remove = bus_remove,
	.shutdown = bus_shutdown,
};

/**
 * __vbus_driver_register() - register a driver; use vbus_driver_register()
 * @drv:	driver
 * @owner:	its module
 */
int __vbus_driver_register(struct vbus_driver *drv, struct module *owner)
{
	drv->driver.bus = &vbus_guest_bus_type;
	drv->driver.owner = owner;
	return driver_register(&drv->driver);
}
EXPORT_SYMBOL_GPL(__vbus_driver_register);

/**
 * vbus_driver_unregister() - unregister a driver
 * @drv:	driver
 */
void vbus_driver_unregister(struct vbus_driver *drv)
{
	driver_unregister(&drv->driver);
}
EXPORT_SYMBOL_GPL(vbus_driver_unregister);

/**
 * vbus_guest_lanes() - number of lanes that the device's bus has
 * @vdev:	device
 */
u32 vbus_guest_lanes(const struct vbus_device *vdev)
{
	return vdev->guest->nlanes;
}
EXPORT_SYMBOL_GPL(vbus_guest_lanes);

/**
 * vbus_guest_dma_dev() - how addresses for the host are made
 * @vdev:	device
 *
 * Return: the device for the DMA API, or NULL: physical addresses.
 */
struct device *vbus_guest_dma_dev(const struct vbus_device *vdev)
{
	return vdev->guest->dma_dev;
}
EXPORT_SYMBOL_GPL(vbus_guest_dma_dev);
