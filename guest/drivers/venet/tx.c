// SPDX-License-Identifier: GPL-2.0-only
/*
 * venet: transmission of what the stack sends: from an skb to a chain of
 * descriptors (tx_ring.c), with what the host is told of the packet.
 *
 * The net core's tx lock protects everything here.
 */
#include <linux/if_vlan.h>
#include <linux/netfilter.h>
#include <linux/tcp.h>
#include <net/dst.h>
#include "venet.h"
#include "venet_tunnel.h"

/* The checksum that is to be completed, for the packet descriptor. */
static u64 tx_checksum(const struct sk_buff *skb)
{
	return (u64)(skb->csum_offset & 0xff) << 8 |
	       (u64)(skb_checksum_start_offset(skb) & 0xffff) << 16;
}

/* How the packet is to be segmented.  0 or -errno: not to be sent. */
static int tx_segmentation(const struct sk_buff *skb,
			   struct venet_tx_meta *meta)
{
	const struct skb_shared_info *info = skb_shinfo(skb);

	if (info->gso_type & SKB_GSO_TCPV4)
		meta->pkt |= VENET_GSO_TCPV4;
	else if (info->gso_type & SKB_GSO_TCPV6)
		meta->pkt |= VENET_GSO_TCPV6;
	else if (info->gso_type & SKB_GSO_UDP_L4)
		meta->pkt |= VENET_GSO_UDP_L4;
	else
		return -EINVAL;
	if (info->gso_type & SKB_GSO_TCP_ECN)
		meta->pkt |= VENET_GSO_F_ECN;
	meta->pkt |= (u64)info->gso_size << 32;
	if (!(info->gso_type & VENET_TUNNEL_GSO))
		return 0;
	meta->pkt |= (u64)VENET_PKT_F_TUNNEL << 48;
	return venet_tunnel_describe(skb, &meta->extra) ? 0 : -EINVAL;
}

/* What the host is to be told of @skb.  0 or -errno: not to be sent. */
static int tx_describe(struct sk_buff *skb, struct venet_tx_meta *meta)
{
	u64 flag;
	int err;

	if (skb->ip_summed == CHECKSUM_PARTIAL && !skb_is_gso(skb) &&
	    skb->csum_offset > VENET_CSUM_OFFSET_MAX) {
		err = skb_checksum_help(skb);
		if (err)
			return err;
	}
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		meta->pkt = tx_checksum(skb);
	else if (skb_is_gso(skb))
		return -EINVAL;
	if (skb_vlan_tag_present(skb)) {
		flag = skb->vlan_proto == htons(ETH_P_8021Q) ?
		       VENET_PKT_F_VLAN : VENET_PKT_F_SVLAN;
		meta->pkt |= flag << 48;
		meta->extra = skb_vlan_tag_get(skb);
	}
	return skb_is_gso(skb) ? tx_segmentation(skb, meta) : 0;
}

/* Find the pieces of @skb.  Returns how many, or -errno: nothing is mapped. */
static int tx_map(struct device *dma_dev, struct sk_buff *skb,
		  struct venet_tx_piece *piece)
{
	const struct skb_shared_info *info = skb_shinfo(skb);
	const skb_frag_t *frag;
	u32 i, n = 0;

	if (skb_headlen(skb)) {
		piece[n].len = skb_headlen(skb);
		piece[n].page = false;
		piece[n].dma = vbus_guest_map(dma_dev, skb->data, piece[n].len,
					      DMA_TO_DEVICE);
		if (vbus_guest_map_error(dma_dev, piece[n].dma))
			goto unmap;
		n++;
	}
	for (i = 0; i < info->nr_frags; i++) {
		frag = &info->frags[i];
		if (!skb_frag_size(frag))
			continue;
		piece[n].len = skb_frag_size(frag);
		piece[n].page = true;
		piece[n].dma = vbus_guest_map_page(dma_dev, skb_frag_page(frag),
						   skb_frag_off(frag),
						   piece[n].len, DMA_TO_DEVICE);
		if (vbus_guest_map_error(dma_dev, piece[n].dma))
			goto unmap;
		n++;
	}
	return n;

unmap:
	while (n--)
		venet_tx_unmap(dma_dev, &piece[n]);
	return -ENOMEM;
}

static int tx_put_mapped(struct venet_pair *pair, struct sk_buff *skb,
			 const struct venet_tx_meta *meta)
{
	struct venet_tx_piece piece[VENET_CHAIN_MAX];
	int n;

	/* one more for the information */
	if (1 + skb_shinfo(skb)->nr_frags + 1 > VENET_CHAIN_MAX &&
	    skb_linearize(skb))
		return -ENOMEM;
	/* whose pages must not stay here for long (AF_PACKET's ring) get a copy sent */
	if (skb_orphan_frags(skb, GFP_ATOMIC))
		return -ENOMEM;
	n = tx_map(pair->venet->dma_dev, skb, piece);
	if (n <= 0)
		return n ? n : -EINVAL;
	venet_tx_note_skb(pair, venet_tx_put(&pair->tx, piece, n, meta), skb);
	return 0;
}

/* ndo_start_xmit */
netdev_tx_t venet_tx_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct venet *v = netdev_priv(dev);
	struct venet_pair *pair = &v->pair[skb_get_queue_mapping(skb)];
	struct netdev_queue *txq = netdev_get_tx_queue(dev, pair->index);
	struct venet_tx *tx = &pair->tx;
	bool more = netdev_xmit_more();
	struct venet_tx_meta meta = {};
	u32 len = skb->len;
	int err;

	venet_tx_reap(pair, 0);
	vbus_guest_lane_peek(pair->poll.lane);
	if (unlikely(venet_tx_free_slots(tx) < VENET_TX_WORST)) {
		venet_tx_stop(pair, txq);
		return NETDEV_TX_BUSY;
	}

	err = len > VENET_FRAME_MAX ? -EMSGSIZE : tx_describe(skb, &meta);
	if (unlikely(err))
		goto drop;
	skb_tx_timestamp(skb);
	if (len <= VENET_INLINE) {
		err = skb_copy_bits(skb, 0, venet_tx_inline(tx, &meta), len);
		if (unlikely(err))
			goto drop;
		venet_tx_put_inline(tx, len, &meta);
		dev_consume_skb_any(skb);
	} else {
		err = tx_put_mapped(pair, skb, &meta);
		if (unlikely(err))
			goto drop;
		/* it may stay with us for long: it is nobody's from now on */
		skb_orphan(skb);
		skb_dst_drop(skb);
		nf_reset_ct(skb);
	}
	u64_stats_update_begin(&tx->sync);
	tx->stat[VENET_TX_PACKETS]++;
	tx->stat[VENET_TX_BYTES] += len;
	tx->stat[VENET_TX_INLINE] += len <= VENET_INLINE;
	u64_stats_update_end(&tx->sync);
	if (len >= VENET_BULK)
		vbus_guest_lane_bulk(pair->poll.lane);

	if (venet_tx_free_slots(tx) < VENET_TX_WORST)
		venet_tx_stop(pair, txq);
	else if (!more || netif_xmit_stopped(txq))
		venet_tx_publish(tx);
	return NETDEV_TX_OK;

drop:
	venet_tx_count(tx, VENET_TX_DROPS, 1);
	dev_kfree_skb_any(skb);
	/* packets before this one may wait for the end of their batch */
	if (!more)
		venet_tx_publish(tx);
	return NETDEV_TX_OK;
}
