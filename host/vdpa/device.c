// SPDX-License-Identifier: GPL-2.0-only
/*
 * vDPA connector: the vDPA device of a bus.
 *
 * vhost-vdpa gives it to QEMU or to a process, virtio_vdpa to this very kernel.
 * Queue 0 is the control channel; the others carry nothing: their notification
 * is a lane's doorbell, their callback its interrupt (uapi/vbus/virtio.h).
 *
 * A pause of the VM looks like a reset followed by a new start, so a session
 * survives a reset.  It goes on if the queues come back in the state they were
 * in; a driver that starts anew sets them to 0, and its session ends.  It ends
 * too when the consumer closes the device, which shows as reset_map.
 *
 * Locking: vbus_vdpa.lock serialises everything but kicks and interrupts, which
 * come in any context.
 */
#define pr_fmt(fmt) "vbus_vdpa: " fmt

#include <linux/dma-mapping.h>
#include <linux/virtio_config.h>
#include <uapi/linux/virtio_ids.h>
#include <uapi/linux/vhost_types.h>
#include <linux/vhost_iotlb.h>

#include "vbus_vdpa.h"

static_assert(VBUS_VIRTIO_ID == VIRTIO_ID_FS);

static struct vbus_vdpa *to_vbus_vdpa(struct vdpa_device *vdpa)
{
	return container_of(vdpa, struct vbus_vdpa, vdpa);
}

/**
 * vbus_vdpa_is_loop() - is the guest side in this very kernel?
 * @v:		device
 *
 * Then, and only then, it is trusted with all of its memory.
 */
bool vbus_vdpa_is_loop(struct vbus_vdpa *v)
{
	struct device_driver *drv = READ_ONCE(v->vdpa.dev.driver);

	return drv && !strcmp(drv->name, "virtio_vdpa");
}

/**
 * vbus_vdpa_interrupt() - call a queue's callback
 * @v:		device
 * @idx:	queue
 *
 * Any context in which eventfd_signal() is allowed.
 */
void vbus_vdpa_interrupt(struct vbus_vdpa *v, unsigned int idx)
{
	struct vbus_vdpa_vq *vq = &v->vq[idx];
	unsigned long flags;

	spin_lock_irqsave(&vq->cb_lock, flags);
	if (vq->cb.callback && READ_ONCE(v->status) & VIRTIO_CONFIG_S_DRIVER_OK)
		vq->cb.callback(vq->cb.private);
	spin_unlock_irqrestore(&vq->cb_lock, flags);
}

static void vbus_vdpa_work(struct work_struct *work)
{
	struct vbus_vdpa *v = container_of(work, struct vbus_vdpa, work);

	mutex_lock(&v->lock);
	vbus_vdpa_control(v);
	mutex_unlock(&v->lock);
}

/* ------------------------------------------------------------- virtqueues */

static int vbus_vdpa_set_vq_address(struct vdpa_device *vdpa, u16 idx,
				    u64 desc, u64 driver, u64 device)
{
	struct vbus_vdpa *v = to_vbus_vdpa(vdpa);

	mutex_lock(&v->lock);
	v->vq[idx].desc = desc;
	v->vq[idx].avail = driver;
	v->vq[idx].used = device;
	mutex_unlock(&v->lock);
	return 0;
}

static void vbus_vdpa_set_vq_num(struct vdpa_device *vdpa, u16 idx, u32 num)
{
	struct vbus_vdpa *v = to_vbus_vdpa(vdpa);

	mutex_lock(&v->lock);
	/* QEMU passes 0 for queues that the guest did not set up */
	v->vq[idx].num = num <= VBUS_VDPA_VQ_NUM && is_power_of_2(num) ? num : 0;
	mutex_unlock(&v->lock);
}

static void vbus_vdpa_kick_vq(struct vdpa_device *vdpa, u16 idx)
{
	struct vbus_vdpa *v = to_vbus_vdpa(vdpa);

	if (!(READ_ONCE(v->status) & VIRTIO_CONFIG_S_DRIVER_OK))
		return;
	if (idx)
		vbus_lane_doorbell(&v->bus->lane[idx - 1]);
	else
		queue_work(system_unbound_wq, &v->work);
}

static void vbus_vdpa_set_vq_cb(struct vdpa_device *vdpa, u16 idx,
				struct vdpa_callback *cb)
{
	struct vbus_vdpa *v = to_vbus_vdpa(vdpa);
	struct vbus_vdpa_vq *vq = &v->vq[idx];
	unsigned long flags;

