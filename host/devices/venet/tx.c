// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest sends: chains of descriptors become packets that the host's
 * net_device receives.
 *
 * Context: owner of the queue's lane, bottom halves off.  Payload that is copied
 * is copied before the chain is completed, and these completions go out before
 * the packets are delivered, so that the guest can go on while the host's stack
 * works.  What is lent to the stack instead: zerocopy.c.
 */
#define pr_fmt(fmt) "vbus_venet: " fmt

#include <linux/if_vlan.h>

#include "tx.h"
#include "venet_pkt.h"
#include "venet_tunnel.h"

/*
 * Copy the chain at the head of the ring.  Returns false if there is none; an
 * impossible chain has no pieces.
 */
static bool venet_tx_gather(const struct vbus_queue *q, struct venet_chain *c)
{
	struct vbus_ioq_desc d;
	bool bad = false;

	c->nr = 0;
	c->len = 0;
	c->meta = 0;
	c->extra = 0;
	c->pieces = 0;
	do {
		if (c->nr >= q->sub.size ||
		    !vbus_ioq_peek(&q->sub, c->nr, &d)) {
			/* the rest of a published chain must be there */
			bad = true;
			break;
		}
		if (!c->nr)
			c->id = d.id;
		if (d.flags & VBUS_DESC_F_META) {
			bad |= c->nr || d.flags & VBUS_DESC_F_INLINE;
			c->meta = d.addr;
			c->extra = d.len;
		} else if (c->nr >= VENET_CHAIN_MAX || !d.len ||
			   d.len > VENET_FRAME_MAX - c->len ||
			   (d.flags & VBUS_DESC_F_INLINE &&
			    d.len > q->inline_len)) {
			bad = true;
		} else {
			c->slot[c->pieces] = vbus_ioq_peek_index(&q->sub, c->nr);
			c->desc[c->pieces++] = d;
			c->len += d.len;
		}
		c->nr++;
	} while (d.flags & VBUS_DESC_F_NEXT);

	if (!c->nr)
		return false;
	if (bad || c->len < ETH_HLEN)
		c->pieces = 0;
	return true;
}

static struct sk_buff *venet_tx_alloc(struct venet_host *venet, u32 len)
{
	u32 head = len <= SKB_WITH_OVERHEAD(2048) - NET_SKB_PAD ? len :
								  VENET_LINEAR;
	struct sk_buff *skb;
	int err;

	if (head == len) {
		skb = netdev_alloc_skb_ip_align(venet->netdev, len);
		if (skb)
			skb_put(skb, len);
		return skb;
	}
	skb = alloc_skb_with_frags(NET_SKB_PAD + NET_IP_ALIGN + head,
				   len - head, PAGE_ALLOC_COSTLY_ORDER, &err,
				   GFP_ATOMIC);
	if (!skb)
		return NULL;
	skb_reserve(skb, NET_SKB_PAD + NET_IP_ALIGN);
	skb_put(skb, head);
	skb->data_len = len - head;
	skb->len += len - head;
	skb->dev = venet->netdev;
	return skb;
}

/* Copy a piece of guest memory into the packet at @off. */
static int venet_tx_copy(const struct vbus_mem *mem, struct sk_buff *skb,
			 u32 off, u64 addr, u32 len)
{
	while (len) {
		size_t n = len;
		void *from = vbus_mem_ptr(mem, addr, &n, VBUS_MEM_READ);

		if (!from || skb_store_bits(skb, off, from, n))
			return -EFAULT;
		off += n;
		addr += n;
		len -= n;
	}
	return 0;
}

static int venet_tx_fill(const struct vbus_queue *q,
			 const struct venet_chain *c, struct sk_buff *skb)
{
	const struct vbus_mem *mem = q->dev->bus->mem;
	u32 i, off = 0;
	int err;

	for (i = 0; i < c->pieces; i++) {
		const struct vbus_ioq_desc *d = &c->desc[i];

		if (d->flags & VBUS_DESC_F_INLINE)
			err = skb_store_bits(skb, off, q->inl +
					     c->slot[i] * q->inline_len,
					     d->len);
		else
			err = venet_tx_copy(mem, skb, off, d->addr, d->len);
		if (err)
			return err;
		off += d->len;
	}
	return 0;
}

