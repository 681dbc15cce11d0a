// SPDX-License-Identifier: GPL-2.0-only
/*
 * venet: which frames the host is to send us (VENET_CALL_RX_MODE).
 *
 * The net core changes its lists under a spinlock, and the host is told by a
 * call that sleeps: so a work item tells it.
 *
 * Locking: rx_mode_lock is held from the look at the lists until the host has
 * answered, so that what it is told last is the latest.  It may be taken with
 * and without rtnl.
 */
#include "venet.h"

/* A request with as many addresses as there may be. */
struct rx_mode_req {
	struct venet_rx_mode mode;
	u8 addr[VENET_RX_MODE_ADDRS][ETH_ALEN];
};

/* What the net core wants.  Returns the length of the request. */
static u32 rx_mode_fill(struct net_device *dev, struct rx_mode_req *req)
{
	struct netdev_hw_addr *ha;
	u32 flags = 0, n = 0, nuc;

	netif_addr_lock_bh(dev);
	if (dev->flags & IFF_PROMISC || netdev_uc_count(dev) > VENET_RX_MODE_ADDRS)
		flags |= VENET_RX_MODE_PROMISC;
	else
		netdev_for_each_uc_addr(ha, dev)
			ether_addr_copy(req->addr[n++], ha->addr);
	nuc = n;
	if (dev->flags & IFF_ALLMULTI ||
	    netdev_mc_count(dev) > VENET_RX_MODE_ADDRS - n)
		flags |= VENET_RX_MODE_ALLMULTI;
	else
		netdev_for_each_mc_addr(ha, dev)
			ether_addr_copy(req->addr[n++], ha->addr);
	netif_addr_unlock_bh(dev);

	req->mode.flags = cpu_to_le32(flags);
	req->mode.unicast = cpu_to_le16(nuc);
	req->mode.multicast = cpu_to_le16(n - nuc);
	return sizeof(req->mode) + n * ETH_ALEN;
}

/**
 * venet_rx_mode_tell() - tell the host what is to be received
 * @v:		device; process context
 *
 * Return: 0, or an errno: the host goes on as before.
 */
int venet_rx_mode_tell(struct venet *v)
{
	struct rx_mode_req req = {};
	u32 len;
	int ret;

	BUILD_BUG_ON(sizeof(req) > VBUS_CALL_MAX);
	if (!(v->features & VENET_F_RX_MODE))
		return -EOPNOTSUPP;
	mutex_lock(&v->rx_mode_lock);
	len = rx_mode_fill(v->dev, &req);
	ret = vbus_guest_call(v->vdev, VENET_CALL_RX_MODE, &req, len, NULL, 0);
	mutex_unlock(&v->rx_mode_lock);
	return ret < 0 ? ret : 0;
}

static void rx_mode_work(struct work_struct *work)
{
	struct venet *v = container_of(work, struct venet, rx_mode_work);
	int err = venet_rx_mode_tell(v);

	/* a host that is gone is told when it comes back, by venet_up() */
	if (err && READ_ONCE(v->running) && net_ratelimit())
		netdev_warn(v->dev, "cannot change the receive filter: %d\n",
			    err);
}

/* ndo_set_rx_mode: the lists are locked */
void venet_set_rx_mode(struct net_device *dev)
{
	struct venet *v = netdev_priv(dev);

	if (v->features & VENET_F_RX_MODE)
		schedule_work(&v->rx_mode_work);
}

void venet_rx_mode_init(struct venet *v)
{
	mutex_init(&v->rx_mode_lock);
	INIT_WORK(&v->rx_mode_work, rx_mode_work);
}

/* The device is not registered any more. */
void venet_rx_mode_exit(struct venet *v)
{
	cancel_work_sync(&v->rx_mode_work);
	mutex_destroy(&v->rx_mode_lock);
}
