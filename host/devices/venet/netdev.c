// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's end of a venet: a net_device like any other.
 *
 * Lifetime: exists while the device is enabled.  Its carrier is on while a
 * guest has started the device.
 */
#define pr_fmt(fmt) "vbus_venet: " fmt

#include <linux/rtnetlink.h>

#include "venet.h"
#include "venet_tunnel.h"

#define VENET_FEATURES_TUNNEL	(NETIF_F_GSO_UDP_TUNNEL | \
				 NETIF_F_GSO_UDP_TUNNEL_CSUM)
#define VENET_FEATURES_TAG	(NETIF_F_HW_VLAN_CTAG_TX | \
				 NETIF_F_HW_VLAN_STAG_TX)
/* What depends on the guest. */
#define VENET_FEATURES_GUEST	(NETIF_F_CSUM_MASK | NETIF_F_GSO_MASK | \
				 VENET_FEATURES_TAG)

/* What a running device always does, whatever the guest can take. */
#define VENET_FEATURES_ALWAYS	(NETIF_F_SG | NETIF_F_HIGHDMA | \
				 NETIF_F_FRAGLIST)

static netdev_features_t venet_features_of_guest(u64 features)
{
	netdev_features_t f = VENET_FEATURES_ALWAYS;

	if (features & VENET_F_RX_CSUM)
		f |= NETIF_F_HW_CSUM;
	if (features & VENET_F_RX_TSO4)
		f |= NETIF_F_TSO | NETIF_F_TSO_ECN;
	if (features & VENET_F_RX_TSO6)
		f |= NETIF_F_TSO6;
	if (features & VENET_F_RX_USO)
		f |= NETIF_F_GSO_UDP_L4;
	if (features & VENET_F_RX_TUNNEL)
		f |= VENET_FEATURES_TUNNEL;
	if (features & VENET_F_RX_VLAN)
		f |= NETIF_F_HW_VLAN_CTAG_TX;
	if (features & VENET_F_RX_SVLAN)
		f |= NETIF_F_HW_VLAN_STAG_TX;
	return f;
}

/* What this guest cannot take the stack does, packet by packet. */
static netdev_features_t venet_features_check(struct sk_buff *skb,
					      struct net_device *netdev,
					      netdev_features_t features)
{
	const struct venet_host *venet = netdev_venet(netdev);
	netdev_features_t can = venet_features_of_guest(READ_ONCE(venet->features));

	features &= can | ~VENET_FEATURES_GUEST;
	if (unlikely(skb->ip_summed == CHECKSUM_PARTIAL &&
		     skb->csum_offset > VENET_CSUM_OFFSET_MAX))
		features &= ~(NETIF_F_CSUM_MASK | NETIF_F_GSO_MASK);
	return venet_tunnel_check(skb, features);
}

static void venet_stats_add(const struct venet_stats *s, u64 *packets,
			    u64 *bytes, u64 *dropped, u64 *errors)
{
	u64 p, b, d, e;
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&s->syncp);
		p = u64_stats_read(&s->packets);
		b = u64_stats_read(&s->bytes);
		d = u64_stats_read(&s->dropped);
		e = u64_stats_read(&s->errors);
	} while (u64_stats_fetch_retry(&s->syncp, start));
	*packets += p;
	*bytes += b;
	*dropped += d;
	*errors += e;
}

static void venet_get_stats64(struct net_device *netdev,
			      struct rtnl_link_stats64 *s)
{
	const struct venet_host *venet = netdev_venet(netdev);
	u32 i;

	for (i = 0; i < venet->pairs; i++) {
		/* what the guest sends is received here */
		venet_stats_add(&venet->pair[i].tx_stats, &s->rx_packets,
				&s->rx_bytes, &s->rx_dropped, &s->rx_errors);
		venet_stats_add(&venet->pair[i].rx_stats, &s->tx_packets,
				&s->tx_bytes, &s->tx_dropped, &s->tx_errors);
	}
}

static void venet_loan_stats_add(const struct venet_loan_stats *s, u64 *data)
{
	u64 lent, back, copied, refused;
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&s->syncp);
		lent = u64_stats_read(&s->lent);
		back = u64_stats_read(&s->back);
		copied = u64_stats_read(&s->copied);
		refused = u64_stats_read(&s->refused);
	} while (u64_stats_fetch_retry(&s->syncp, start));
	data[0] += lent;
	data[1] += back;
	data[2] += copied;
	data[3] += refused;
}

static const struct net_device_ops venet_netdev_ops = {
	.ndo_open = venet_netdev_open,
	.ndo_stop = venet_netdev_stop,
	.ndo_start_xmit = venet_start_xmit,
	.ndo_select_queue = venet_steer_pick,
	.ndo_features_check = venet_features_check,
	.ndo_get_stats64 = venet_get_stats64,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_change_mtu = venet_change_mtu,
};

static void venet_get_drvinfo(struct net_device *netdev,
			      struct ethtool_drvinfo *info)
{
	struct venet_host *venet = netdev_venet(netdev);
	char bus[VBUS_NAME_LEN];
	unsigned int slot;

	strscpy(info->driver, "vbus_venet", sizeof(info->driver));
	if (vbus_device_where(&venet->dev, bus, &slot))
		scnprintf(info->bus_info, sizeof(info->bus_info), "%.28s.%u",
			  bus, slot);
}

