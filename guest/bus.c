// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a bus, "vbusN": allocated by a connector, attached to the host, and
 * detached again.  Its attributes in sysfs.
 */
#include <linux/idr.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include "guest.h"
#include "compat/guest.h"

static unsigned int evq_slots = 1024;
module_param(evq_slots, uint, 0444);
MODULE_PARM_DESC(evq_slots, "slots of an event queue, more than queues on a bus");

#define SPIN_US_MAX	10000u

static unsigned int spin_us = 500;
module_param(spin_us, uint, 0444);
MODULE_PARM_DESC(spin_us, "how long at most an idle CPU looks for signals before it sleeps, 0: not at all; later: spin_us of each bus");

static DEFINE_IDA(bus_ida);

#define to_vbus_guest(d)	container_of(d, struct vbus_guest, dev)

static ssize_t session_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%#llx\n", to_vbus_guest(dev)->session);
}
static DEVICE_ATTR_RO(session);

static ssize_t lanes_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%u\n", to_vbus_guest(dev)->nlanes);
}
static DEVICE_ATTR_RO(lanes);

static ssize_t priorities_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	struct vbus_guest *guest = to_vbus_guest(dev);
	ssize_t n = 0;
	u32 i;

	for (i = 0; i < guest->nlanes; i++)
		n += sysfs_emit_at(buf, n, "%s%u", i ? " " : "",
				   READ_ONCE(guest->lane[i].priority));
	return n + sysfs_emit_at(buf, n, "\n");
}
static DEVICE_ATTR_RO(priorities);

/* A table, one line per lane, after a line of column names. */
static ssize_t lane_stats_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	struct vbus_guest *guest = to_vbus_guest(dev);
	struct vbus_lane_stats s;
	ssize_t n;
	u32 i;

	n = sysfs_emit(buf, "lane interrupts disturbed polls events spurious arms rearms held spins_won spins_lost");
	n += sysfs_emit_at(buf, n, " kicks coalesced doorbells full outranked raised\n");
	for (i = 0; i < guest->nlanes; i++) {
		vbus_guest_lane_stats(&guest->lane[i], &s);
		n += sysfs_emit_at(buf, n,
				   "%u %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu\n",
				   i, s.interrupts, s.disturbed, s.polls, s.events,
				   s.spurious, s.arms, s.rearms, s.held,
				   s.spins_won, s.spins_lost, s.kicks,
				   s.coalesced, s.doorbells, s.full,
				   s.outranked, s.raised);
	}
	return n;
}
static DEVICE_ATTR_RO(lane_stats);

static ssize_t spin_us_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(to_vbus_guest(dev)->spin_us));
}

static ssize_t spin_us_store(struct device *dev, struct device_attribute *attr,
			     const char *buf, size_t count)
{
	u32 us;
	int err;

	err = kstrtou32(buf, 0, &us);
	if (err)
		return err;
	if (us > SPIN_US_MAX)
		return -ERANGE;
	WRITE_ONCE(to_vbus_guest(dev)->spin_us, us);
	return count;
}
static DEVICE_ATTR_RW(spin_us);

static ssize_t doorbell_ns_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", to_vbus_guest(dev)->doorbell_ns);
}
static DEVICE_ATTR_RO(doorbell_ns);

static ssize_t sleep_ns_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%u\n", to_vbus_guest(dev)->sleep_ns);
}
static DEVICE_ATTR_RO(sleep_ns);

static struct attribute *bus_guest_attrs[] = {
	&dev_attr_session.attr,
	&dev_attr_lanes.attr,
	&dev_attr_priorities.attr,
	&dev_attr_lane_stats.attr,
	&dev_attr_spin_us.attr,
	&dev_attr_doorbell_ns.attr,
	&dev_attr_sleep_ns.attr,
	NULL
};
ATTRIBUTE_GROUPS(bus_guest);

static void bus_guest_release(struct device *dev)
{
	struct vbus_guest *guest = to_vbus_guest(dev);

	ida_free(&bus_ida, guest->id);
	kvfree(guest->signal);
	kfree(guest->lane);
	kfree(guest);
}

static const struct device_type bus_guest_type = {
	.name = "vbus_guest",
	.groups = bus_guest_groups,
	.release = bus_guest_release,
};

static void bus_page_fill(struct vbus_guest *guest)
{
	struct vbus_bus_page *page = guest->bus_page.va;
	u32 i;

	memset(page, 0, guest->bus_page.size);
	page->magic = cpu_to_le32(VBUS_BUS_MAGIC);
	page->nlanes = cpu_to_le32(guest->nlanes);
	page->active = cpu_to_le64(guest->active.addr);
	for (i = 0; i < guest->nlanes; i++) {
		page->lane[i].h2g = cpu_to_le64(guest->lane[i].h2g.addr);
		page->lane[i].g2h = cpu_to_le64(guest->lane[i].g2h.addr);
		page->lane[i].slots = cpu_to_le32(guest->slots);
	}
}

