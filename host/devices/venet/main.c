// SPDX-License-Identifier: GPL-2.0-only
/*
 * venet device class: what the core calls.  Protocol: uapi/vbus/venet.h.
 *
 * Locking: vbus_config_lock for alloc, enable and disable; none for free, which
 * waits for work that takes it; bus->lock for everything a guest asks for.  The
 * RTNL must not be taken under bus->lock.
 */
#define pr_fmt(fmt) "vbus_venet: " fmt

#include <linux/module.h>
#include <linux/slab.h>
#include <net/rtnetlink.h>

#include "venet.h"

static struct vbus_device *venet_alloc(const char *name)
{
	struct venet_host *venet = kzalloc(sizeof(*venet), GFP_KERNEL);

	if (!venet)
		return ERR_PTR(-ENOMEM);
	strscpy(venet->ifname, "venet%d", sizeof(venet->ifname));
	if (strlen(name) < IFNAMSIZ && dev_valid_name(name))
		strscpy(venet->ifname, name, sizeof(venet->ifname));
	eth_random_addr(venet->mac);
	eth_random_addr(venet->host_mac);
	venet->mtu = ETH_DATA_LEN;
	/* as many as a bus has lanes by default */
	venet->pairs = min(num_online_cpus(), VENET_PAIRS_MAX);
	venet->zerocopy_bytes = VENET_ZEROCOPY_BYTES;
	venet->link = true;
	venet_link_init(venet);
	return &venet->dev;
}

static void venet_free(struct vbus_device *dev)
{
	struct venet_host *venet = to_venet(dev);

	venet_link_exit(venet);
	kfree(venet);
}

static int venet_enable(struct vbus_device *dev)
{
	return venet_netdev_create(to_venet(dev));
}

static void venet_disable(struct vbus_device *dev)
{
	venet_netdev_destroy(to_venet(dev));
}

static int venet_open(struct vbus_device *dev)
{
	struct venet_host *venet = to_venet(dev);
	u32 i;

	/* what an earlier guest asked for is not this one's wish */
	for (i = 0; i < VENET_PAIRS_MAX; i++) {
		venet->pair[i].hold_us = 0;
		venet->pair[i].hold_frames = 0;
	}
	return 0;
}

static void venet_halt(struct venet_host *venet)
{
	if (!venet->running)
		return;
	netif_carrier_off(venet->netdev);
	WRITE_ONCE(venet->running, false);
	/* no lane owner and no sender that saw it running is left */
	synchronize_rcu();
	WRITE_ONCE(venet->features, 0);
	/* packets that wait for a guest that is gone wait in vain */
	netif_tx_wake_all_queues(venet->netdev);
}

/*
 * The guest wants its memory back.  Frames of its that are still on their way by
 * reference may keep it waiting for a moment, not longer.
 */
static u32 venet_stop(struct venet_host *venet)
{
	venet_halt(venet);
	return venet_loans_settle(venet) ? VBUS_OK : VBUS_EBUSY;
}

static void venet_close(struct vbus_device *dev)
{
	venet_halt(to_venet(dev));
	venet_filter_clear(to_venet(dev));
	venet_steer_close(to_venet(dev));
}

static u32 venet_query(struct venet_host *venet, void *out, size_t *outlen)
{
	u32 speed = READ_ONCE(venet->speed);
	struct venet_info info = {
		.features = cpu_to_le64(VENET_F_ALL),
		.mtu = cpu_to_le32(READ_ONCE(venet->netdev->mtu)),
		.link = cpu_to_le32(venet_link_state(venet) ? VENET_LINK_UP : 0),
		.speed = cpu_to_le32(speed == SPEED_UNKNOWN ? 0 : speed),
		.pairs = cpu_to_le32(venet->pairs),
		.priority = venet->priority,
	};

	ether_addr_copy(info.mac, venet->mac);
	memcpy(out, &info, sizeof(info));
	*outlen = sizeof(info);
	return VBUS_OK;
}

