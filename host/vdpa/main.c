// SPDX-License-Identifier: GPL-2.0-only
/*
 * vDPA connector: buses come and go as vDPA devices (device.c).
 *
 * Locking: vbus_vdpa_register_lock, inside of vbus_config_lock where that is held:
 * one device at a time comes, or begins to go.
 */
#define pr_fmt(fmt) "vbus_vdpa: " fmt

#include <linux/module.h>
#include <linux/virtio_config.h>

#include "vbus_vdpa.h"

static struct device *vbus_vdpa_root;

/* Devices that are being unregistered. */
static atomic_t vbus_vdpa_leaving = ATOMIC_INIT(0);
static DEFINE_MUTEX(vbus_vdpa_register_lock);

static void vbus_vdpa_unregister(struct work_struct *work)
{
	struct vbus_vdpa *v = container_of(work, struct vbus_vdpa, unregister);

	vdpa_unregister_device(&v->vdpa);
	if (atomic_dec_and_test(&vbus_vdpa_leaving))
		wake_up_var(&vbus_vdpa_leaving);
	complete_all(&v->unregistered);
}

/*
 * The vDPA core has one lock for all devices that come and go, and vhost-vdpa keeps it
 * until the program that has the device open closes it (vbus_vdpa_disable()).  The
 * administrator is not to wait for what somebody does with another bus.
 *
 * Return: 0, or -EAGAIN if one waits to go, for more than a second.
 */
static int vbus_vdpa_wait_turn(const struct vbus_bus *bus, const char *what)
{
	lockdep_assert_held(&vbus_vdpa_register_lock);
	if (wait_var_event_timeout(&vbus_vdpa_leaving,
				   !atomic_read(&vbus_vdpa_leaving), HZ))
		return 0;
	pr_warn("bus %s: cannot be %s while a program keeps the device of a disabled bus open\n",
		bus->name, what);
	return -EAGAIN;
}

static int vbus_vdpa_register(struct vbus_vdpa *v)
{
	int err;

	mutex_lock(&vbus_vdpa_register_lock);
	err = vbus_vdpa_wait_turn(v->bus, "enabled");
	if (!err)
		err = vdpa_register_device(&v->vdpa, v->bus->lanes + 1);
	mutex_unlock(&vbus_vdpa_register_lock);
	return err;
}

static int vbus_vdpa_enable(struct vbus_bus *bus)
{
	struct vbus_vdpa *v = vbus_vdpa_alloc(bus, vbus_vdpa_root);
	int err;

	if (IS_ERR(v))
		return PTR_ERR(v);
	INIT_WORK(&v->unregister, vbus_vdpa_unregister);
	init_completion(&v->unregistered);
	bus->conn_priv = v;
	err = vbus_vdpa_register(v);
	if (err) {
		bus->conn_priv = NULL;
		put_device(&v->vdpa.dev);
	}
	return err;
}

static int vbus_vdpa_leave(struct vbus_vdpa *v)
{
	int err;

	mutex_lock(&vbus_vdpa_register_lock);
	err = vbus_vdpa_wait_turn(v->bus, "disabled");
	if (!err) {
		v->leaving = true;
		get_device(&v->vdpa.dev);
		atomic_inc(&vbus_vdpa_leaving);
		queue_work(system_unbound_wq, &v->unregister);
	}
	mutex_unlock(&vbus_vdpa_register_lock);
	return err;
}

/*
 * vhost-vdpa lets go of a device only when the program that has it open closes
 * it, and waits for that where no signal reaches it.  So the wait is done
 * elsewhere; whoever is killed here may come again.
 */
static int vbus_vdpa_disable(struct vbus_bus *bus)
{
	struct vbus_vdpa *v = bus->conn_priv;
	int err;

	if (!v->leaving) {
		/* one that is paused has no status, but a session */
		if (READ_ONCE(v->status) & VIRTIO_CONFIG_S_DRIVER_OK ||
		    READ_ONCE(bus->session)) {
			pr_warn("bus %s: a guest is attached; detach it first\n",
				bus->name);
			return -EBUSY;
		}
		err = vbus_vdpa_leave(v);
		if (err)
			return err;
	}
	if (!wait_for_completion_timeout(&v->unregistered, HZ)) {
		pr_info("bus %s: waiting for a program to close its device\n",
			bus->name);
		if (wait_for_completion_killable(&v->unregistered))
			return -EINTR;
	}
	flush_work(&v->unregister);
	cancel_work_sync(&v->work);
	/* nothing raises an interrupt of the device any more */
	vbus_session_drop(bus);
	bus->conn_priv = NULL;
	put_device(&v->vdpa.dev);
	return 0;
}

static void vbus_vdpa_raise(struct vbus_bus *bus, unsigned int lane)
{
	vbus_vdpa_interrupt(bus->conn_priv, lane + 1);
}

static int vbus_vdpa_is_vhost(struct device *dev, void *data)
{
	return !strncmp(dev_name(dev), "vhost-vdpa-", 11);
}

static ssize_t vbus_vdpa_address(struct vbus_bus *bus, char *buf)
{
	struct vbus_vdpa *v = bus->conn_priv;
	struct device *child;
	ssize_t n;

	if (v->leaving)
		return sysfs_emit(buf, "\n");
	if (vbus_vdpa_is_loop(v))
		return sysfs_emit(buf, "loop\n");
	child = device_find_child(&v->vdpa.dev, NULL, vbus_vdpa_is_vhost);
	if (!child)
		return sysfs_emit(buf, "%s\n", dev_name(&v->vdpa.dev));
	n = sysfs_emit(buf, "/dev/%s\n", dev_name(child));
	put_device(child);
	return n;
}

static const struct vbus_connector_ops vbus_vdpa_connector = {
	.owner = THIS_MODULE,
	.name = "vdpa",
	.enable = vbus_vdpa_enable,
	.disable = vbus_vdpa_disable,
	.interrupt = vbus_vdpa_raise,
	.address = vbus_vdpa_address,
};

static int __init vbus_vdpa_init(void)
{
	int err;

	vbus_vdpa_root = root_device_register("vbus");
	if (IS_ERR(vbus_vdpa_root))
		return PTR_ERR(vbus_vdpa_root);
	err = vbus_connector_register(&vbus_vdpa_connector);
	if (err)
		root_device_unregister(vbus_vdpa_root);
	return err;
}
module_init(vbus_vdpa_init);

static void __exit vbus_vdpa_exit(void)
{
	vbus_connector_unregister(&vbus_vdpa_connector);
	root_device_unregister(vbus_vdpa_root);
}
module_exit(vbus_vdpa_exit);

MODULE_DESCRIPTION("VBUS connector: a bus as a vDPA device");
MODULE_LICENSE("GPL");
MODULE_ALIAS("vbus-connector-vdpa");
