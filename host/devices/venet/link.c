// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's end as a link: what of it guests are told, and what people are
 * told by "ip -d link" and by ethtool's link settings.
 *
 * A guest is told anew (QUERY) of the MTU, the speed and whether there is a link
 * whenever the host's end is changed by its administrator.  That happens under
 * the RTNL, and a device changes under vbus_config_lock, which is taken before
 * the RTNL: so a work item tells it.
 *
 * Lifetime: the work is cancelled before the device is freed.
 */
#define pr_fmt(fmt) "vbus_venet: " fmt

#include <net/rtnetlink.h>

#include "venet.h"

static void venet_announce_work(struct work_struct *work)
{
	struct venet_host *venet =
		container_of(work, struct venet_host, announce);

	mutex_lock(&vbus_config_lock);
	vbus_device_changed(&venet->dev);
	mutex_unlock(&vbus_config_lock);
}

/* Tell the guest, if there is one, that what it can query has changed. */
void venet_announce(struct venet_host *venet)
{
	schedule_work(&venet->announce);
}

void venet_link_init(struct venet_host *venet)
{
	INIT_WORK(&venet->announce, venet_announce_work);
	venet->speed = SPEED_UNKNOWN;
	venet->duplex = DUPLEX_FULL;
}

/* The device is about to be freed; vbus_config_lock is not held. */
void venet_link_exit(struct venet_host *venet)
{
	cancel_work_sync(&venet->announce);
}

/**
 * venet_link_state() - is there a link to the guest's end?
 * @venet:	enabled device
 *
 * As with a cable between two cards: not if either end is down.
 */
bool venet_link_state(const struct venet_host *venet)
{
	return READ_ONCE(venet->link) && netif_running(venet->netdev);
}

/* ndo_open, ndo_stop: the net core has noted it already */
int venet_netdev_open(struct net_device *netdev)
{
	venet_announce(netdev_venet(netdev));
	return 0;
}

int venet_netdev_stop(struct net_device *netdev)
{
	venet_announce(netdev_venet(netdev));
	return 0;
}

int venet_change_mtu(struct net_device *netdev, int mtu)
{
	WRITE_ONCE(netdev->mtu, mtu);
	venet_announce(netdev_venet(netdev));
	return 0;
}

int venet_get_link_ksettings(struct net_device *netdev,
			     struct ethtool_link_ksettings *settings)
{
	const struct venet_host *venet = netdev_venet(netdev);

	settings->base.speed = venet->speed;
	settings->base.duplex = venet->duplex;
	settings->base.port = PORT_OTHER;
	return 0;
}

/* The speed is what people say it is; some programs want one. */
int venet_set_link_ksettings(struct net_device *netdev,
			     const struct ethtool_link_ksettings *settings)
{
	struct venet_host *venet = netdev_venet(netdev);
	u32 speed;
	int err;

	err = ethtool_virtdev_set_link_ksettings(netdev, settings, &speed,
						 &venet->duplex);
	if (err)
		return err;
	WRITE_ONCE(venet->speed, speed);
	venet_announce(venet);
	return 0;
}

static size_t venet_rtnl_size(const struct net_device *netdev)
{
	return nla_total_size(VBUS_NAME_LEN) +	/* IFLA_VENET_DEVICE */
	       nla_total_size(VBUS_NAME_LEN) +	/* IFLA_VENET_BUS */
	       nla_total_size(sizeof(u32)) +	/* IFLA_VENET_SLOT */
	       nla_total_size(ETH_ALEN) +	/* IFLA_VENET_GUEST_MAC */
	       nla_total_size(sizeof(u32)) +	/* IFLA_VENET_PAIRS */
	       nla_total_size(sizeof(u32));	/* IFLA_VENET_ACTIVE_PAIRS */
}

static int venet_rtnl_fill(struct sk_buff *skb, const struct net_device *netdev)
{
	struct venet_host *venet = netdev_venet(netdev);
	char bus[VBUS_NAME_LEN];
	u32 active = READ_ONCE(venet->running) ? READ_ONCE(venet->active) : 0;
	unsigned int slot;

	if (nla_put_string(skb, IFLA_VENET_DEVICE, venet->dev.name) ||
	    nla_put(skb, IFLA_VENET_GUEST_MAC, ETH_ALEN, venet->mac) ||
	    nla_put_u32(skb, IFLA_VENET_PAIRS, venet->pairs) ||
	    nla_put_u32(skb, IFLA_VENET_ACTIVE_PAIRS, active))
		return -EMSGSIZE;
	if (vbus_device_where(&venet->dev, bus, &slot) &&
	    (nla_put_string(skb, IFLA_VENET_BUS, bus) ||
	     nla_put_u32(skb, IFLA_VENET_SLOT, slot)))
		return -EMSGSIZE;
	return 0;
}

/*
 * Only to be seen.  Without alloc and setup nobody makes one by "ip link add",
 * without dellink nobody deletes one, and with netns_refund it comes back when
 * the network namespace that it is in goes.
 */
struct rtnl_link_ops venet_link_ops __read_mostly = {
	.kind = "venet",
	.netns_refund = true,
	.get_size = venet_rtnl_size,
	.fill_info = venet_rtnl_fill,
};
