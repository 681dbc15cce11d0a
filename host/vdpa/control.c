// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control channel: a split virtqueue whose buffers are requests and responses.
 *
 * The kernel's vringh is not built by the distributions we support (nothing in
 * their configuration selects it), and this queue is slow by nature: so rings
 * and buffers are read and written by translated copies, one request at a time,
 * and nothing of the guest's is used before it was copied.
 *
 * Locking: vbus_vdpa.lock.
 */
#define pr_fmt(fmt) "vbus_vdpa: " fmt

#include <linux/virtio_ring.h>

#include "vbus_vdpa.h"

#define VBUS_CTL_MS	100	/* requests may take that long, then others go first */

static int vbus_ctl_add(struct vbus_vdpa *v, struct vbus_ctl *ctl,
			const struct vring_desc *desc)
{
	u64 addr = __virtio64_to_cpu(true, desc->addr);
	u32 len = __virtio32_to_cpu(true, desc->len);

	if (__virtio16_to_cpu(true, desc->flags) & VRING_DESC_F_WRITE) {
		if (ctl->nsegs == VBUS_CTL_SEGS_MAX)
			return -E2BIG;
		ctl->seg[ctl->nsegs].addr = addr;
		ctl->seg[ctl->nsegs].len = len;
		ctl->nsegs++;
		return 0;
	}
	if (ctl->nsegs || len > VBUS_CTL_REQ_MAX - ctl->reqlen)
		return -E2BIG;
	if (vbus_mem_read(v->mem, addr, (void *)ctl->req + ctl->reqlen, len))
		return -EFAULT;
	ctl->reqlen += len;
	return 0;
}

/* Gather the chain that starts at @head; at most as long as the queue. */
static int vbus_ctl_gather(struct vbus_vdpa *v, const struct vbus_vdpa_vq *vq,
			   u16 head, struct vbus_ctl *ctl)
{
	struct vring_desc desc;
	u32 n;
	int err;

	ctl->reqlen = 0;
	ctl->nsegs = 0;
	for (n = 0; n < vq->num; n++) {
		if (head >= vq->num)
			return -EINVAL;
		err = vbus_mem_read(v->mem, vq->desc + head * sizeof(desc),
				    &desc, sizeof(desc));
		if (!err)
			err = vbus_ctl_add(v, ctl, &desc);
		if (err)
			return err;
		if (!(__virtio16_to_cpu(true, desc.flags) & VRING_DESC_F_NEXT))
			return 0;
		head = __virtio16_to_cpu(true, desc.next);
	}
	return -ELOOP;
}

static u32 vbus_ctl_scatter(struct vbus_vdpa *v, const struct vbus_ctl *ctl,
			    size_t len)
{
	const void *from = ctl->rsp;
	unsigned int i;
	u32 done = 0;

	for (i = 0; i < ctl->nsegs && done < len; i++) {
		u32 n = min_t(size_t, ctl->seg[i].len, len - done);

		if (vbus_mem_write(v->mem, ctl->seg[i].addr, from + done, n))
			break;
		done += n;
	}
	return done;
}

/* Give buffer @head back with @len bytes written. */
static int vbus_ctl_use(struct vbus_vdpa *v, struct vbus_vdpa_vq *vq, u16 head,
			u32 len)
{
	struct vring_used_elem elem = {
		.id = __cpu_to_virtio32(true, head),
		.len = __cpu_to_virtio32(true, len),
	};
	__virtio16 idx;
	int err;

	err = vbus_mem_write(v->mem, vq->used +
			     offsetof(struct vring_used, ring) +
			     (vq->idx & (vq->num - 1)) * sizeof(elem), &elem,
			     sizeof(elem));
	if (err)
		return err;
	/* orders the element before the index; pairs with the driver's rmb */
	virt_wmb();
	vq->idx++;
	idx = __cpu_to_virtio16(true, vq->idx);
	return vbus_mem_write(v->mem, vq->used +
			      offsetof(struct vring_used, idx), &idx,
			      sizeof(idx));
}

/* The next available buffer: 1 and its head, 0 if there is none, or an errno. */
static int vbus_ctl_next(struct vbus_vdpa *v, const struct vbus_vdpa_vq *vq,
			 u16 *head)
{
	__virtio16 idx, entry;
	u16 ahead;

	if (vbus_mem_read(v->mem, vq->avail + offsetof(struct vring_avail, idx),
			  &idx, sizeof(idx)))
		return -EFAULT;
	ahead = __virtio16_to_cpu(true, idx) - vq->idx;
	if (!ahead)
		return 0;
	if (ahead > vq->num)
		return -EINVAL;
	/* orders the index before the entry; pairs with the driver's wmb */
	virt_rmb();
	if (vbus_mem_read(v->mem, vq->avail +
			  offsetof(struct vring_avail, ring) +
			  (vq->idx & (vq->num - 1)) * sizeof(entry), &entry,
			  sizeof(entry)))
		return -EFAULT;
	*head = __virtio16_to_cpu(true, entry);
	return 1;
}

/*
 * Complete the one buffer that each lane's queue has, once: from then on the
 * guest finds every interrupt of the queue to have a cause.
 */
static void vbus_vdpa_stick(struct vbus_vdpa *v)
{
	struct vbus_vdpa_vq *vq;
	unsigned int i;
	u16 head;

	for (i = 1; i < v->vdpa.nvqs; i++) {
		vq = &v->vq[i];
		if (vq->num && vq->ready && !vq->idx &&
		    vbus_ctl_next(v, vq, &head) == 1)
			vbus_ctl_use(v, vq, head, 0);
	}
}

/**
 * vbus_vdpa_control() - answer the requests on the control channel
 * @v:		device; its lock is held
 *
 * Work is bounded by the size of the queue, and by time: a request may sleep, and
 * the VMM waits for the lock, where no signal reaches it.  What is left is done by
 * the work item; each request rings again.
 */
void vbus_vdpa_control(struct vbus_vdpa *v)
{
	unsigned long until = jiffies + msecs_to_jiffies(VBUS_CTL_MS);
	struct vbus_vdpa_vq *vq = &v->vq[0];
	struct vbus_ctl *ctl = &v->ctl;
	size_t len;
	int err = 0;
	u16 head;
	u32 n;

	lockdep_assert_held(&v->lock);
	if (!(v->status & VIRTIO_CONFIG_S_DRIVER_OK) || v->suspended ||
	    !v->mem || !vq->num || !vq->ready)
		return;
	vbus_vdpa_stick(v);
	for (n = 0; n < vq->num; n++) {
		err = vbus_ctl_next(v, vq, &head);
		if (err <= 0)
			break;
		if (time_after(jiffies, until)) {
			queue_work(system_unbound_wq, &v->work);
			break;
		}
		len = 0;
		err = vbus_ctl_gather(v, vq, head, ctl);
		if (!err) {
			len = vbus_verbs_request(v->bus, ctl->req,
						 ctl->reqlen, ctl->rsp,
						 sizeof(ctl->rsp));
			len = vbus_ctl_scatter(v, ctl, len);
		} else {
			vbus_complain(v->bus, "malformed control request (%d)",
				      err);
		}
		err = vbus_ctl_use(v, vq, head, len);
		if (err)
			break;
		vbus_vdpa_interrupt(v, 0);
	}
	if (err < 0)
		vbus_complain(v->bus, "control queue is broken (%d)", err);
}
