// SPDX-License-Identifier: GPL-2.0-only
/*
 * venet: what the host says of the link, and how people see it.
 *
 * The host's MTU is a suggestion, not a limit: a frame of any length up to
 * VENET_FRAME_MAX passes, whatever either end thinks.  So an interface whose MTU
 * nobody has changed here follows the host's, and one whose MTU was chosen here
 * keeps it.
 */
#include <linux/rtnetlink.h>
#include "venet.h"

/* The MTU that the host suggests, ours if that makes no sense. */
static u32 link_mtu(const struct venet_info *info, u32 ours)
{
	u32 mtu = le32_to_cpu(info->mtu);

	return mtu >= VENET_MTU_MIN && mtu <= VENET_MTU_MAX ? mtu : ours;
}

/* Speed of the link as ethtool has it. */
static u32 link_speed(const struct venet_info *info)
{
	u32 speed = le32_to_cpu(info->speed);

	return speed && speed <= INT_MAX ? speed : SPEED_UNKNOWN;
}

/* What the host says at first; the device is not registered yet. */
void venet_link_init(struct venet *v, const struct venet_info *info)
{
	v->dev->mtu = link_mtu(info, ETH_DATA_LEN);
	v->host_mtu = v->dev->mtu;
	v->host_speed = link_speed(info);
	v->speed = v->host_speed;
	v->duplex = DUPLEX_FULL;
}

static void link_follow_mtu(struct venet *v, u32 mtu)
{
	bool follow = v->dev->mtu == v->host_mtu;
	int err;

	v->host_mtu = mtu;
	if (!follow || v->dev->mtu == mtu)
		return;
	err = dev_set_mtu(v->dev, mtu);
	if (err && net_ratelimit())
		netdev_warn(v->dev, "cannot follow the host's MTU of %u: %d\n",
			    mtu, err);
}

/**
 * venet_link_update() - the host has something new to say
 * @v:		registered device; rtnl held
 * @info:	what it says
 */
void venet_link_update(struct venet *v, const struct venet_info *info)
{
	u32 speed = link_speed(info);

	ASSERT_RTNL();
	/* what was set here holds until the host says something else */
	if (speed != v->host_speed) {
		v->host_speed = speed;
		v->speed = speed;
	}
	link_follow_mtu(v, link_mtu(info, v->host_mtu));
	if (le32_to_cpu(info->link) & VENET_LINK_UP)
		netif_carrier_on(v->dev);
	else
		netif_carrier_off(v->dev);
}

int venet_get_link_ksettings(struct net_device *dev,
			     struct ethtool_link_ksettings *settings)
{
	const struct venet *v = netdev_priv(dev);

	settings->base.speed = v->speed;
	settings->base.duplex = v->duplex;
	settings->base.port = PORT_OTHER;
	settings->base.autoneg = AUTONEG_DISABLE;
	return 0;
}

/* The link has no speed of its own; bonding and others want one. */
int venet_set_link_ksettings(struct net_device *dev,
			     const struct ethtool_link_ksettings *settings)
{
	struct venet *v = netdev_priv(dev);

	return ethtool_virtdev_set_link_ksettings(dev, settings, &v->speed,
						  &v->duplex);
}

/*
 * Neither end sends pause frames or heeds them: a host that finds no receive
 * buffer waits by itself.
 */
void venet_get_pauseparam(struct net_device *dev,
			  struct ethtool_pauseparam *pause)
{
	pause->autoneg = AUTONEG_DISABLE;
	pause->rx_pause = 0;
	pause->tx_pause = 0;
}