/* How many are on offer, and how many the guest uses. */
static void venet_get_channels(struct net_device *netdev,
			       struct ethtool_channels *channels)
{
	const struct venet_host *venet = netdev_venet(netdev);

	channels->max_combined = venet->pairs;
	channels->combined_count = READ_ONCE(venet->running) ?
				   READ_ONCE(venet->active) : venet->pairs;
}

static const char venet_stat_names[][ETH_GSTRING_LEN] = {
	"guest_sent_packets", "guest_sent_bytes", "guest_sent_dropped",
	"guest_sent_malformed", "guest_received_packets",
	"guest_received_bytes", "guest_received_dropped",
	"guest_received_errors", "guest_buffer_stalls",
	"guest_received_filtered",
	"guest_sent_by_reference", "guest_references_back",
	"guest_references_copied", "guest_references_refused",
};

static int venet_get_sset_count(struct net_device *netdev, int sset)
{
	return sset == ETH_SS_STATS ? ARRAY_SIZE(venet_stat_names) :
				      -EOPNOTSUPP;
}

static void venet_get_strings(struct net_device *netdev, u32 sset, u8 *data)
{
	if (sset == ETH_SS_STATS)
		memcpy(data, venet_stat_names, sizeof(venet_stat_names));
}

static void venet_get_ethtool_stats(struct net_device *netdev,
				    struct ethtool_stats *stats, u64 *data)
{
	const struct venet_host *venet = netdev_venet(netdev);
	u32 i;

	memset(data, 0, sizeof(*data) * ARRAY_SIZE(venet_stat_names));
	for (i = 0; i < venet->pairs; i++) {
		venet_stats_add(&venet->pair[i].tx_stats, &data[0], &data[1],
				&data[2], &data[3]);
		venet_stats_add(&venet->pair[i].rx_stats, &data[4], &data[5],
				&data[6], &data[7]);
		data[8] += u64_stats_read(&venet->pair[i].rx_stats.stalls);
		data[9] += u64_stats_read(&venet->pair[i].rx_stats.filtered);
		venet_loan_stats_add(&venet->pair[i].loan_stats, &data[10]);
	}
}

static const struct ethtool_ops venet_ethtool_ops = {
	.get_drvinfo = venet_get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_ts_info = ethtool_op_get_ts_info,
	.get_sset_count = venet_get_sset_count,
	.get_strings = venet_get_strings,
	.get_ethtool_stats = venet_get_ethtool_stats,
	.get_channels = venet_get_channels,
	.get_link_ksettings = venet_get_link_ksettings,
	.set_link_ksettings = venet_set_link_ksettings,
};

static void venet_netdev_setup(struct net_device *netdev)
{
	ether_setup(netdev);
	netdev->netdev_ops = &venet_netdev_ops;
	netdev->ethtool_ops = &venet_ethtool_ops;
	netdev->rtnl_link_ops = &venet_link_ops;
	netdev->features = VENET_FEATURES_ALWAYS | NETIF_F_HW_CSUM |
			   NETIF_F_TSO | NETIF_F_TSO_ECN | NETIF_F_TSO6 |
			   NETIF_F_GSO_UDP_L4 | VENET_FEATURES_TUNNEL;
	netdev->vlan_features = netdev->features;
	netdev->features |= VENET_FEATURES_TAG;
	netdev->hw_enc_features = netdev->features;
	netdev->features |= NETIF_F_HW_VLAN_CTAG_RX | NETIF_F_HW_VLAN_STAG_RX;
	netdev->hw_features = netdev->features & ~NETIF_F_HIGHDMA;
	netdev->priv_flags &= ~IFF_TX_SKB_SHARING;
	netdev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	netdev->min_mtu = VENET_MTU_MIN;
	netdev->max_mtu = VENET_MTU_MAX;
}

/**
 * venet_netdev_create() - make and register the host's end
 * @venet:	device, not enabled
 *
 * Return: 0 or a negative errno; -EEXIST if the name is taken.
 */
int venet_netdev_create(struct venet_host *venet)
{
	struct net_device *netdev;
	u32 i;
	int err;

	netdev = alloc_netdev_mqs(sizeof(struct venet_netdev), venet->ifname,
				  NET_NAME_USER, venet_netdev_setup,
				  venet->pairs, venet->pairs);
	if (!netdev)
		return -ENOMEM;
	((struct venet_netdev *)netdev_priv(netdev))->venet = venet;
	eth_hw_addr_set(netdev, venet->host_mac);
	netdev->mtu = venet->mtu;
	for (i = 0; i < VENET_PAIRS_MAX; i++) {
		memset(&venet->pair[i].tx_stats, 0, sizeof(struct venet_stats));
		memset(&venet->pair[i].rx_stats, 0, sizeof(struct venet_stats));
		memset(&venet->pair[i].loan_stats, 0,
		       sizeof(struct venet_loan_stats));
		u64_stats_init(&venet->pair[i].tx_stats.syncp);
		u64_stats_init(&venet->pair[i].rx_stats.syncp);
		u64_stats_init(&venet->pair[i].loan_stats.syncp);
	}
	netif_carrier_off(netdev);
	venet->active = 0;
	venet->netdev = netdev;
	err = register_netdev(netdev);
	if (err) {
		venet->netdev = NULL;
		free_netdev(netdev);
	}
	return err;
}

/* No guest has the device open. */
void venet_netdev_destroy(struct venet_host *venet)
{
	unregister_netdev(venet->netdev);
	free_netdev(venet->netdev);
	venet->netdev = NULL;
}
