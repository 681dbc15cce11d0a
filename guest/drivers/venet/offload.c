// SPDX-License-Identifier: GPL-2.0-only
/*
 * venet: offloads.  What the host offers becomes features of the net_device, and
 * what of them is on is told to the host by START.
 */
#include <linux/if_vlan.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include "venet.h"
#include "venet_pkt.h"
#include "venet_tunnel.h"

/* What is received unsegmented, as far as this kernel can make use of it. */
static const u64 venet_rx_unsegmented =
	VENET_F_RX_TSO4 | VENET_F_RX_TSO6 | VENET_F_RX_TUNNEL
#ifdef VIRTIO_NET_HDR_GSO_UDP_L4
	| VENET_F_RX_USO
#endif
	;

/* A change of these is a matter for START. */
#define VENET_START_FEATURES	(NETIF_F_RXCSUM | NETIF_F_RXHASH | NETIF_F_GRO_HW | \
				 NETIF_F_HW_VLAN_CTAG_RX | NETIF_F_HW_VLAN_STAG_RX)

/* What the host may leave undone to, or beside, what it sends. */
static u64 venet_rx_wanted(const struct venet *v)
{
	netdev_features_t f = v->dev->features;
	u64 wanted = 0;

	if (f & NETIF_F_RXHASH)
		wanted |= VENET_F_RX_HASH;
	/* what XDP passes on cannot say what is left to be done to it */
	if (rtnl_dereference(v->xdp_prog))
		return wanted;
	if (f & NETIF_F_RXCSUM)
		wanted |= VENET_F_RX_CSUM;
	if (f & NETIF_F_RXCSUM && f & NETIF_F_GRO_HW)
		wanted |= venet_rx_unsegmented;
	if (f & NETIF_F_HW_VLAN_CTAG_RX)
		wanted |= VENET_F_RX_VLAN;
	if (f & NETIF_F_HW_VLAN_STAG_RX)
		wanted |= VENET_F_RX_SVLAN;
	return wanted;
}

/**
 * venet_start_features() - what the host is asked for when the device starts
 * @v:		device; rtnl held
 *
 * Return: VENET_F_* of offloads.
 */
u64 venet_start_features(const struct venet *v)
{
	return v->features & (VENET_F_TX_CSUM | VENET_F_TX_TSO4 |
			      VENET_F_TX_TSO6 | VENET_F_TX_USO |
			      VENET_F_TX_TUNNEL | VENET_F_TX_VLAN |
			      VENET_F_TX_SVLAN | venet_rx_wanted(v));
}

/**
 * venet_rx_flags() - what the host may say of a frame
 * @features:	VENET_F_* of START
 *
 * Return: VENET_PKT_F_*.
 */
u16 venet_rx_flags(u64 features)
{
	return VENET_PKT_F_CSUM_OK |
	       venet_pkt_flags(features & VENET_F_RX_TUNNEL,
			       features & VENET_F_RX_VLAN,
			       features & VENET_F_RX_SVLAN);
}

/* ndo_set_features */
int venet_set_features(struct net_device *dev, netdev_features_t features)
{
	struct venet *v = netdev_priv(dev);
	netdev_features_t old = dev->features;
	netdev_features_t start = (old ^ features) & VENET_START_FEATURES;
	int err;

	if (!start || !v->running)
		return 0;
	venet_down(v);
	/* START wants to see the new ones; the net core stores them all */
	dev->features ^= start;
	err = venet_up(v);
	dev->features = old;
	if (err && venet_up(v))
		netdev_err(dev, "cannot restart\n");
	return err;
}

/* ndo_features_check: what the host would not take the stack does. */
netdev_features_t venet_features_check(struct sk_buff *skb,
				       struct net_device *dev,
				       netdev_features_t features)
{
	features = venet_tunnel_check(skb, vlan_features_check(skb, features));
	/*
	 * A tunnel's outer checksum is complete before the inner one, unless it
	 * crosses unsegmented.  Address translation on the host would take both
	 * for open, and spoil the outer one.
	 */
	if (skb->encapsulation &&
	    !(skb_is_gso(skb) && net_gso_ok(features | NETIF_F_GSO_ROBUST,
					    skb_shinfo(skb)->gso_type)))
		features &= ~NETIF_F_CSUM_MASK;
	return features;
}

/**
 * venet_setup_features() - what the device can do, and does at first
 * @dev:	device that is being probed
 * @host:	VENET_F_* that the host offers
 */
void venet_setup_features(struct net_device *dev, u64 host)
{
	netdev_features_t f = NETIF_F_SG;

	if (host & VENET_F_TX_CSUM) {
		f |= NETIF_F_HW_CSUM;
		if (host & VENET_F_TX_TSO4)
			f |= NETIF_F_TSO | NETIF_F_TSO_ECN;
		if (host & VENET_F_TX_TSO6)
			f |= NETIF_F_TSO6;
		if (host & VENET_F_TX_USO)
			f |= NETIF_F_GSO_UDP_L4;
		if (host & VENET_F_TX_TUNNEL)
			f |= NETIF_F_GSO_UDP_TUNNEL | NETIF_F_GSO_UDP_TUNNEL_CSUM;
	}
	dev->vlan_features = f;
	if (host & VENET_F_TX_VLAN)
		f |= NETIF_F_HW_VLAN_CTAG_TX;
	if (host & VENET_F_TX_SVLAN)
		f |= NETIF_F_HW_VLAN_STAG_TX;
	dev->hw_enc_features = f;
	if (host & VENET_F_RX_CSUM) {
		f |= NETIF_F_RXCSUM;
		if (host & venet_rx_unsegmented)
			f |= NETIF_F_GRO_HW;
	}
	if (host & VENET_F_RX_HASH)
		f |= NETIF_F_RXHASH;
	if (host & VENET_F_RX_VLAN)
		f |= NETIF_F_HW_VLAN_CTAG_RX;
	if (host & VENET_F_RX_SVLAN)
		f |= NETIF_F_HW_VLAN_STAG_RX;
	dev->hw_features = f;
	dev->features = f | NETIF_F_HIGHDMA;
	/* room for VLAN headers, two of them */
	netif_set_tso_max_size(dev, VENET_FRAME_MAX - ETH_HLEN - 2 * VLAN_HLEN);
}
