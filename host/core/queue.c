// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues: the descriptor rings that guests register for their devices.
 *
 * Locking: everything here runs under bus->lock.  A queue that is live may be
 * used by its lane's owner and by the class in contexts of its own, both with
 * bottom halves off; after @live was cleared and a grace period has passed
 * nobody uses its memory.
 */
#define pr_fmt(fmt) "vbus: " fmt

#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "core.h"

static u32 vbus_queue_check(struct vbus_bus *bus, struct vbus_device *dev,
			    const struct vbus_queue *q, u16 lane)
{
	if (q->shm >= VBUS_SHM_MAX || lane >= bus->nlanes ||
	    q->signal == VBUS_SIGNAL_BUS || q->signal >= bus->slots ||
	    !vbus_ioq_log2_valid(q->log2) ||
	    !vbus_ioq_inline_valid(q->inline_len) || q->addr & 63)
		return VBUS_EINVAL;
	if (dev->queue[q->shm] || rcu_access_pointer(bus->signal[q->signal]))
		return VBUS_EBUSY;
	return VBUS_OK;
}

/**
 * vbus_queue_map() - map the rings of a queue; positions are kept
 * @q:		queue
 * @mem:	guest memory
 *
 * Return: 0, -EFAULT or -ENOMEM.
 */
int vbus_queue_map(struct vbus_queue *q, const struct vbus_mem *mem)
{
	int err;

	err = vbus_map(mem, q->addr, VBUS_IOQ_BYTES(q->log2, q->inline_len),
		       &q->map);
	if (err)
		return err;
	q->sub.desc = q->map.kva + VBUS_IOQ_SUB_DESC;
	q->sub.line = q->map.kva + VBUS_IOQ_SUB_LINE;
	q->comp.desc = q->map.kva + VBUS_IOQ_COMP_DESC(q->log2);
	q->comp.line = q->map.kva + VBUS_IOQ_COMP_LINE;
	q->inl = q->map.kva + VBUS_IOQ_INLINE(q->log2);
	return 0;
}

void vbus_queue_unmap(struct vbus_queue *q)
{
	vbus_unmap(&q->map);
}

/**
 * vbus_queue_add() - register a queue
 * @dev:	open device
 * @req:	private copy of the request
 *
 * Return: enum vbus_status.
 */
int vbus_queue_add(struct vbus_device *dev, const struct vbus_shm_req *req)
{
	struct vbus_bus *bus = dev->bus;
	u16 lane = le16_to_cpu(req->lane);
	struct vbus_queue *q;
	u32 status;
	int err;

	lockdep_assert_held(&bus->lock);
	q = kzalloc(sizeof(*q), GFP_KERNEL_ACCOUNT);
	if (!q)
		return VBUS_ENOMEM;
	q->dev = dev;
	q->shm = le16_to_cpu(req->shm);
	q->signal = le16_to_cpu(req->signal);
	q->log2 = le16_to_cpu(req->log2);
	q->inline_len = le16_to_cpu(req->inline_len);
	q->addr = le64_to_cpu(req->addr);
	INIT_LIST_HEAD(&q->node);
	vbus_queue_flood_init(q);

	status = vbus_queue_check(bus, dev, q, lane);
	if (status)
		goto err_free;
	q->lane = &bus->lane[lane];
	vbus_ioq_cons_init(&q->sub, NULL, NULL, 1u << q->log2);
	vbus_ioq_prod_init(&q->comp, NULL, NULL, 1u << q->log2);
	err = vbus_queue_map(q, bus->mem);
	if (err) {
		status = err == -ENOMEM ? VBUS_ENOMEM : VBUS_EFAULT;
		goto err_free;
	}
	q->live = true;
	status = dev->ops->queue_add(dev, q);
	if (status)
		goto err_unmap;
	dev->queue[q->shm] = q;
	rcu_assign_pointer(bus->signal[q->signal], q);
	return VBUS_OK;

err_unmap:
	vbus_queue_unmap(q);
err_free:
	kfree(q);
	return status;
}

/**
 * vbus_queue_coalesce() - let the interrupts of a queue wait for company
 * @q:		queue
 * @usecs:	how long at most; 0: no longer than the lane's moderation says
 * @units:	for how many units at most, see vbus_queue_count(); 0: any number
 *
 * Any time.
 */
void vbus_queue_coalesce(struct vbus_queue *q, u32 usecs, u32 units)
{
	WRITE_ONCE(q->hold_units, units);
	WRITE_ONCE(q->hold_us, usecs);
}
EXPORT_SYMBOL_GPL(vbus_queue_coalesce);

/* So many units more were published, and signalled if need be. */
void vbus_queue_count(struct vbus_queue *q, u32 units)
{
	struct vbus_lane *lane = q->lane;
	u64 seq = READ_ONCE(lane->stats.held);

	if (!READ_ONCE(lane->held)) {
		q->units = 0;
		return;
	}
	if (q->hold_seq != seq)
		q->units = 0;
	q->hold_seq = seq;
	q->units += units;
	if (q->units < READ_ONCE(q->hold_units))
		return;
	q->units = 0;
	vbus_lane_end_hold(lane);
}

/**
 * vbus_queue_remove() - unregister a queue and wait for its users
 * @q:		queue of an open device
 */
void vbus_queue_remove(struct vbus_queue *q)
{
	struct vbus_device *dev = q->dev;
	struct vbus_bus *bus = dev->bus;
	bool running = bus->running;

	lockdep_assert_held(&bus->lock);
	if (running)
		vbus_lane_pause(q->lane);
	RCU_INIT_POINTER(bus->signal[q->signal], NULL);
	dev->queue[q->shm] = NULL;
	WRITE_ONCE(q->live, false);
	list_del_init(&q->node);
	dev->ops->queue_remove(dev, q);
	if (running)
		vbus_lane_unpause(q->lane);
	synchronize_rcu();
	vbus_queue_flood_stop(q);
	vbus_queue_unmap(q);
	kfree(q);
}