	spin_lock_irqsave(&vq->cb_lock, flags);
	vq->cb = *cb;
	spin_unlock_irqrestore(&vq->cb_lock, flags);
	/* what was raised while there was no callback is not lost */
	if (cb->callback)
		vbus_vdpa_interrupt(v, idx);
}

static void vbus_vdpa_set_vq_ready(struct vdpa_device *vdpa, u16 idx,
				   bool ready)
{
	struct vbus_vdpa *v = to_vbus_vdpa(vdpa);

	mutex_lock(&v->lock);
	v->vq[idx].ready = ready;
	mutex_unlock(&v->lock);
}

static bool vbus_vdpa_get_vq_ready(struct vdpa_device *vdpa, u16 idx)
{
	return READ_ONCE(to_vbus_vdpa(vdpa)->vq[idx].ready);
}

static int vbus_vdpa_set_vq_state(struct vdpa_device *vdpa, u16 idx,
				  const struct vdpa_vq_state *state)
{
	struct vbus_vdpa *v = to_vbus_vdpa(vdpa);

	mutex_lock(&v->lock);
	v->vq[idx].idx = state->split.avail_index;
	mutex_unlock(&v->lock);
	return 0;
}

static int vbus_vdpa_get_vq_state(struct vdpa_device *vdpa, u16 idx,
				  struct vdpa_vq_state *state)
{
	state->split.avail_index = READ_ONCE(to_vbus_vdpa(vdpa)->vq[idx].idx);
	return 0;
}

static u32 vbus_vdpa_get_vq_align(struct vdpa_device *vdpa)
{
	return PAGE_SIZE;
}

static u16 vbus_vdpa_get_vq_num_max(struct vdpa_device *vdpa)
{
	return VBUS_VDPA_VQ_NUM;
}

/* ----------------------------------------------------------------- device */

static u64 vbus_vdpa_get_device_features(struct vdpa_device *vdpa)
{
	return BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
}

static int vbus_vdpa_set_driver_features(struct vdpa_device *vdpa, u64 features)
{
	if (features & ~vbus_vdpa_get_device_features(vdpa) ||
	    !(features & BIT_ULL(VIRTIO_F_VERSION_1)))
		return -EINVAL;
	to_vbus_vdpa(vdpa)->features = features;
	return 0;
}

static u64 vbus_vdpa_get_driver_features(struct vdpa_device *vdpa)
{
	return to_vbus_vdpa(vdpa)->features;
}

static u32 vbus_vdpa_get_device_id(struct vdpa_device *vdpa)
{
	return VBUS_VIRTIO_ID;
}

static u32 vbus_vdpa_get_vendor_id(struct vdpa_device *vdpa)
{
	return VBUS_BUS_MAGIC;
}

static u8 vbus_vdpa_get_status(struct vdpa_device *vdpa)
{
	return READ_ONCE(to_vbus_vdpa(vdpa)->status);
}

/* The consumer is to look at the status, if it wants to be told. */
static void vbus_vdpa_tell_status(struct vbus_vdpa *v)
{
	lockdep_assert_held(&v->lock);
	if (v->config_cb.callback)
		v->config_cb.callback(v->config_cb.private);
}

static void vbus_vdpa_set_config_cb(struct vdpa_device *vdpa,
				    struct vdpa_callback *cb)
{
	struct vbus_vdpa *v = to_vbus_vdpa(vdpa);

