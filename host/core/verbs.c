// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verbs: what a guest asks of its bus over the control channel, and the answers.
 *
 * Locking: bus->lock.
 */
#define pr_fmt(fmt) "vbus: " fmt

#include "core.h"

static u32 vbus_verb_hello(struct vbus_bus *bus, const void *req, size_t reqlen,
			   void *rsp, size_t *outlen)
{
	const struct vbus_hello_req *hello = req;
	struct vbus_hello_rsp *out = rsp;
	u32 status = VBUS_OK;

	if (reqlen < sizeof(*hello))
		return VBUS_EINVAL;
	if (le32_to_cpu(hello->version) != VBUS_ABI_VERSION) {
		vbus_complain(bus, "ABI version %u, not %u",
			      le32_to_cpu(hello->version), VBUS_ABI_VERSION);
		status = VBUS_EVERSION;
	} else if (le64_to_cpu(hello->features) & ~VBUS_F_ALL) {
		vbus_complain(bus, "unknown features %#llx",
			      le64_to_cpu(hello->features) & ~VBUS_F_ALL);
		status = VBUS_EOPNOTSUPP;
	} else {
		status = vbus_session_begin(bus, le64_to_cpu(hello->bus_page));
	}
	out->version = cpu_to_le32(VBUS_ABI_VERSION);
	out->reserved = 0;
	out->features = cpu_to_le64(VBUS_F_ALL);
	out->session = cpu_to_le64(status ? 0 : bus->session);
	*outlen = sizeof(*out);
	return status;
}

static u32 vbus_verb_list(struct vbus_bus *bus, u16 slot, void *rsp,
			  size_t *outlen)
{
	struct vbus_list_rsp *out = rsp;
	struct vbus_device *dev = NULL;

	for (; slot < VBUS_SLOTS_MAX && !dev; slot++)
		dev = bus->slot[slot];
	if (!dev)
		return VBUS_ENODEV;
	memset(out, 0, sizeof(*out));
	out->slot = cpu_to_le16(dev->slot);
	out->instance = cpu_to_le64(dev->instance);
	out->generation = cpu_to_le32(dev->generation);
	strscpy_pad(out->type, dev->ops->type, sizeof(out->type));
	*outlen = sizeof(*out);
	return VBUS_OK;
}

static u32 vbus_verb_open(struct vbus_device *dev)
{
	int err;

	if (dev->opened)
		return VBUS_EBUSY;
	err = dev->ops->open(dev);
	if (err)
		return vbus_status(err);
	dev->opened = true;
	return VBUS_OK;
}

static u32 vbus_verb_call(struct vbus_device *dev, const void *req,
			  size_t reqlen, void *rsp, size_t *outlen)
{
	const struct vbus_call_req *call = req;
	u32 status, len = 0;

	if (reqlen >= sizeof(*call))
		len = le32_to_cpu(call->len);
	if (reqlen < sizeof(*call) || len > VBUS_CALL_MAX ||
	    len > reqlen - sizeof(*call))
		return VBUS_EINVAL;
	*outlen = VBUS_CALL_MAX;
	status = dev->ops->call(dev, le32_to_cpu(call->func), call + 1, len,
				rsp + sizeof(struct vbus_rsp), outlen);
	*outlen += sizeof(struct vbus_rsp);
	return status;
}

static u32 vbus_verb_shm(struct vbus_device *dev, const void *req,
			 size_t reqlen, bool add)
{
	const struct vbus_shm_req *shm = req;
	u32 status, nr;

	if (reqlen < sizeof(*shm))
		return VBUS_EINVAL;
	if (add) {
		status = vbus_queue_add(dev, shm);
		if (status)
			vbus_complain(dev->bus, "%s: queue %u of 2^%u descriptors at %#llx refused (%u)",
				      dev->name, le16_to_cpu(shm->shm),
				      le16_to_cpu(shm->log2),
				      le64_to_cpu(shm->addr), status);
		return status;
	}
	nr = le16_to_cpu(shm->shm);
	if (nr >= VBUS_SHM_MAX || !dev->queue[nr])
		return VBUS_EINVAL;
	vbus_queue_remove(dev->queue[nr]);
	return VBUS_OK;
}

static u32 vbus_verb_device(struct vbus_bus *bus, u16 verb, u16 slot,
			    const void *req, size_t reqlen, void *rsp,
			    size_t *outlen)
{
	struct vbus_device *dev = NULL;

	if (slot < VBUS_SLOTS_MAX)
		dev = bus->slot[slot];
	if (!dev)
		return VBUS_ENODEV;
	if (verb == VBUS_VERB_OPEN)
		return vbus_verb_open(dev);
	if (!dev->opened)
		return VBUS_ENOTCONN;
	switch (verb) {
	case VBUS_VERB_CLOSE:
		vbus_device_close(dev);
		return VBUS_OK;
	case VBUS_VERB_CALL:
		return vbus_verb_call(dev, req, reqlen, rsp, outlen);
	case VBUS_VERB_SHM:
		return vbus_verb_shm(dev, req, reqlen, true);
	case VBUS_VERB_UNSHM:
		return vbus_verb_shm(dev, req, reqlen, false);
	}
	return VBUS_ENOSYS;
}

/**
 * vbus_verbs_request() - carry out a control request
 * @bus:	bus
 * @req:	private copy of the request, aligned to 8 bytes
 * @reqlen:	its length
 * @rsp:	room for the response, aligned to 8 bytes
 * @rspsize:	VBUS_CTL_RSP_MAX
 *
 * May sleep.
 *
 * Return: length of the response.
 */
size_t vbus_verbs_request(struct vbus_bus *bus, const void *req,
			  size_t reqlen, void *rsp, size_t rspsize)
{
	const struct vbus_req *head = req;
	struct vbus_rsp *out = rsp;
	size_t outlen = sizeof(*out);
	u16 verb, slot;
	u32 status;

	BUILD_BUG_ON(sizeof(*out) + VBUS_CALL_MAX > VBUS_CTL_RSP_MAX);
	BUILD_BUG_ON(sizeof(struct vbus_list_rsp) > VBUS_CTL_RSP_MAX);
	memset(rsp, 0, rspsize);
	mutex_lock(&bus->lock);
	if (reqlen < sizeof(*head)) {
		status = VBUS_EINVAL;
		goto out_unlock;
	}
	verb = le16_to_cpu(head->verb);
	slot = le16_to_cpu(head->slot);
	if (verb == VBUS_VERB_HELLO)
		status = vbus_verb_hello(bus, req, reqlen, rsp, &outlen);
	else if (verb < VBUS_VERB_HELLO || verb > VBUS_VERB_UNSHM)
		status = VBUS_ENOSYS;
	else if (!bus->running)
		status = VBUS_ENOTCONN;
	else if (verb == VBUS_VERB_LIST)
		status = vbus_verb_list(bus, slot, rsp, &outlen);
	else
		status = vbus_verb_device(bus, verb, slot, req, reqlen, rsp,
					  &outlen);
	if (status == VBUS_ENOSYS)
		vbus_complain(bus, "unknown verb %u, or function of it", verb);
out_unlock:
	mutex_unlock(&bus->lock);
	out->status = cpu_to_le32(status);
	out->len = cpu_to_le32(outlen - sizeof(*out));
	return outlen;
}
EXPORT_SYMBOL_GPL(vbus_verbs_request);
