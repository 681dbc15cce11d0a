// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues: a pair of rings in shared memory, registered with a device and bound
 * to a signal and a lane.
 */
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include "guest.h"

static int queue_signal_get(struct vbus_guest *guest, struct vbus_queue *q)
{
	u32 sig;
	int err = -ENOSPC;

	mutex_lock(&guest->sig_lock);
	for (sig = VBUS_SIGNAL_BUS + 1; sig < guest->slots; sig++) {
		if (rcu_access_pointer(guest->signal[sig]))
			continue;
		q->signal = sig;
		rcu_assign_pointer(guest->signal[sig], q);
		err = 0;
		break;
	}
	mutex_unlock(&guest->sig_lock);
	return err;
}

/* On return notify() does not run, and will not again. */
static void queue_signal_put(struct vbus_guest *guest, struct vbus_queue *q)
{
	mutex_lock(&guest->sig_lock);
	RCU_INIT_POINTER(guest->signal[q->signal], NULL);
	mutex_unlock(&guest->sig_lock);
	/* pairs with the RCU reader in lane_dispatch() */
	synchronize_net();
}

/**
 * vbus_guest_queue_create() - make a queue and register it with its device
 * @vdev:	device, open
 * @config:	what it is to be
 *
 * Process context.  The completion ring's event is armed for the first
 * completion; vbus_ioq_disarm() if that is not wanted.
 *
 * Return: the queue or an error pointer.
 */
struct vbus_queue *
vbus_guest_queue_create(struct vbus_device *vdev,
			const struct vbus_queue_config *config)
{
	struct vbus_guest *guest = vdev->guest;
	struct vbus_queue *q;
	u8 *va;
	int err;

	if (!vbus_ioq_log2_valid(config->log2) ||
	    !vbus_ioq_inline_valid(config->inline_len) ||
	    config->lane >= guest->nlanes || config->shm >= VBUS_SHM_MAX)
		return ERR_PTR(-EINVAL);

	q = kzalloc(sizeof(*q), GFP_KERNEL);
	if (!q)
		return ERR_PTR(-ENOMEM);
	q->vdev = vdev;
	q->lane = &guest->lane[config->lane];
	q->notify = config->notify;
	q->priv = config->priv;
	q->shm = config->shm;
	q->size = 1u << config->log2;
	q->inline_len = config->inline_len;

	err = vbus_mem_alloc(guest, &q->mem,
			     VBUS_IOQ_BYTES(config->log2, q->inline_len));
	if (err)
		goto free_queue;
	va = q->mem.va;
	q->inlines = va + VBUS_IOQ_INLINE(config->log2);
	vbus_ioq_prod_init(&q->sub, (void *)(va + VBUS_IOQ_SUB_DESC),
			   (void *)(va + VBUS_IOQ_SUB_LINE), q->size);
	vbus_ioq_cons_init(&q->comp,
			   (void *)(va + VBUS_IOQ_COMP_DESC(config->log2)),
			   (void *)(va + VBUS_IOQ_COMP_LINE), q->size);

	/* before the host knows of it: it may signal at once */
	err = queue_signal_get(guest, q);
	if (err)
		goto free_mem;
	err = vbus_ctl_shm(q, config->log2);
	if (err)
		goto put_signal;
	return q;

put_signal:
	queue_signal_put(guest, q);
free_mem:
	if (vbus_ctl_released(guest))
		vbus_mem_free(guest, &q->mem);
	else
		vbus_mem_abandon(guest, &q->mem);
free_queue:
	kfree(q);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_GPL(vbus_guest_queue_create);

/**
 * vbus_guest_queue_destroy() - unregister a queue and free it
 * @q:		queue; no other user of its rings
 *
 * Process context.
 *
 * Return: true if the host has let go of the queue.  False if it did not
 * answer: it may still use the ring, which is kept, and every buffer that was
 * submitted, which the driver must not free.
 */
bool vbus_guest_queue_destroy(struct vbus_queue *q)
{
	struct vbus_guest *guest = q->vdev->guest;
	bool released;

	vbus_ctl_unshm(q);
	queue_signal_put(guest, q);
	released = vbus_ctl_released(guest);
	if (released)
		vbus_mem_free(guest, &q->mem);
	else
		vbus_mem_abandon(guest, &q->mem);
	kfree(q);
	return released;
}
EXPORT_SYMBOL_GPL(vbus_guest_queue_destroy);