	/* the configuration never changes, but a reset may be asked for, or may have been */
	mutex_lock(&v->lock);
	v->config_cb = *cb;
	if (v->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		vbus_vdpa_tell_status(v);
	mutex_unlock(&v->lock);
}

/* The session cannot go on: the guest's driver has to begin a new one. */
static void vbus_vdpa_ask_reset(struct vbus_vdpa *v)
{
	lockdep_assert_held(&v->lock);
	pr_warn_ratelimited("bus %s: the guest's session is lost\n",
			    v->bus->name);
	WRITE_ONCE(v->status, v->status | VIRTIO_CONFIG_S_NEEDS_RESET);
	vbus_vdpa_tell_status(v);
}

/* The guest's driver is ready: go on with its session, or begin with none. */
static void vbus_vdpa_start(struct vbus_vdpa *v)
{
	bool resume = false;
	unsigned int i;

	lockdep_assert_held(&v->lock);
	if (vbus_vdpa_is_loop(v) && !v->mem) {
		v->mem = vbus_mem_alloc_identity();
		vbus_session_set_mem(v->bus, v->mem);
	}
	for (i = 1; i < v->vdpa.nvqs; i++)
		resume |= v->vq[i].num && v->vq[i].idx;
	if (!resume)
		vbus_session_drop(v->bus);
	else if (vbus_session_resume(v->bus))
		vbus_vdpa_ask_reset(v);
	vbus_vdpa_control(v);
}

static void vbus_vdpa_set_status(struct vdpa_device *vdpa, u8 status)
{
	struct vbus_vdpa *v = to_vbus_vdpa(vdpa);
	bool start;

	mutex_lock(&v->lock);
	start = status & ~v->status & VIRTIO_CONFIG_S_DRIVER_OK;
	WRITE_ONCE(v->status, status);
	if (start)
		vbus_vdpa_start(v);
	mutex_unlock(&v->lock);
}

static int vbus_vdpa_suspend(struct vdpa_device *vdpa)
{
	struct vbus_vdpa *v = to_vbus_vdpa(vdpa);

	mutex_lock(&v->lock);
	v->suspended = true;
	vbus_session_suspend(v->bus);
	mutex_unlock(&v->lock);
	return 0;
}

static int vbus_vdpa_reset(struct vdpa_device *vdpa)
{
	struct vbus_vdpa *v = to_vbus_vdpa(vdpa);
	struct vbus_vdpa_vq *vq;
	unsigned long flags;
	unsigned int i;

	WRITE_ONCE(v->status, 0);
	mutex_lock(&v->lock);
	vbus_session_suspend(v->bus);
	if (vbus_vdpa_is_loop(v)) {
		vbus_session_drop(v->bus);
		vbus_session_set_mem(v->bus, NULL);
		v->mem = NULL;
	}
	/* who uses the device next may be another driver, with none of its own */
	v->config_cb.callback = NULL;
	v->config_cb.private = NULL;
	for (i = 0; i < vdpa->nvqs; i++) {
		vq = &v->vq[i];
		spin_lock_irqsave(&vq->cb_lock, flags);
		vq->cb.callback = NULL;
		vq->cb.private = NULL;
		spin_unlock_irqrestore(&vq->cb_lock, flags);
		vq->num = 0;
		vq->idx = 0;
		vq->ready = false;
	}
	v->features = 0;
	v->suspended = false;
	mutex_unlock(&v->lock);
	return 0;
}

static size_t vbus_vdpa_get_config_size(struct vdpa_device *vdpa)
{
	return VBUS_VIRTIO_CONFIG_SIZE;
}

static void vbus_vdpa_get_config(struct vdpa_device *vdpa, unsigned int offset,
				 void *buf, unsigned int len)
{
	struct vbus_vdpa *v = to_vbus_vdpa(vdpa);
	u8 config[VBUS_VIRTIO_CONFIG_SIZE] = {};
	struct vbus_virtio_config *own = (void *)config + VBUS_VIRTIO_CONFIG;

	BUILD_BUG_ON(VBUS_VIRTIO_CONFIG + sizeof(*own) > sizeof(config));
	own->magic = cpu_to_le32(VBUS_BUS_MAGIC);
	own->version = cpu_to_le32(VBUS_ABI_VERSION);
	own->lanes = cpu_to_le32(v->vdpa.nvqs - 1);
	own->priorities = cpu_to_le32(vbus_bus_levels(v->bus));
	if (offset > sizeof(config) || len > sizeof(config) - offset)
		memset(buf, 0, len);
	else
		memcpy(buf, config + offset, len);
}

static void vbus_vdpa_set_config(struct vdpa_device *vdpa, unsigned int offset,
				 const void *buf, unsigned int len)
{
	/* nothing in it can be written */
}

/* --------------------------------------------------------------- memory */

static unsigned int vbus_vdpa_perm(unsigned int perm)
{
	return (perm & VHOST_MAP_RO ? VBUS_MEM_READ : 0) |
	       (perm & VHOST_MAP_WO ? VBUS_MEM_WRITE : 0);
}

static int vbus_vdpa_set_map(struct vdpa_device *vdpa, unsigned int asid,
			     struct vhost_iotlb *iotlb)
{
	struct vbus_vdpa *v = to_vbus_vdpa(vdpa);
	struct vhost_iotlb_map *map;
	struct vbus_mem *mem = NULL;
	int err = 0;

