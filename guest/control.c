// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control channel: the verbs of uapi/vbus/bus.h.
 *
 * One request at a time.  A transport that fails once is not used again: the
 * state of the host is not known from then on, and everything that follows fails
 * at once with -EIO, so that teardown does not wait for a dead host again and
 * again.
 */
#include <linux/string.h>
#include "guest.h"

/* The one place where a status of the protocol becomes an errno. */
static int control_errno(u32 status)
{
	switch (status) {
	case VBUS_OK:
		return 0;
	case VBUS_EINVAL:
		return -EINVAL;
	case VBUS_EVERSION:
		return -EPROTONOSUPPORT;
	case VBUS_EFAULT:
		return -EFAULT;
	case VBUS_ENODEV:
		return -ENODEV;
	case VBUS_EBUSY:
		return -EBUSY;
	case VBUS_ENOSYS:
		return -EOPNOTSUPP;
	case VBUS_ENOMEM:
		return -ENOMEM;
	case VBUS_ENOTCONN:
		return -ENOTCONN;
	case VBUS_EOPNOTSUPP:
		return -EOPNOTSUPP;
	default:
		return -EPROTO;
	}
}

/*
 * Send a request and take the response, which begins with a struct vbus_rsp and
 * is zero where the host wrote nothing.
 *
 * Return: bytes of payload, at most what fits, or an errno.
 */
static int control_request_locked(struct vbus_guest *guest, const void *req,
				  u32 reqlen, void *rsp, u32 rsplen)
{
	const struct vbus_rsp *head = rsp;
	u32 len;
	int ret;

	lockdep_assert_held(&guest->ctl_lock);
	if (guest->broken || guest->quiet)
		return -EIO;

	memset(rsp, 0, rsplen);
	ret = guest->ops->request(guest, req, reqlen, rsp, rsplen);
	if (ret < 0) {
		WRITE_ONCE(guest->broken, true);
		WRITE_ONCE(guest->live, false);
		dev_err(&guest->dev, "control channel failed: %d\n", ret);
		return ret == -ETIMEDOUT ? ret : -EIO;
	}
	if (ret < sizeof(*head) || ret > rsplen)
		return -EPROTO;
	/* a later host may say more than we have room for */
	len = min_t(u32, le32_to_cpu(head->len), ret - sizeof(*head));
	ret = control_errno(le32_to_cpu(head->status));
	return ret ? ret : len;
}

static int control_request(struct vbus_guest *guest, const void *req,
			   u32 reqlen, void *rsp, u32 rsplen)
{
	int ret = -EIO;

	mutex_lock(&guest->ctl_lock);
	if (guest->live)
		ret = control_request_locked(guest, req, reqlen, rsp, rsplen);
	mutex_unlock(&guest->ctl_lock);
	return ret;
}

/* A verb whose request is @req and whose response has no payload. */
static int control_simple(struct vbus_guest *guest, const void *req, u32 reqlen)
{
	struct vbus_rsp rsp;
	int ret = control_request(guest, req, reqlen, &rsp, sizeof(rsp));

	return ret < 0 ? ret : 0;
}

/**
 * vbus_ctl_released() - may memory that was shared be used for something else?
 * @guest:	bus
 *
 * To be asked after the request that ends the sharing.  A host that answered,
 * even with an error, has heard it; one that was reset is out of the game.
 */
bool vbus_ctl_released(struct vbus_guest *guest)
{
	bool released;

	mutex_lock(&guest->ctl_lock);
	released = guest->quiet || !guest->broken;
	mutex_unlock(&guest->ctl_lock);
	return released;
}

/* Attach: the lanes are described in the bus page, and live after this. */
int vbus_ctl_hello(struct vbus_guest *guest)
{
	struct vbus_hello_req req = {
		.req.verb = cpu_to_le16(VBUS_VERB_HELLO),
		.version = cpu_to_le32(VBUS_ABI_VERSION),
		.features = cpu_to_le64(VBUS_F_ALL),
		.bus_page = cpu_to_le64(guest->bus_page.addr),
	};
	struct vbus_hello_rsp rsp;
	int ret;

	mutex_lock(&guest->ctl_lock);
	WRITE_ONCE(guest->broken, false);
	WRITE_ONCE(guest->quiet, false);
	ret = control_request_locked(guest, &req, sizeof(req), &rsp,
				     sizeof(rsp));
	if (ret == -EPROTONOSUPPORT)
		dev_err(&guest->dev, "host speaks ABI version %u, we speak %u\n",
			le32_to_cpu(rsp.version), VBUS_ABI_VERSION);
	if (ret < 0)
		goto out;
	if (ret < sizeof(rsp) - sizeof(rsp.rsp) || !rsp.session) {
		ret = -EPROTO;
		goto out;
	}
	guest->session = le64_to_cpu(rsp.session);
	WRITE_ONCE(guest->live, true);
	ret = 0;
out:
	mutex_unlock(&guest->ctl_lock);
	return ret;
}

