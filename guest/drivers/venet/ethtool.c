// SPDX-License-Identifier: GPL-2.0-only
/* venet: ethtool. */
#include <linux/ethtool.h>
#include <linux/log2.h>
#include "venet.h"

static const char venet_tx_names[VENET_TX_STATS][ETH_GSTRING_LEN] = {
	[VENET_TX_PACKETS] = "packets",
	[VENET_TX_BYTES] = "bytes",
	[VENET_TX_DROPS] = "drops",
	[VENET_TX_INLINE] = "inline",
	[VENET_TX_XDP] = "xdp",
	[VENET_TX_KICKS] = "kicks",
	[VENET_TX_QUIET] = "kicks_avoided",
	[VENET_TX_STOPS] = "stops",
	[VENET_TX_HOST_ERRORS] = "host_errors",
};

static const char venet_rx_names[VENET_RX_STATS][ETH_GSTRING_LEN] = {
	[VENET_RX_PACKETS] = "packets",
	[VENET_RX_BYTES] = "bytes",
	[VENET_RX_DROPS] = "drops",
	[VENET_RX_COPIED] = "copied",
	[VENET_RX_KICKS] = "kicks",
	[VENET_RX_QUIET] = "kicks_avoided",
	[VENET_RX_POLLS] = "polls",
	[VENET_RX_STARVED] = "starved",
	[VENET_RX_HOST_ERRORS] = "host_errors",
	[VENET_RX_XDP_DROP] = "xdp_drop",
	[VENET_RX_XDP_TX] = "xdp_tx",
	[VENET_RX_XDP_REDIRECT] = "xdp_redirect",
	[VENET_RX_XDP_ERRORS] = "xdp_errors",
};

/* In the order of struct vbus_lane_stats, which is shown as it is. */
static const char venet_lane_names[][ETH_GSTRING_LEN] = {
	"interrupts", "disturbed", "polls", "events", "spurious", "arms", "rearms",
	"held", "spins_won", "spins_lost", "kicks", "coalesced", "doorbells", "full",
	"outranked", "raised",
};

#define VENET_LANE_STATS	ARRAY_SIZE(venet_lane_names)
#define VENET_PAIR_STATS	(VENET_TX_STATS + VENET_RX_STATS + VENET_LANE_STATS)

static void venet_get_drvinfo(struct net_device *dev,
			      struct ethtool_drvinfo *info)
{
	struct venet *v = netdev_priv(dev);

	strscpy(info->driver, "venet", sizeof(info->driver));
	strscpy(info->bus_info, dev_name(&v->vdev->dev),
		sizeof(info->bus_info));
}

static int venet_get_sset_count(struct net_device *dev, int set)
{
	struct venet *v = netdev_priv(dev);

	if (set != ETH_SS_STATS)
		return -EOPNOTSUPP;
	return v->npairs * VENET_PAIR_STATS;
}

static void venet_get_strings(struct net_device *dev, u32 set, u8 *data)
{
	struct venet *v = netdev_priv(dev);
	u32 i, j;

	if (set != ETH_SS_STATS)
		return;
	for (i = 0; i < v->npairs; i++) {
		for (j = 0; j < VENET_TX_STATS; j++)
			ethtool_sprintf(&data, "tx%u_%s", i, venet_tx_names[j]);
		for (j = 0; j < VENET_RX_STATS; j++)
			ethtool_sprintf(&data, "rx%u_%s", i, venet_rx_names[j]);
		for (j = 0; j < VENET_LANE_STATS; j++)
			ethtool_sprintf(&data, "lane%u_%s",
					v->pair[i].poll.lane->index,
					venet_lane_names[j]);
	}
}

static void venet_get_ethtool_stats(struct net_device *dev,
				    struct ethtool_stats *stats, u64 *data)
{
	struct venet *v = netdev_priv(dev);
	struct vbus_lane_stats lane;
	struct venet_pair *pair;
	u32 i;

	BUILD_BUG_ON(sizeof(lane) != VENET_LANE_STATS * sizeof(u64));
	for (i = 0; i < v->npairs; i++) {
		pair = &v->pair[i];
		venet_stats_read(&pair->tx.sync, pair->tx.stat, data, VENET_TX_STATS);
		data += VENET_TX_STATS;
		venet_stats_read(&pair->rx.sync, pair->rx.stat, data, VENET_RX_STATS);
		data += VENET_RX_STATS;
		vbus_guest_lane_stats(pair->poll.lane, &lane);
		memcpy(data, &lane, sizeof(lane));
		data += VENET_LANE_STATS;
	}
}