/**
 * vbus_guest_alloc() - prepare a bus
 * @parent:	connector's device
 * @ops:	connector's functions
 * @priv:	connector's data
 * @dma_dev:	device for the DMA API, or NULL for physical addresses
 * @nlanes:	lanes to use, 1..VBUS_LANES_MAX
 *
 * Return: the bus, to be freed by vbus_guest_free(), or an error pointer.
 */
struct vbus_guest *vbus_guest_alloc(struct device *parent,
				    const struct vbus_transport_ops *ops,
				    void *priv, struct device *dma_dev,
				    u32 nlanes)
{
	struct vbus_guest *guest;
	int err;
	u32 i;

	BUILD_BUG_ON(sizeof(struct vbus_bus_page) > PAGE_SIZE);
	if (!nlanes || nlanes > VBUS_LANES_MAX)
		return ERR_PTR(-EINVAL);
	guest = kzalloc(sizeof(*guest), GFP_KERNEL);
	if (!guest)
		return ERR_PTR(-ENOMEM);
	guest->id = ida_alloc(&bus_ida, GFP_KERNEL);
	if (guest->id < 0) {
		err = guest->id;
		kfree(guest);
		return ERR_PTR(err);
	}
	guest->ops = ops;
	guest->priv = priv;
	guest->dma_dev = dma_dev;
	guest->nlanes = nlanes;
	guest->slots = evq_slots;
	guest->spin_us = min(spin_us, SPIN_US_MAX);
	mutex_init(&guest->ctl_lock);
	mutex_init(&guest->scan_lock);
	mutex_init(&guest->sig_lock);
	INIT_LIST_HEAD(&guest->limbo);
	INIT_DELAYED_WORK(&guest->scan_work, vbus_scan_work);
	guest->dev.parent = parent;
	guest->dev.bus = &vbus_guest_bus_type;
	guest->dev.type = &bus_guest_type;
	device_initialize(&guest->dev);

	err = dev_set_name(&guest->dev, "vbus%d", guest->id);
	if (err)
		goto put_guest;
	err = -ENOMEM;
	guest->signal = kvcalloc(guest->slots, sizeof(*guest->signal),
				 GFP_KERNEL);
	guest->lane = kcalloc(nlanes, sizeof(*guest->lane), GFP_KERNEL);
	if (!guest->signal || !guest->lane)
		goto put_guest;
	guest->dummy = vbus_compat_dummy_alloc();
	if (!guest->dummy)
		goto put_guest;
	err = vbus_mem_alloc(guest, &guest->bus_page, PAGE_SIZE);
	if (err)
		goto free_dummy;
	err = vbus_prio_init(guest);
	if (err)
		goto free_page;
	for (i = 0; i < nlanes; i++) {
		err = vbus_lane_init(guest, i);
		if (err)
			goto exit_lanes;
	}
	return guest;

exit_lanes:
	while (i--)
		vbus_lane_exit(&guest->lane[i]);
	vbus_prio_exit(guest);
free_page:
	vbus_mem_free(guest, &guest->bus_page);
free_dummy:
	vbus_compat_dummy_free(guest->dummy);
put_guest:
	put_device(&guest->dev);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_GPL(vbus_guest_alloc);

/**
 * vbus_guest_free() - free a bus
 * @guest:	bus, unregistered or never registered
 *
 * The connector has reset the host: it uses none of our memory.
 */
void vbus_guest_free(struct vbus_guest *guest)
{
	u32 i;

	vbus_mem_reap(guest);
	for (i = 0; i < guest->nlanes; i++)
		vbus_lane_exit(&guest->lane[i]);
	vbus_prio_exit(guest);
	vbus_mem_free(guest, &guest->bus_page);
	vbus_compat_dummy_free(guest->dummy);
	put_device(&guest->dev);
}
EXPORT_SYMBOL_GPL(vbus_guest_free);

static void bus_lanes_stop_locked(struct vbus_guest *guest)
{
	u32 i;

	lockdep_assert_held(&guest->scan_lock);
	if (!guest->attached)
		return;
	guest->attached = false;
	for (i = 0; i < guest->nlanes; i++)
		vbus_lane_stop(&guest->lane[i]);
}

/**
 * vbus_guest_attach() - say HELLO to the host and find the devices
 * @guest:	bus, detached; the host was reset since it was attached last
 *
 * The control channel works and interrupts may come.  Devices that were there
 * before vbus_guest_detach() go on.
 *
 * Return: 0 or an errno: detached still.
 */
int vbus_guest_attach(struct vbus_guest *guest)
{
	int err;
	u32 i;

	mutex_lock(&guest->scan_lock);
	vbus_mem_reap(guest);
	vbus_prio_reset(guest);
	bus_page_fill(guest);
	for (i = 0; i < guest->nlanes; i++)
		vbus_lane_start(&guest->lane[i]);
	guest->attached = true;
	err = vbus_ctl_hello(guest);
	if (!err)
		err = vbus_prio_attach(guest);
	if (err) {
		dev_err(&guest->dev, "cannot attach: %d\n", err);
		goto stop_lanes;
	}
	for (i = 0; guest->ops->aim && i < guest->nlanes; i++)
		guest->ops->aim(guest, i,
				vbus_guest_lane_cpu(&guest->lane[i]));
	vbus_spin_calibrate(guest);
	vbus_scan(guest);	/* an error there leaves us with less devices */
	mutex_unlock(&guest->scan_lock);
	return 0;

stop_lanes:
	bus_lanes_stop_locked(guest);
	mutex_unlock(&guest->scan_lock);
	return err;
}
EXPORT_SYMBOL_GPL(vbus_guest_attach);

/* Reset the host, so that nobody waits for it and all memory is ours again. */
static void bus_host_reset(struct vbus_guest *guest)
{
	guest->ops->reset(guest);
	vbus_ctl_down(guest, true);
}

/*
 * Find out whether the host still answers before a driver has to, and reset it
 * if it does not.
 */
static void bus_host_check(struct vbus_guest *guest)
{
	struct vbus_list_rsp rsp;

	vbus_ctl_list(guest, 0, &rsp);
	if (!vbus_ctl_released(guest))
		bus_host_reset(guest);
}

/**
 * vbus_guest_detach() - stop all use of the host, keep the devices
 * @guest:	bus
 * @lost:	the host will not answer: reset it first
 *
 * Before the transport is suspended or reset; vbus_guest_attach() resumes.
 */
void vbus_guest_detach(struct vbus_guest *guest, bool lost)
{
	u32 slot;

	mutex_lock(&guest->scan_lock);
	if (lost)
		bus_host_reset(guest);
	else
		bus_host_check(guest);
	for (slot = 0; slot < VBUS_SLOTS_MAX; slot++)
		if (guest->device[slot])
			vbus_device_quiesce(guest->device[slot]);
	vbus_ctl_down(guest, false);
	bus_lanes_stop_locked(guest);
	mutex_unlock(&guest->scan_lock);
}
EXPORT_SYMBOL_GPL(vbus_guest_detach);

/**
 * vbus_guest_register() - make a bus known, attach, find its devices
 * @guest:	bus
 *
 * Return: 0 or an errno: not registered, and the host is to be reset.
 */
int vbus_guest_register(struct vbus_guest *guest)
{
	int err;

	err = device_add(&guest->dev);
	if (err)
		return err;
	err = vbus_guest_attach(guest);
	if (err)
		goto del_device;
	return 0;

del_device:
	WRITE_ONCE(guest->dying, true);
	cancel_delayed_work_sync(&guest->scan_work);
	device_del(&guest->dev);
	return err;
}
EXPORT_SYMBOL_GPL(vbus_guest_register);

/**
 * vbus_guest_unregister() - remove the devices and detach
 * @guest:	bus
 *
 * The connector resets the host next, then calls vbus_guest_free().
 */
void vbus_guest_unregister(struct vbus_guest *guest)
{
	WRITE_ONCE(guest->dying, true);
	cancel_delayed_work_sync(&guest->scan_work);

	mutex_lock(&guest->scan_lock);
	bus_host_check(guest);
	vbus_scan_remove_all(guest);
	vbus_ctl_down(guest, false);
	bus_lanes_stop_locked(guest);
	mutex_unlock(&guest->scan_lock);
	/* one that a lane queued before it saw that we are dying */
	cancel_delayed_work_sync(&guest->scan_work);
	device_del(&guest->dev);
}
EXPORT_SYMBOL_GPL(vbus_guest_unregister);

static int __init bus_init(void)
{
	int err;

	if (!vbus_evq_slots_valid(evq_slots)) {
		pr_err("vbus_guest: evq_slots must be a power of two, %u..%u\n",
		       VBUS_EVQ_SLOTS_MIN, VBUS_EVQ_SLOTS_MAX);
		return -EINVAL;
	}
	err = bus_register(&vbus_guest_bus_type);
	if (!err)
		vbus_idle_init();
	return err;
}
module_init(bus_init);

static void __exit bus_exit(void)
{
	bus_unregister(&vbus_guest_bus_type);
	vbus_idle_exit();
	ida_destroy(&bus_ida);
}
module_exit(bus_exit);

MODULE_DESCRIPTION("VBUS guest: bus, lanes and queues");
MODULE_LICENSE("GPL");