/* Segmentation offloads make no sense without the checksum's. */
static bool venet_features_valid(u64 f)
{
	if (f & ~VENET_F_ALL)
		return false;
	if (f & (VENET_F_TX_TSO4 | VENET_F_TX_TSO6 | VENET_F_TX_USO |
		 VENET_F_TX_TUNNEL) && !(f & VENET_F_TX_CSUM))
		return false;
	return !(f & (VENET_F_RX_TSO4 | VENET_F_RX_TSO6 | VENET_F_RX_USO |
		      VENET_F_RX_TUNNEL)) || f & VENET_F_RX_CSUM;
}

static u32 venet_start(struct venet_host *venet, const void *in, size_t len)
{
	const struct venet_start *start = in;
	u32 i, pairs;
	u64 features;

	if (len < sizeof(*start))
		return VBUS_EINVAL;
	features = le64_to_cpu(start->features);
	pairs = le32_to_cpu(start->pairs);
	if (!venet_features_valid(features))
		return VBUS_EOPNOTSUPP;
	if (!pairs || pairs > venet->pairs)
		return VBUS_EINVAL;
	for (i = 0; i < pairs; i++)
		if (!venet->dev.queue[VENET_SHM_RX(i)] ||
		    !venet->dev.queue[VENET_SHM_TX(i)])
			return VBUS_EINVAL;
	if (!venet_steer_fits(venet, pairs))
		return VBUS_EINVAL;
	if (venet->running)
		return VBUS_EBUSY;
	venet_steer_start(venet);
	WRITE_ONCE(venet->features, features);
	WRITE_ONCE(venet->active, pairs);
	/* Z: orders what START says before @running; pairs with O in venet_start_xmit() */
	smp_store_release(&venet->running, true);
	netif_tx_wake_all_queues(venet->netdev);
	if (READ_ONCE(venet->link))
		netif_carrier_on(venet->netdev);
	return VBUS_OK;
}

/* The administrator pulls the cable, or plugs it in; vbus_config_lock. */
void venet_set_link(struct venet_host *venet, bool link)
{
	struct vbus_bus *bus = venet->dev.bus;

	lockdep_assert_held(&vbus_config_lock);
	if (bus)
		mutex_lock(&bus->lock);
	WRITE_ONCE(venet->link, link);
	if (venet->running && link)
		netif_carrier_on(venet->netdev);
	else if (venet->running)
		netif_carrier_off(venet->netdev);
	if (bus)
		mutex_unlock(&bus->lock);
	vbus_device_changed(&venet->dev);
}

static u32 venet_set_mac(struct venet_host *venet, const void *in, size_t len)
{
	const struct venet_mac *mac = in;
	u32 status;

	if (len < sizeof(*mac) || !is_valid_ether_addr(mac->mac))
		return VBUS_EINVAL;
	status = venet_filter_set_mac(venet, mac->mac);
	if (status == VBUS_OK)
		ether_addr_copy(venet->mac, mac->mac);
	return status;
}

static u32 venet_coalesce(struct venet_host *venet, const void *in, size_t len)
{
	const struct venet_coalesce *c = in;
	u32 i, usecs, frames;
	struct vbus_queue *q;

	if (len < sizeof(*c))
		return VBUS_EINVAL;
	i = le32_to_cpu(c->pair);
	usecs = le32_to_cpu(c->usecs);
	frames = le32_to_cpu(c->frames);
	if (i >= venet->pairs || usecs > VENET_COALESCE_USECS_MAX ||
	    frames > VENET_COALESCE_FRAMES_MAX)
		return VBUS_EINVAL;
	venet->pair[i].hold_us = usecs;
	venet->pair[i].hold_frames = frames;
	q = venet->dev.queue[VENET_SHM_RX(i)];
	if (q)
		vbus_queue_coalesce(q, usecs, frames);
	return VBUS_OK;
}

