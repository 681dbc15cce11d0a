/* SPDX-License-Identifier: GPL-2.0-only */
/* vDPA connector: shared between its files. */
#ifndef VBUS_VDPA_H
#define VBUS_VDPA_H

#include <linux/completion.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/vdpa.h>
#include <linux/workqueue.h>

#include "vbus_host.h"

#define VBUS_VDPA_VQS_MAX	(VBUS_LANES_MAX + 1)
/*
 * Largest queue, descriptors.  QEMU (10.0) reads the limit, a u16, into a u32
 * that it had set to all ones, so it always takes its own limit; less than that
 * is refused by vhost-vdpa when the guest starts.
 */
#define VBUS_VDPA_VQ_NUM	1024

#define VBUS_CTL_REQ_MAX	(sizeof(struct vbus_call_req) + VBUS_CALL_MAX)
#define VBUS_CTL_SEGS_MAX	4	/* pieces of a response buffer */

/**
 * struct vbus_vdpa_vq - a virtqueue: control channel or carrier of a lane
 * @desc:	guest address of the descriptor table
 * @avail:	guest address of the available ring
 * @used:	guest address of the used ring
 * @num:	descriptors, 0: the guest does not use it
 * @idx:	available entries consumed; as many are used
 * @ready:	enabled by the guest
 * @cb_lock:	protects @cb; held while it is called, interrupts off
 * @cb:		raises the interrupt
 */
struct vbus_vdpa_vq {
	u64 desc;
	u64 avail;
	u64 used;
	u32 num;
	u16 idx;
	bool ready;
	spinlock_t cb_lock;
	struct vdpa_callback cb;
};

/**
 * struct vbus_ctl - a control request under way
 * @req:	private copy
 * @rsp:	response
 * @reqlen:	bytes of @req
 * @seg:	where the response goes
 * @nsegs:	pieces of that
 */
struct vbus_ctl {
	u64 req[DIV_ROUND_UP(VBUS_CTL_REQ_MAX, 8)];
	u64 rsp[VBUS_CTL_RSP_MAX / 8];
	size_t reqlen;
	struct {
		u64 addr;
		u32 len;
	} seg[VBUS_CTL_SEGS_MAX];
	unsigned int nsegs;
};

/**
 * struct vbus_vdpa - a bus as a vDPA device
 * @vdpa:	the device; freed with it
 * @bus:	its bus; valid while registered
 * @lock:	protects all below but what kicks and interrupts read (status,
 *		callbacks); outside of bus->lock
 * @status:	virtio status
 * @features:	what the guest's driver accepted
 * @suspended:	no kicks are answered until the next reset
 * @mem:	guest memory; owned by the bus
 * @vq:		control channel and one per lane
 * @ctl:	the request being answered
 * @config_cb:	raises the configuration interrupt
 * @work:	answers control requests
 * @leaving:	being unregistered; by the one who disables the bus
 * @unregister:	does that
 * @unregistered: it is done
 */
struct vbus_vdpa {
	struct vdpa_device vdpa;
	struct vbus_bus *bus;
	struct mutex lock;
	u8 status;
	u64 features;
	bool suspended;
	struct vbus_mem *mem;
	struct vbus_vdpa_vq vq[VBUS_VDPA_VQS_MAX];
	struct vbus_ctl ctl;
	struct vdpa_callback config_cb;
	struct work_struct work;
	bool leaving;
	struct work_struct unregister;
	struct completion unregistered;
};

struct vbus_vdpa *vbus_vdpa_alloc(struct vbus_bus *bus, struct device *parent);
bool vbus_vdpa_is_loop(struct vbus_vdpa *v);
void vbus_vdpa_interrupt(struct vbus_vdpa *v, unsigned int idx);
void vbus_vdpa_control(struct vbus_vdpa *v);

#endif /* VBUS_VDPA_H */