/* VENET_PKT_F_* that the guest may use. */
static u16 venet_tx_flags(u64 features)
{
	return venet_pkt_flags(features & VENET_F_TX_TUNNEL,
			       features & VENET_F_TX_VLAN,
			       features & VENET_F_TX_SVLAN);
}

/* The tag that the extra word tells. */
static void venet_tx_tag(struct sk_buff *skb, u16 flags, u32 extra)
{
	if (flags & (VENET_PKT_F_VLAN | VENET_PKT_F_SVLAN))
		__vlan_hwaccel_put_tag(skb,
				       flags & VENET_PKT_F_VLAN ?
				       htons(ETH_P_8021Q) : htons(ETH_P_8021AD),
				       VENET_EXTRA_TCI(extra));
}

/* What the packet descriptor says, as far as the features allow. */
static int venet_tx_offload(const struct venet_host *venet, u64 meta, u32 extra,
			    struct sk_buff *skb)
{
	static const struct {
		u8 gso_type;
		u64 feature;
	} gso[] = {
		[VENET_GSO_NONE] = { VIRTIO_NET_HDR_GSO_NONE, 0 },
		[VENET_GSO_TCPV4] = { VIRTIO_NET_HDR_GSO_TCPV4,
				      VENET_F_TX_TSO4 },
		[VENET_GSO_TCPV6] = { VIRTIO_NET_HDR_GSO_TCPV6,
				      VENET_F_TX_TSO6 },
		[VENET_GSO_UDP_L4] = { VIRTIO_NET_HDR_GSO_UDP_L4,
				       VENET_F_TX_USO },
	};
	u8 type = meta & VENET_GSO_TYPE_MASK;
	u16 start = meta >> 16, size = meta >> 32, flags = meta >> 48;
	u8 offset = meta >> 8;
	struct virtio_net_hdr hdr = {};

	if (type >= ARRAY_SIZE(gso))
		return -EINVAL;
	if (flags & ~venet_tx_flags(venet->features))
		return -EOPNOTSUPP;
	if (flags & VENET_PKT_F_VLAN && flags & VENET_PKT_F_SVLAN)
		return -EINVAL;
	if ((start && !(venet->features & VENET_F_TX_CSUM)) ||
	    (gso[type].feature & ~venet->features) || (type && !start))
		return -EOPNOTSUPP;
	if (start) {
		hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		hdr.csum_start = __cpu_to_virtio16(true, start);
		hdr.csum_offset = __cpu_to_virtio16(true, offset);
	}
	hdr.gso_type = gso[type].gso_type;
	if (type) {
		hdr.gso_size = __cpu_to_virtio16(true, size);
		if (meta & VENET_GSO_F_ECN)
			hdr.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	}
	if (virtio_net_hdr_to_skb(skb, &hdr, true))
		return -EINVAL;
	if (flags & VENET_PKT_F_TUNNEL &&
	    (!type || !venet_tunnel_accept(skb, extra)))
		return -EINVAL;
	venet_tx_tag(skb, flags, extra);
	return 0;
}

/* May the packet keep its tag, if any, beside it?  ethtool -K rxvlan */
static bool venet_tx_strips(const struct net_device *netdev,
			    const struct sk_buff *skb)
{
	netdev_features_t f = netdev->features;

	if (!skb_vlan_tag_present(skb))
		return true;
	return f & (skb->vlan_proto == htons(ETH_P_8021Q) ?
		    NETIF_F_HW_VLAN_CTAG_RX : NETIF_F_HW_VLAN_STAG_RX);
}

enum venet_tx_fate {
	VENET_TX_COPIED,	/* or dropped: the chain is done with */
	VENET_TX_LENT,		/* the chain is answered when its pages are back */
	VENET_TX_BAD,		/* malformed */
};

/* Make a packet of a chain; NULL if it must be dropped, which is counted. */
static struct sk_buff *venet_tx_packet(struct venet_host *venet,
				       struct venet_pair *pair,
				       struct vbus_queue *q,
				       const struct venet_chain *c,
				       enum venet_tx_fate *fate)
{
	struct net_device *netdev = venet->netdev;
	struct sk_buff *skb;