static u32 venet_call(struct vbus_device *dev, u32 func, const void *in,
		      size_t inlen, void *out, size_t *outlen)
{
	struct venet_host *venet = to_venet(dev);
	size_t room = *outlen;

	BUILD_BUG_ON(sizeof(struct venet_info) > VBUS_CALL_MAX);
	*outlen = 0;
	switch (func) {
	case VENET_CALL_QUERY:
		return room < sizeof(struct venet_info) ? VBUS_EINVAL :
		       venet_query(venet, out, outlen);
	case VENET_CALL_START:
		return venet_start(venet, in, inlen);
	case VENET_CALL_STOP:
		return venet_stop(venet);
	case VENET_CALL_SET_MAC:
		return venet_set_mac(venet, in, inlen);
	case VENET_CALL_COALESCE:
		return venet_coalesce(venet, in, inlen);
	case VENET_CALL_RX_MODE:
		return venet_filter_set(venet, in, inlen);
	case VENET_CALL_RSS:
		return venet_steer_call(venet, in, inlen);
	}
	return VBUS_ENOSYS;
}

static u32 venet_queue_add(struct vbus_device *dev, struct vbus_queue *q)
{
	struct venet_host *venet = to_venet(dev);
	u32 i = q->shm / 2;

	if (i >= venet->pairs)
		return VBUS_EINVAL;
	if (venet->running)
		return VBUS_EBUSY;
	q->priv = &venet->pair[i];
	if (q->shm == VENET_SHM_RX(i)) {
		q->ops = &venet_rx_ops;
		vbus_queue_coalesce(q, venet->pair[i].hold_us,
				    venet->pair[i].hold_frames);
		rcu_assign_pointer(venet->pair[i].rx, q);
	} else {
		q->ops = &venet_tx_ops;
		if (venet->zerocopy_bytes)
			venet->pair[i].loans = venet_loans_create(q);
		rcu_assign_pointer(venet->pair[i].tx, q);
	}
	return VBUS_OK;
}

static void venet_queue_remove(struct vbus_device *dev, struct vbus_queue *q)
{
	struct venet_host *venet = to_venet(dev);
	u32 i = q->shm / 2;

	if (q->shm == VENET_SHM_RX(i)) {
		RCU_INIT_POINTER(venet->pair[i].rx, NULL);
	} else {
		RCU_INIT_POINTER(venet->pair[i].tx, NULL);
		venet_loans_detach(venet->pair[i].loans);
		venet->pair[i].loans = NULL;
	}
}

/* The guest is paused: hold what is for it. */
static void venet_quiesce(struct vbus_device *dev)
{
	struct venet_host *venet = to_venet(dev);

	/* not while a sender may start its queue again: venet_rx_wait() */
	if (venet->running)
		netif_tx_disable(venet->netdev);
}

static void venet_resume(struct vbus_device *dev)
{
	struct venet_host *venet = to_venet(dev);

	if (venet->running)
		netif_tx_wake_all_queues(venet->netdev);
}

static const struct vbus_class_ops venet_class = {
	.owner = THIS_MODULE,
	.name = "venet",
	.type = VENET_TYPE,
	.attrs = venet_attrs,
	.alloc = venet_alloc,
	.free = venet_free,
	.enable = venet_enable,
	.disable = venet_disable,
	.open = venet_open,
	.close = venet_close,
	.call = venet_call,
	.queue_add = venet_queue_add,
	.queue_remove = venet_queue_remove,
	.quiesce = venet_quiesce,
	.resume = venet_resume,
};

static int __init venet_init(void)
{
	int err;

	err = rtnl_link_register(&venet_link_ops);
	if (err)
		return err;
	err = vbus_class_register(&venet_class);
	if (err)
		rtnl_link_unregister(&venet_link_ops);
	return err;
}
module_init(venet_init);

static void __exit venet_exit(void)
{
	vbus_class_unregister(&venet_class);
	rtnl_link_unregister(&venet_link_ops);
	/*
	 * Whoever gave the last packet back, and so its reference of the module,
	 * may not have returned from venet_loan_back() yet.
	 */
	synchronize_rcu();
	synchronize_rcu_tasks();
}
module_exit(venet_exit);

MODULE_DESCRIPTION("VBUS device class venet: 802.x network device");
MODULE_LICENSE("GPL");
MODULE_ALIAS("vbus-class-venet");