	if (!list_empty(&iotlb->list)) {
		mem = vbus_mem_alloc();
		if (!mem)
			return -ENOMEM;
	}
	/* the consumer itself calls: a VMM, which is to pay for the workers */
	err = mem ? vbus_bus_adopt(v->bus) : 0;
	if (err) {
		pr_warn_ratelimited("bus %s: workers cannot join the cgroup of %s (%d)\n",
				    v->bus->name, current->comm, err);
		vbus_mem_free(mem);
		return err;
	}
	list_for_each_entry(map, &iotlb->list, link) {
		err = vbus_mem_add(mem, map->start, map->size, map->addr,
				   vbus_vdpa_perm(map->perm));
		if (err) {
			pr_warn_ratelimited("bus %s: cannot map %#llx bytes of guest memory at %#llx (%d)\n",
					    v->bus->name, map->size, map->start,
					    err);
			vbus_mem_free(mem);
			return err;
		}
	}
	mutex_lock(&v->lock);
	v->mem = mem;
	if (vbus_session_set_mem(v->bus, mem))
		vbus_vdpa_ask_reset(v);
	mutex_unlock(&v->lock);
	return 0;
}

/* The consumer closes the device: guest and session are gone. */
static int vbus_vdpa_reset_map(struct vdpa_device *vdpa, unsigned int asid)
{
	struct vbus_vdpa *v = to_vbus_vdpa(vdpa);

	mutex_lock(&v->lock);
	vbus_session_drop(v->bus);
	vbus_session_set_mem(v->bus, NULL);
	v->mem = NULL;
	mutex_unlock(&v->lock);
	vbus_bus_orphan(v->bus);
	return 0;
}

static void vbus_vdpa_free(struct vdpa_device *vdpa)
{
	mutex_destroy(&to_vbus_vdpa(vdpa)->lock);
}

static const struct vdpa_config_ops vbus_vdpa_ops = {
	.set_vq_address = vbus_vdpa_set_vq_address,
	.set_vq_num = vbus_vdpa_set_vq_num,
	.kick_vq = vbus_vdpa_kick_vq,
	.set_vq_cb = vbus_vdpa_set_vq_cb,
	.set_vq_ready = vbus_vdpa_set_vq_ready,
	.get_vq_ready = vbus_vdpa_get_vq_ready,
	.set_vq_state = vbus_vdpa_set_vq_state,
	.get_vq_state = vbus_vdpa_get_vq_state,
	.get_vq_align = vbus_vdpa_get_vq_align,
	.get_device_features = vbus_vdpa_get_device_features,
	.set_driver_features = vbus_vdpa_set_driver_features,
	.get_driver_features = vbus_vdpa_get_driver_features,
	.set_config_cb = vbus_vdpa_set_config_cb,
	.get_vq_num_max = vbus_vdpa_get_vq_num_max,
	.get_device_id = vbus_vdpa_get_device_id,
	.get_vendor_id = vbus_vdpa_get_vendor_id,
	.get_status = vbus_vdpa_get_status,
	.set_status = vbus_vdpa_set_status,
	.reset = vbus_vdpa_reset,
	.suspend = vbus_vdpa_suspend,
	.get_config_size = vbus_vdpa_get_config_size,
	.get_config = vbus_vdpa_get_config,
	.set_config = vbus_vdpa_set_config,
	.set_map = vbus_vdpa_set_map,
	.reset_map = vbus_vdpa_reset_map,
	.free = vbus_vdpa_free,
};

/**
 * vbus_vdpa_alloc() - make the device of a bus, which nobody sees yet
 * @bus:	bus
 * @parent:	parent device
 *
 * Return: it, to be registered or put, or an ERR_PTR().
 */
struct vbus_vdpa *vbus_vdpa_alloc(struct vbus_bus *bus, struct device *parent)
{
	char name[VBUS_NAME_LEN + 8];
	struct vbus_vdpa *v;
	unsigned int i;
	int err;

	snprintf(name, sizeof(name), "vbus-%s", bus->name);
	v = vdpa_alloc_device(struct vbus_vdpa, vdpa, parent, &vbus_vdpa_ops, 1,
			      1, name, false);
	if (IS_ERR(v))
		return v;
	v->bus = bus;
	mutex_init(&v->lock);
	INIT_WORK(&v->work, vbus_vdpa_work);
	for (i = 0; i < ARRAY_SIZE(v->vq); i++)
		spin_lock_init(&v->vq[i].cb_lock);
	v->vdpa.dma_dev = &v->vdpa.dev;
	v->vdpa.dev.dma_mask = &v->vdpa.dev.coherent_dma_mask;
	err = dma_set_mask_and_coherent(&v->vdpa.dev, DMA_BIT_MASK(64));
	if (err) {
		put_device(&v->vdpa.dev);
		return ERR_PTR(err);
	}
	return v;
}