	*fate = VENET_TX_COPIED;
	if (!c->pieces)
		goto err_bad;
	if (!netif_running(netdev) || !READ_ONCE(venet->link))
		goto err_dropped;
	skb = venet_loans_packet(q, c);
	if (skb) {
		*fate = VENET_TX_LENT;
	} else {
		skb = venet_tx_alloc(venet, c->len);
		if (!skb)
			goto err_dropped;
		if (venet_tx_fill(q, c, skb))
			goto err_free;
	}
	if (venet_tx_offload(venet, c->meta, c->extra, skb))
		goto err_free;
	if (*fate == VENET_TX_LENT)
		venet_loans_lend(q, c, skb);
	if (unlikely(!venet_tx_strips(netdev, skb))) {
		/* who frees it answers the chain, if it was lent */
		skb = __vlan_hwaccel_push_inside(skb);
		if (!skb)
			goto err_dropped;
	}
	skb->protocol = eth_type_trans(skb, netdev);
	/* whose settings of RPS and RFS count */
	skb_record_rx_queue(skb, pair - venet->pair);
	skb_reset_network_header(skb);
	skb_probe_transport_header(skb);
	return skb;

err_free:
	kfree_skb(skb);
err_bad:
	*fate = VENET_TX_BAD;
	net_warn_ratelimited("%s: malformed packet from the guest (%u bytes in %u descriptors)\n",
			     netdev->name, c->len, c->nr);
	venet_count_one(&pair->tx_stats, &pair->tx_stats.errors);
	return NULL;
err_dropped:
	venet_count_one(&pair->tx_stats, &pair->tx_stats.dropped);
	return NULL;
}

/* Put a completion; the ring has a place for each chain that it answers. */
void venet_tx_complete(struct vbus_queue *q, u16 id, u16 flags)
{
	struct vbus_ioq_desc d = { .id = id, .flags = flags };

	vbus_ioq_put(&q->comp, &d);
}

static void venet_tx_publish(struct vbus_queue *q)
{
	if (vbus_ioq_publish(&q->comp))
		vbus_queue_signal(q);
}

/*
 * Remember where the guest serves the packet's flow.  If it is received on another
 * lane, its acknowledgements on this one are a part of what that one moves.
 */
static void venet_tx_learn(struct vbus_queue *q, const struct sk_buff *skb)
{
	struct venet_host *venet = to_venet(q->dev);
	const struct venet_pair *pair = q->priv;
	const struct vbus_queue *rx;
	u32 from = pair - venet->pair;
	u32 to = venet_steer_learn(venet, from, skb);

	if (to == from)
		return;
	rx = rcu_dereference_bh(venet->pair[to].rx);
	if (rx)
		vbus_lane_share_bulk(q->lane, rx->lane);
}

/* The guest put packets into its transmit queue, or the stack returns some. */
static int venet_tx_service(struct vbus_queue *q, int budget)
{
	struct venet_host *venet = to_venet(q->dev);
	struct venet_pair *pair = q->priv;
	u32 packets = 0, bytes = 0;
	enum venet_tx_fate fate;
	struct venet_chain c;
	struct sk_buff *skb;
	int done = 0, last = -1;
	LIST_HEAD(list);

	if (!READ_ONCE(venet->running))
		return 0;
	venet_loans_begin(q);
	while (done < budget && venet_tx_gather(q, &c)) {
		vbus_lane_note_bulk(q->lane, c.len);
		skb = venet_tx_packet(venet, pair, q, &c, &fate);
		vbus_ioq_advance(&q->sub, c.nr);
		if (fate == VENET_TX_COPIED && !venet_loans_out(pair->loans)) {
			last = c.id;
		} else {
			if (last >= 0)
				venet_tx_complete(q, last, VBUS_DESC_F_BATCH);
			last = -1;
			if (fate != VENET_TX_LENT)
				venet_tx_complete(q, c.id,
						  fate == VENET_TX_BAD ?
						  VBUS_DESC_F_ERROR : 0);
		}
		if (skb) {
			venet_tx_learn(q, skb);
			packets++;
			bytes += c.len;
			list_add_tail(&skb->list, &list);
		}
		done++;
	}
	if (last >= 0)
		venet_tx_complete(q, last, VBUS_DESC_F_BATCH);
	venet_tx_publish(q);
	if (packets) {
		venet_count(&pair->tx_stats, packets, bytes);
		netif_receive_skb_list(&list);
	}
	venet_loans_end(q);
	venet_tx_publish(q);
	/* woken for more than there was: ask to be told of the next one */
	if (done < budget && !vbus_ioq_arm(&q->sub, 0))
		return budget;
	return done;
}

const struct vbus_queue_ops venet_tx_ops = {
	.service = venet_tx_service,
};