static void venet_get_ringparam(struct net_device *dev,
				struct ethtool_ringparam *ring,
				struct kernel_ethtool_ringparam *kernel_ring,
				struct netlink_ext_ack *extack)
{
	struct venet *v = netdev_priv(dev);

	ring->rx_max_pending = VENET_RING_MAX;
	ring->tx_max_pending = VENET_RING_MAX;
	ring->rx_pending = 1u << v->rx_log2;
	ring->tx_pending = 1u << v->tx_log2;
}

static bool venet_ring_valid(u32 n)
{
	return n >= VENET_RING_MIN && n <= VENET_RING_MAX && is_power_of_2(n);
}

static int venet_set_ringparam(struct net_device *dev,
			       struct ethtool_ringparam *ring,
			       struct kernel_ethtool_ringparam *kernel_ring,
			       struct netlink_ext_ack *extack)
{
	struct venet *v = netdev_priv(dev);
	u32 rx_log2 = v->rx_log2, tx_log2 = v->tx_log2;
	bool running = v->running;
	int err;

	if (!venet_ring_valid(ring->rx_pending) ||
	    !venet_ring_valid(ring->tx_pending)) {
		NL_SET_ERR_MSG(extack, "rings have 64 to 4096 descriptors, a power of two");
		return -EINVAL;
	}
	if (ring->rx_pending == 1u << rx_log2 &&
	    ring->tx_pending == 1u << tx_log2)
		return 0;

	/* sizes of rings that exist must not change */
	if (running)
		venet_down(v);
	v->rx_log2 = ilog2(ring->rx_pending);
	v->tx_log2 = ilog2(ring->tx_pending);
	if (!running)
		return 0;
	err = venet_up(v);
	if (!err)
		return 0;
	v->rx_log2 = rx_log2;
	v->tx_log2 = tx_log2;
	if (venet_up(v))
		netdev_err(dev, "cannot restart with the old rings either\n");
	return err;
}

static void venet_get_channels(struct net_device *dev,
			       struct ethtool_channels *channels)
{
	struct venet *v = netdev_priv(dev);

	channels->max_combined = v->npairs;
	channels->combined_count = v->active;
}

static int venet_set_channels(struct net_device *dev,
			      struct ethtool_channels *channels)
{
	/* the net core has compared it with max_combined */
	if (!channels->combined_count)
		return -EINVAL;
	return venet_set_pairs(netdev_priv(dev), channels->combined_count);
}

VBUS_COMPAT_GET_RXFH(venet_get_rxfh, venet_rss_get)
VBUS_COMPAT_SET_RXFH(venet_set_rxfh, venet_rss_set)

const struct ethtool_ops venet_ethtool_ops = {
	.supported_coalesce_params = ETHTOOL_COALESCE_RX_USECS |
				     ETHTOOL_COALESCE_RX_MAX_FRAMES |
				     ETHTOOL_COALESCE_USE_ADAPTIVE_RX,
	.get_drvinfo = venet_get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_sset_count = venet_get_sset_count,
	.get_strings = venet_get_strings,
	.get_ethtool_stats = venet_get_ethtool_stats,
	.get_ringparam = venet_get_ringparam,
	.set_ringparam = venet_set_ringparam,
	.get_channels = venet_get_channels,
	.set_channels = venet_set_channels,
	.get_coalesce = venet_get_coalesce,
	.set_coalesce = venet_set_coalesce,
	.get_rxfh_indir_size = venet_rss_table_size,
	.get_rxfh_key_size = venet_rss_key_size,
	.get_rxfh = venet_get_rxfh,
	.set_rxfh = venet_set_rxfh,
	.get_rxnfc = venet_rss_get_rxnfc,
	.set_rxnfc = venet_rss_set_rxnfc,
	.get_link_ksettings = venet_get_link_ksettings,
	.set_link_ksettings = venet_set_link_ksettings,
	.get_pauseparam = venet_get_pauseparam,
	.get_ts_info = ethtool_op_get_ts_info,
};
