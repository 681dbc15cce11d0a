// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: a guest attaches to a bus and talks to its devices.
 *
 * A session begins with HELLO and ends with the next one, or when the connector
 * drops it.  In between it may be suspended: the guest is paused and its memory
 * is gone, but it will go on where it was.  All positions in the rings are
 * private to the host and survive; only mappings are made anew.
 *
 * Locking: bus->lock.
 */
#define pr_fmt(fmt) "vbus: " fmt

#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "core.h"

/* The queue whose signal is @id, or NULL.  Each id below bus->slots may have one. */
static struct vbus_queue *vbus_session_queue(struct vbus_bus *bus, u32 id)
{
	return rcu_dereference_protected(bus->signal[id],
					 lockdep_is_held(&bus->lock));
}

/* ------------------------------------------------- suspend, resume, drop */

static void vbus_session_unmap(struct vbus_bus *bus)
{
	struct vbus_device *dev;
	struct vbus_queue *q;
	unsigned int i;

	for (i = 0; i < VBUS_SLOTS_MAX; i++) {
		dev = bus->slot[i];
		if (dev && dev->opened && dev->ops->quiesce)
			dev->ops->quiesce(dev);
	}
	for (i = 0; i < bus->slots; i++) {
		q = vbus_session_queue(bus, i);
		if (q)
			WRITE_ONCE(q->live, false);
	}
	/* vbus_lane_unmap() waits for a grace period, and there is a lane */
	for (i = 0; i < bus->nlanes; i++)
		vbus_lane_unmap(&bus->lane[i]);
	vbus_unmap(&bus->active);
	for (i = 0; i < bus->slots; i++) {
		q = vbus_session_queue(bus, i);
		if (q)
			vbus_queue_unmap(q);
	}
}

static int vbus_session_map(struct vbus_bus *bus)
{
	struct vbus_device *dev;
	struct vbus_queue *q;
	unsigned int i;
	int err;

	if (bus->active_addr) {
		err = vbus_map(bus->mem, bus->active_addr,
			       VBUS_ACTIVE_WORDS * sizeof(struct vbus_active),
			       &bus->active);
		if (err)
			return err;
	}
	for (i = 0; i < bus->nlanes; i++) {
		bus->lane[i].active = bus->active.kva;
		err = vbus_lane_map(&bus->lane[i], bus->mem, bus->desc[i].h2g,
				    bus->desc[i].g2h, bus->slots);
		if (err)
			return err;
	}
	for (i = 0; i < bus->slots; i++) {
		q = vbus_session_queue(bus, i);
		err = q ? vbus_queue_map(q, bus->mem) : 0;
		if (err)
			return err;
	}
	for (i = 0; i < bus->slots; i++) {
		q = vbus_session_queue(bus, i);
		if (q)
			WRITE_ONCE(q->live, true);
	}
	for (i = 0; i < VBUS_SLOTS_MAX; i++) {
		dev = bus->slot[i];
		if (dev && dev->opened && dev->ops->resume)
			dev->ops->resume(dev);
	}
	return 0;
}

static void __vbus_session_suspend(struct vbus_bus *bus)
{
	unsigned int i;

	lockdep_assert_held(&bus->lock);
	if (!bus->running)
		return;
	for (i = 0; i < bus->nlanes; i++)
		vbus_lane_pause(&bus->lane[i]);
	vbus_session_unmap(bus);
	bus->running = false;
}

static void __vbus_session_drop(struct vbus_bus *bus)
{
	unsigned int i;

	lockdep_assert_held(&bus->lock);
	__vbus_session_suspend(bus);
	for (i = 0; i < VBUS_SLOTS_MAX; i++)
		if (bus->slot[i])
			vbus_device_close(bus->slot[i]);
	for (i = 0; i < bus->nlanes; i++)
		vbus_lane_end(&bus->lane[i]);
	bus->nlanes = 0;
	bus->session = 0;
}

