// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scan: make the devices that we have the same as those on the bus.
 *
 * Runs when we attach and whenever the host signals the bus.  A device is the
 * same one as before if its slot, instance and type are.
 */
#include <linux/ctype.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "guest.h"

/*
 * The host may ask for scans as fast as it likes; we scan no faster than this.
 * Short enough for a change of the link.
 */
#define SCAN_DELAY	msecs_to_jiffies(5)

/* The bus has changed.  Any context. */
void vbus_scan_request(struct vbus_guest *guest)
{
	if (!READ_ONCE(guest->dying))
		queue_delayed_work(system_wq, &guest->scan_work, SCAN_DELAY);
}

void vbus_scan_work(struct work_struct *work)
{
	struct vbus_guest *guest =
		container_of(to_delayed_work(work), struct vbus_guest,
			     scan_work);

	mutex_lock(&guest->scan_lock);
	if (guest->attached && !guest->dying)
		vbus_scan(guest);
	mutex_unlock(&guest->scan_lock);
}

/* A type goes into uevents and module aliases: letters, digits, '-' and '_'. */
static bool scan_type_valid(const char *type)
{
	size_t i, len = strnlen(type, VBUS_TYPE_LEN);

	if (!len || len == VBUS_TYPE_LEN)
		return false;
	for (i = 0; i < len; i++)
		if (!isascii(type[i]) ||
		    (!isalnum(type[i]) && type[i] != '-' && type[i] != '_'))
			return false;
	return true;
}

static void scan_remove(struct vbus_guest *guest, u32 slot)
{
	struct vbus_device *vdev = guest->device[slot];

	lockdep_assert_held(&guest->scan_lock);
	if (!vdev)
		return;
	guest->device[slot] = NULL;
	device_unregister(&vdev->dev);
}

void vbus_scan_remove_all(struct vbus_guest *guest)
{
	u32 slot;

	for (slot = 0; slot < VBUS_SLOTS_MAX; slot++)
		scan_remove(guest, slot);
}

static int scan_add(struct vbus_guest *guest, u32 slot,
		    const struct vbus_list_rsp *rsp)
{
	struct vbus_device *vdev;
	int err;

	vdev = kzalloc(sizeof(*vdev), GFP_KERNEL);
	if (!vdev)
		return -ENOMEM;
	vdev->guest = guest;
	vdev->slot = slot;
	vdev->instance = le64_to_cpu(rsp->instance);
	vdev->generation = le32_to_cpu(rsp->generation);
	strscpy(vdev->type, rsp->type, sizeof(vdev->type));

	vdev->dev.parent = &guest->dev;
	vdev->dev.bus = &vbus_guest_bus_type;
	vdev->dev.type = &vbus_device_type;
	device_initialize(&vdev->dev);
	get_device(&guest->dev);	/* put in bus_device_release() */
	err = dev_set_name(&vdev->dev, "vbus%d.%u", guest->id, slot);
	if (!err)
		err = device_add(&vdev->dev);
	if (err) {
		put_device(&vdev->dev);
		return err;
	}
	guest->device[slot] = vdev;
	return 0;
}

/* A device that is on the bus, in @slot. */
static int scan_one(struct vbus_guest *guest, u32 slot,
		    const struct vbus_list_rsp *rsp)
{
	struct vbus_device *vdev = guest->device[slot];
	u32 generation = le32_to_cpu(rsp->generation);

	if (vdev && (vdev->instance != le64_to_cpu(rsp->instance) ||
		     strcmp(vdev->type, rsp->type))) {
		scan_remove(guest, slot);
		vdev = NULL;
	}
	if (!vdev)
		return scan_add(guest, slot, rsp);

	if (vbus_device_reopen(vdev)) {
		/* it does not come back: a new one may do better */
		scan_remove(guest, slot);
		return scan_add(guest, slot, rsp);
	}
	if (vdev->generation != generation) {
		vdev->generation = generation;
		vbus_device_changed(vdev);
	}
	return 0;
}

/**
 * vbus_scan() - list the devices and act on the differences
 * @guest:	bus, attached
 *
 * An answer that makes no sense ends the scan; what it did until then holds.
 */
int vbus_scan(struct vbus_guest *guest)
{
	struct vbus_list_rsp rsp;
	u32 slot = 0, found;
	int err;

	lockdep_assert_held(&guest->scan_lock);
	while (slot < VBUS_SLOTS_MAX) {
		err = vbus_ctl_list(guest, slot, &rsp);
		if (err && err != -ENODEV)
			return err;
		found = err ? VBUS_SLOTS_MAX : le16_to_cpu(rsp.slot);
		if (!err && (found < slot || found >= VBUS_SLOTS_MAX ||
			     !scan_type_valid(rsp.type))) {
			dev_warn_ratelimited(&guest->dev,
					     "malformed device at slot %u\n",
					     slot);
			return -EPROTO;
		}
		for (; slot < found; slot++)
			scan_remove(guest, slot);
		if (slot == VBUS_SLOTS_MAX)
			break;
		err = scan_one(guest, slot, &rsp);
		if (err)
			dev_warn_ratelimited(&guest->dev,
					     "no device for slot %u: %d\n",
					     slot, err);
		slot++;
	}
	return 0;
}
