// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control calls of a guest's device, as they come: for tests of what the host
 * answers while the device's own driver goes on.  Never shipped.
 *
 * /sys/kernel/debug/vbus-call	write 16 bytes of name of a device on the bus
 *				("vbus0.0", zeroes), 4 bytes of function (little
 *				endian), and the request: the error is the answer
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/unaligned.h>
#include "vbus_guest.h"

#define CALL_NAME	16u
#define CALL_HEAD	(CALL_NAME + 4u)

static int calls_probe(struct vbus_device *vdev)
{
	return -ENODEV;
}

static void calls_remove(struct vbus_device *vdev)
{
}

static const struct vbus_device_id calls_ids[] = {
	{ "test-calls" },
	{ "" },
};

/* It handles no device; it is how to get at the bus. */
static struct vbus_driver calls_driver = {
	.driver.name = "calls",
	.id_table = calls_ids,
	.probe = calls_probe,
	.remove = calls_remove,
};

static ssize_t calls_write(struct file *file, const char __user *buf,
			   size_t count, loff_t *pos)
{
	char name[CALL_NAME + 1] = {};
	struct device *dev;
	int ret = -ENODEV;
	u8 *data;

	if (count < CALL_HEAD || count > CALL_HEAD + VBUS_CALL_MAX)
		return -E2BIG;
	data = memdup_user(buf, count);
	if (IS_ERR(data))
		return PTR_ERR(data);
	memcpy(name, data, CALL_NAME);
	dev = bus_find_device_by_name(calls_driver.driver.bus, NULL, name);
	if (dev) {
		device_lock(dev);
		ret = vbus_guest_call(to_vbus_device(dev),
				      get_unaligned_le32(data + CALL_NAME),
				      data + CALL_HEAD, count - CALL_HEAD,
				      NULL, 0);
		device_unlock(dev);
		put_device(dev);
	}
	kfree(data);
	return ret < 0 ? ret : count;
}

static const struct file_operations calls_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = calls_write,
};

static struct dentry *calls_file;

static int __init calls_init(void)
{
	int err = vbus_driver_register(&calls_driver);

	if (err)
		return err;
	calls_file = debugfs_create_file("vbus-call", 0200, NULL, NULL,
					 &calls_fops);
	return 0;
}
module_init(calls_init);

static void __exit calls_exit(void)
{
	debugfs_remove(calls_file);
	vbus_driver_unregister(&calls_driver);
}
module_exit(calls_exit);

MODULE_DESCRIPTION("VBUS test: control calls");
MODULE_LICENSE("GPL");