/* The session's mappings exist: let the lanes run. */
static void vbus_session_run(struct vbus_bus *bus)
{
	unsigned int i;

	bus->running = true;
	for (i = 0; i < bus->nlanes; i++)
		vbus_lane_unpause(&bus->lane[i]);
}

/**
 * vbus_session_suspend() - the guest is paused, its memory is about to go
 * @bus:	bus
 *
 * On return nothing of the guest's is in use.  May sleep.
 */
void vbus_session_suspend(struct vbus_bus *bus)
{
	mutex_lock(&bus->lock);
	__vbus_session_suspend(bus);
	mutex_unlock(&bus->lock);
}
EXPORT_SYMBOL_GPL(vbus_session_suspend);

/**
 * vbus_session_drop() - the guest is gone
 * @bus:	bus
 */
void vbus_session_drop(struct vbus_bus *bus)
{
	mutex_lock(&bus->lock);
	__vbus_session_drop(bus);
	mutex_unlock(&bus->lock);
}
EXPORT_SYMBOL_GPL(vbus_session_drop);

static bool vbus_session_is_same(struct vbus_bus *bus)
{
	__le64 cookie;

	return !vbus_mem_read(bus->mem, bus->page_addr +
			      offsetof(struct vbus_bus_page, session),
			      &cookie, sizeof(cookie)) &&
	       le64_to_cpu(cookie) == bus->session;
}

/*
 * Signals and edges may have been lost while the session was suspended: what was
 * published before it, and signalled during it, found no lane.  Spurious ones do no
 * harm.
 */
static void vbus_session_remind(struct vbus_bus *bus)
{
	struct vbus_queue *q;
	unsigned int i;

	lockdep_assert_held(&bus->lock);
	local_bh_disable();
	for (i = 0; i < bus->slots; i++) {
		q = vbus_session_queue(bus, i);
		if (q)
			vbus_queue_signal(q);
	}
	/* a device may have come or gone, which nobody could tell it */
	vbus_lane_signal(&bus->lane[0], VBUS_SIGNAL_BUS);
	for (i = 0; i < bus->nlanes; i++)
		vbus_lane_raise(&bus->lane[i]);
	local_bh_enable();
}

/**
 * vbus_session_resume() - a guest that was suspended goes on
 * @bus:	bus
 *
 * Return: 0, -ENOTCONN if there is no such session; it is dropped then.
 */
int vbus_session_resume(struct vbus_bus *bus)
{
	int err = 0;

	mutex_lock(&bus->lock);
	if (bus->running)
		goto out_unlock;
	if (!bus->session || !bus->mem || !vbus_session_is_same(bus)) {
		__vbus_session_drop(bus);
		err = -ENOTCONN;
		goto out_unlock;
	}
	err = vbus_session_map(bus);
	if (err) {
		vbus_complain(bus, "memory of its queues is gone (%d)", err);
		vbus_session_unmap(bus);
		__vbus_session_drop(bus);
		err = -ENOTCONN;
		goto out_unlock;
	}
	vbus_session_run(bus);
	vbus_session_remind(bus);
out_unlock:
	mutex_unlock(&bus->lock);
	return err;
}
EXPORT_SYMBOL_GPL(vbus_session_resume);

/**
 * vbus_session_set_mem() - guest memory has changed
 * @bus:	bus
 * @mem:	all of it, NULL: none.  The bus takes it over
 *
 * A running session goes on with the new memory if its queues are still there.
 *
 * Return: 0, or -ENOTCONN if a session was lost.
 */
int vbus_session_set_mem(struct vbus_bus *bus, struct vbus_mem *mem)
{
	struct vbus_mem *old;
	bool running;

	mutex_lock(&bus->lock);
	running = bus->running;
	__vbus_session_suspend(bus);
	old = bus->mem;
	bus->mem = mem;
	mutex_unlock(&bus->lock);
	vbus_mem_free(old);
	return running && mem ? vbus_session_resume(bus) : 0;
}
EXPORT_SYMBOL_GPL(vbus_session_set_mem);

/* ------------------------------------------------------------------ begin */

