// SPDX-License-Identifier: GPL-2.0-only
/*
 * venet: which queue pair receives which flow (ethtool -x, -X, and rx-flow-hash of
 * -n, -N).
 *
 * As long as the administrator has not asked for anything the host decides, and
 * sends a flow to the pair from which we last sent packets of it.  From then on it
 * goes by our key and table (VENET_CALL_RSS), until "ethtool -X default".
 *
 * Locking: rtnl.
 */
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include "venet.h"

u32 venet_rss_table_size(struct net_device *dev)
{
	struct venet *v = netdev_priv(dev);

	return v->features & VENET_F_RSS ? VENET_RSS_TABLE : 0;
}

u32 venet_rss_key_size(struct net_device *dev)
{
	struct venet *v = netdev_priv(dev);

	return v->features & VENET_F_RSS ? VENET_RSS_KEY : 0;
}

static void rss_table_default(struct venet *v, u8 *table)
{
	u32 i;

	for (i = 0; i < VENET_RSS_TABLE; i++)
		table[i] = ethtool_rxfh_indir_default(i, v->active);
}

/* A table that is not the administrator's follows the number of pairs in use. */
static void rss_table_follow(struct venet *v)
{
	if (!netif_is_rxfh_configured(v->dev))
		rss_table_default(v, v->rss.set.table);
}

static int rss_tell(struct venet *v, bool on)
{
	struct venet_rss set = v->rss.set;
	int ret;

	if (!on)
		set.types = 0;
	ret = vbus_guest_call(v->vdev, VENET_CALL_RSS, &set, sizeof(set), NULL,
			      0);
	return ret < 0 ? ret : 0;
}

/* Have the host do what @set says, or go on as before. */
static int rss_change(struct venet *v, const struct venet_rss *set)
{
	struct venet_rss old = v->rss.set;
	int err;

	v->rss.set = *set;
	err = rss_tell(v, true);
	if (err)
		v->rss.set = old;
	else
		v->rss.on = true;
	return err;
}

/*
 * A table like the default one was set.  Only after it was does the net core say
 * whether it is the administrator's, or whether he wants none any more.
 */
static void rss_settle_work(struct work_struct *work)
{
	struct venet *v = container_of(work, struct venet, rss.settle);

	rtnl_lock();
	if (v->rss.on && !netif_is_rxfh_configured(v->dev)) {
		v->rss.on = false;
		if (rss_tell(v, false))
			netdev_dbg(v->dev, "the host keeps the table\n");
	}
	rtnl_unlock();
}

void venet_rss_get(struct net_device *dev, u32 *table, u8 *key)
{
	struct venet *v = netdev_priv(dev);
	u32 i;

	rss_table_follow(v);
	for (i = 0; table && i < VENET_RSS_TABLE; i++)
		table[i] = v->rss.set.table[i];
	if (key)
		memcpy(key, v->rss.set.key, VENET_RSS_KEY);
}

/* @table and @key may be NULL: as it is. */
int venet_rss_set(struct net_device *dev, const u32 *table, const u8 *key,
		  u8 function)
{
	struct venet *v = netdev_priv(dev);
	u8 usual[VENET_RSS_TABLE];
	struct venet_rss set;
	int err;
	u32 i;

	if (!(v->features & VENET_F_RSS) ||
	    (function != ETH_RSS_HASH_NO_CHANGE && function != ETH_RSS_HASH_TOP))
		return -EOPNOTSUPP;
	rss_table_follow(v);
	set = v->rss.set;
	/* the net core has compared it with the number of rings */
	for (i = 0; table && i < VENET_RSS_TABLE; i++)
		set.table[i] = table[i];
	if (key)
		memcpy(set.key, key, VENET_RSS_KEY);
	err = rss_change(v, &set);
	if (err)
		return err;
	rss_table_default(v, usual);
	if (table && !key && !memcmp(set.table, usual, sizeof(usual)))
		schedule_work(&v->rss.settle);
	return 0;
}