/*
 * No more requests.  @quiet says that the host was reset and touches nothing;
 * else it is about to be, or lost.
 */
void vbus_ctl_down(struct vbus_guest *guest, bool quiet)
{
	mutex_lock(&guest->ctl_lock);
	WRITE_ONCE(guest->live, false);
	if (quiet)
		WRITE_ONCE(guest->quiet, true);
	mutex_unlock(&guest->ctl_lock);
}

/* The first device at or after @slot; -ENODEV if there is none. */
int vbus_ctl_list(struct vbus_guest *guest, u16 slot,
		  struct vbus_list_rsp *rsp)
{
	struct vbus_list_req req = {
		.req.verb = cpu_to_le16(VBUS_VERB_LIST),
		.req.slot = cpu_to_le16(slot),
	};
	int ret;

	ret = control_request(guest, &req, sizeof(req), rsp, sizeof(*rsp));
	if (ret < 0)
		return ret;
	return ret < sizeof(*rsp) - sizeof(rsp->rsp) ? -EPROTO : 0;
}

int vbus_ctl_open(struct vbus_device *vdev)
{
	struct vbus_req req = {
		.verb = cpu_to_le16(VBUS_VERB_OPEN),
		.slot = cpu_to_le16(vdev->slot),
	};

	return control_simple(vdev->guest, &req, sizeof(req));
}

/* An error means that the host has forgotten the device, or is lost. */
void vbus_ctl_close(struct vbus_device *vdev)
{
	struct vbus_req req = {
		.verb = cpu_to_le16(VBUS_VERB_CLOSE),
		.slot = cpu_to_le16(vdev->slot),
	};

	control_simple(vdev->guest, &req, sizeof(req));
}

int vbus_ctl_shm(struct vbus_queue *q, u16 log2)
{
	struct vbus_shm_req req = {
		.req.verb = cpu_to_le16(VBUS_VERB_SHM),
		.req.slot = cpu_to_le16(q->vdev->slot),
		.shm = cpu_to_le16(q->shm),
		.signal = cpu_to_le16(q->signal),
		.lane = cpu_to_le16(q->lane->index),
		.log2 = cpu_to_le16(log2),
		.inline_len = cpu_to_le16(q->inline_len),
		.addr = cpu_to_le64(q->mem.addr),
	};

	return control_simple(q->vdev->guest, &req, sizeof(req));
}

/* See vbus_ctl_released() for what to do with the memory. */
void vbus_ctl_unshm(struct vbus_queue *q)
{
	struct vbus_shm_req req = {
		.req.verb = cpu_to_le16(VBUS_VERB_UNSHM),
		.req.slot = cpu_to_le16(q->vdev->slot),
		.shm = cpu_to_le16(q->shm),
	};

	control_simple(q->vdev->guest, &req, sizeof(req));
}

/**
 * vbus_guest_call() - synchronous verb of a device
 * @vdev:	device, open
 * @func:	function, defined by the device's type
 * @req:	payload of the request
 * @reqlen:	bytes of it, at most VBUS_CALL_MAX
 * @rsp:	where the payload of the response goes
 * @rsplen:	bytes there, at most VBUS_CALL_MAX; more is cut off
 *
 * Process context; may sleep until the host answers, for some seconds at most.
 *
 * Return: bytes of the response, 0..@rsplen, or an errno; -EIO and -ETIMEDOUT
 * if the host is lost.
 */
int vbus_guest_call(struct vbus_device *vdev, u32 func, const void *req,
		    u32 reqlen, void *rsp, u32 rsplen)
{
	struct {
		struct vbus_call_req head;
		u8 data[VBUS_CALL_MAX];
	} out = {
		.head.req.verb = cpu_to_le16(VBUS_VERB_CALL),
		.head.req.slot = cpu_to_le16(vdev->slot),
		.head.func = cpu_to_le32(func),
		.head.len = cpu_to_le32(reqlen),
	};
	struct {
		struct vbus_rsp head;
		u8 data[VBUS_CALL_MAX];
	} in;
	int ret;

	if (reqlen > VBUS_CALL_MAX || rsplen > VBUS_CALL_MAX)
		return -EINVAL;
	if (reqlen)
		memcpy(out.data, req, reqlen);
	ret = control_request(vdev->guest, &out, sizeof(out.head) + reqlen,
			      &in, sizeof(in));
	if (ret < 0)
		return ret;
	ret = min_t(u32, ret, rsplen);
	if (ret)
		memcpy(rsp, in.data, ret);
	return ret;
}
EXPORT_SYMBOL_GPL(vbus_guest_call);