static u32 vbus_session_lanes(struct vbus_bus *bus, u64 page_addr)
{
	struct vbus_bus_page *page;
	u32 i, nlanes, slots, status = VBUS_OK;

	page = kmalloc(sizeof(*page), GFP_KERNEL);
	if (!page)
		return VBUS_ENOMEM;
	if (page_addr & ~PAGE_MASK ||
	    vbus_mem_read(bus->mem, page_addr, page, sizeof(*page))) {
		vbus_complain(bus, "bus page at %#llx is not its memory",
			      page_addr);
		status = VBUS_EFAULT;
		goto out_free;
	}
	nlanes = le32_to_cpu(page->nlanes);
	slots = le32_to_cpu(page->lane[0].slots);
	if (le32_to_cpu(page->magic) != VBUS_BUS_MAGIC || !nlanes ||
	    nlanes > bus->lanes || !vbus_evq_slots_valid(slots)) {
		vbus_complain(bus, "bus page with %u lanes of %u slots", nlanes,
			      slots);
		status = VBUS_EINVAL;
		goto out_free;
	}
	for (i = 0; i < nlanes; i++) {
		bus->desc[i].h2g = le64_to_cpu(page->lane[i].h2g);
		bus->desc[i].g2h = le64_to_cpu(page->lane[i].g2h);
		if (le32_to_cpu(page->lane[i].slots) != slots ||
		    (bus->desc[i].h2g | bus->desc[i].g2h) & 63) {
			vbus_complain(bus, "lane %u is malformed", i);
			status = VBUS_EINVAL;
			goto out_free;
		}
	}
	bus->active_addr = le64_to_cpu(page->active);
	if (bus->active_addr & 63) {
		vbus_complain(bus, "active priorities at %#llx are not aligned",
			      bus->active_addr);
		status = VBUS_EINVAL;
		goto out_free;
	}
	bus->page_addr = page_addr;
	bus->nlanes = nlanes;
	bus->slots = slots;
out_free:
	kfree(page);
	return status;
}

/* What the guest learns of its lanes; in place before HELLO is answered. */
static int vbus_session_tell(struct vbus_bus *bus, u64 page_addr)
{
	__le64 cookie = cpu_to_le64(bus->session);
	__le32 priority;
	u32 i;
	int err;

	for (i = 0; i < bus->nlanes; i++) {
		priority = cpu_to_le32(bus->lane[i].priority);
		err = vbus_mem_write(bus->mem, page_addr +
				     offsetof(struct vbus_bus_page,
					      lane[i].priority),
				     &priority, sizeof(priority));
		if (err)
			return err;
	}
	return vbus_mem_write(bus->mem, page_addr +
			      offsetof(struct vbus_bus_page, session), &cookie,
			      sizeof(cookie));
}

/**
 * vbus_session_begin() - drop the session, if there is one, and begin another
 * @bus:	bus
 * @page_addr:	guest address of its bus page
 *
 * Return: enum vbus_status.
 */
u32 vbus_session_begin(struct vbus_bus *bus, u64 page_addr)
{
	u32 i, status;
	int err;

	lockdep_assert_held(&bus->lock);
	__vbus_session_drop(bus);
	if (!bus->mem)
		return VBUS_EFAULT;
	status = vbus_session_lanes(bus, page_addr);
	if (status)
		return status;
	for (i = 0; i < bus->nlanes; i++) {
		err = vbus_lane_begin(&bus->lane[i], bus->slots);
		if (err)
			goto err_drop;
	}
	err = vbus_session_map(bus);
	if (err) {
		vbus_complain(bus, "%s are not its memory", bus->active_addr &&
			      !bus->active.kva ? "active priorities" :
						 "event queues");
		goto err_unmap;
	}
	do {
		bus->session = get_random_u64();
	} while (!bus->session);
	err = vbus_session_tell(bus, page_addr);
	if (err)
		goto err_unmap;
	vbus_session_run(bus);
	return VBUS_OK;

err_unmap:
	vbus_session_unmap(bus);
err_drop:
	__vbus_session_drop(bus);
	return vbus_status(err);
}