/* The type of such packets whose ports may be hashed, 0: that is no choice. */
static u32 rss_type_l4(u32 flow_type)
{
	switch (flow_type) {
	case TCP_V4_FLOW:
		return VENET_RSS_TCPV4;
	case UDP_V4_FLOW:
		return VENET_RSS_UDPV4;
	case TCP_V6_FLOW:
		return VENET_RSS_TCPV6;
	case UDP_V6_FLOW:
		return VENET_RSS_UDPV6;
	}
	return 0;
}

#define RSS_ADDRESSES	((u64)(RXH_IP_SRC | RXH_IP_DST))
#define RSS_PORTS	((u64)(RXH_L4_B_0_1 | RXH_L4_B_2_3))

static int rss_get_fields(struct venet *v, struct ethtool_rxnfc *info)
{
	u32 l4 = rss_type_l4(info->flow_type);

	switch (info->flow_type) {
	case TCP_V4_FLOW:
	case UDP_V4_FLOW:
	case TCP_V6_FLOW:
	case UDP_V6_FLOW:
	case SCTP_V4_FLOW:
	case SCTP_V6_FLOW:
	case AH_ESP_V4_FLOW:
	case AH_ESP_V6_FLOW:
	case IPV4_FLOW:
	case IPV6_FLOW:
		info->data = RSS_ADDRESSES;
		if (le32_to_cpu(v->rss.set.types) & l4)
			info->data |= RSS_PORTS;
		return 0;
	}
	return -EOPNOTSUPP;
}

int venet_rss_get_rxnfc(struct net_device *dev, struct ethtool_rxnfc *info,
		    u32 *rules)
{
	struct venet *v = netdev_priv(dev);

	switch (info->cmd) {
	case ETHTOOL_GRXRINGS:
		info->data = v->active;
		return 0;
	case ETHTOOL_GRXFH:
		if (v->features & VENET_F_RSS)
			return rss_get_fields(v, info);
	}
	return -EOPNOTSUPP;
}

int venet_rss_set_rxnfc(struct net_device *dev, struct ethtool_rxnfc *info)
{
	struct venet *v = netdev_priv(dev);
	u32 l4 = rss_type_l4(info->flow_type);
	struct ethtool_rxnfc now = *info;
	struct venet_rss set;
	int err;

	if (info->cmd != ETHTOOL_SRXFH || !(v->features & VENET_F_RSS))
		return -EOPNOTSUPP;
	err = rss_get_fields(v, &now);
	if (err)
		return err;
	rss_table_follow(v);
	set = v->rss.set;
	if (info->data == (RSS_ADDRESSES | RSS_PORTS) && l4)
		set.types |= cpu_to_le32(l4);
	else if (info->data == RSS_ADDRESSES)
		set.types &= ~cpu_to_le32(l4);
	else
		return -EINVAL;
	if (v->rss.on)
		return rss_change(v, &set);
	/* it is a choice for when there is a table, and asks for none */
	v->rss.set = set;
	return 0;
}

void venet_rss_init(struct venet *v)
{
	INIT_WORK(&v->rss.settle, rss_settle_work);
	v->rss.set.types = cpu_to_le32(VENET_RSS_ALL);
	netdev_rss_key_fill(v->rss.set.key, VENET_RSS_KEY);
	rss_table_default(v, v->rss.set.table);
}

/**
 * venet_rss_start() - packets are about to flow; rtnl held
 * @v:		device; its number of pairs may be another one than before
 *
 * The host may have forgotten what it was told.
 *
 * Return: 0 or an errno.
 */
int venet_rss_start(struct venet *v)
{
	if (!v->rss.on)
		return 0;
	rss_table_follow(v);
	return rss_tell(v, true);
}

/* There is no more ethtool; rtnl not held. */
void venet_rss_exit(struct venet *v)
{
	cancel_work_sync(&v->rss.settle);
}
