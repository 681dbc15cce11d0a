// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest receives: packets sent on the host's net_device are copied
 * into the guest's buffers by whoever sends them, and the guest is told.
 *
 * Context: the transmit lock of the netdev's queue serialises everything here
 * but venet_rx_service(), which runs as owner of the queue's lane and only
 * wakes the netdev's queue.
 */
#define pr_fmt(fmt) "vbus_venet: " fmt

#include <linux/if_vlan.h>

#include "venet.h"
#include "venet_pkt.h"
#include "venet_tunnel.h"

/* Buffers that the biggest frame may take before its sender gives up. */
#define VENET_RX_BUFS_MAX						\
	DIV_ROUND_UP(VENET_FRAME_MAX + (u32)sizeof(struct venet_rx_head),	\
		     VENET_RX_BUF_MIN)

/* The flag of the tag that goes beside the frame, 0: none. */
static u16 venet_rx_tag(const struct sk_buff *skb)
{
	if (!skb_vlan_tag_present(skb))
		return 0;
	return skb->vlan_proto == htons(ETH_P_8021Q) ? VENET_PKT_F_VLAN :
						       VENET_PKT_F_SVLAN;
}

/* VENET_PKT_F_* that need the guest's consent, and have it. */
static u16 venet_rx_flags(u64 features)
{
	return venet_pkt_flags(features & VENET_F_RX_TUNNEL,
			       features & VENET_F_RX_VLAN,
			       features & VENET_F_RX_SVLAN);
}

/*
 * The packet descriptor of @skb and its extra word, or an errno if the guest cannot
 * take it.
 */
static int venet_rx_meta(u64 features, const struct sk_buff *skb, u64 *meta,
			 u32 *extra)
{
	const struct skb_shared_info *si = skb_shinfo(skb);
	u16 flags = venet_rx_tag(skb);
	u64 m = 0;

	*extra = flags ? skb_vlan_tag_get(skb) : 0;
	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		/* venet_features_check() has asked the stack for better */
		if (unlikely(skb->csum_offset > VENET_CSUM_OFFSET_MAX))
			return -EOPNOTSUPP;
		m |= (u64)skb_checksum_start_offset(skb) << 16 |
		     (u64)skb->csum_offset << 8;
	} else if (skb->ip_summed == CHECKSUM_UNNECESSARY) {
		m |= (u64)VENET_PKT_F_CSUM_OK << 48;
	}
	if (skb_is_gso(skb)) {
		if (si->gso_type & SKB_GSO_TCPV4)
			m |= VENET_GSO_TCPV4;
		else if (si->gso_type & SKB_GSO_TCPV6)
			m |= VENET_GSO_TCPV6;
		else if (si->gso_type & SKB_GSO_UDP_L4)
			m |= VENET_GSO_UDP_L4;
		else
			return -EOPNOTSUPP;
		if (si->gso_type & SKB_GSO_TCP_ECN)
			m |= VENET_GSO_F_ECN;
		m |= (u64)si->gso_size << 32;
		if (si->gso_type & VENET_TUNNEL_GSO) {
			flags |= VENET_PKT_F_TUNNEL;
			if (!venet_tunnel_describe(skb, extra))
				return -EOPNOTSUPP;
		}
	}
	/* the guest may have changed its mind since the stack asked */
	if (flags & ~venet_rx_flags(features))
		return -EOPNOTSUPP;
	*meta = m | (u64)flags << 48;
	return 0;
}

/*
 * Are there buffers for @len bytes?  @n is how many were looked at.
 */
static bool venet_rx_room(const struct vbus_queue *q, u32 len, u32 *n)
{
	struct vbus_ioq_desc d;
	u32 room = 0;

	for (*n = 0; room < len && *n < min(q->sub.size, VENET_RX_BUFS_MAX) &&
	     vbus_ioq_peek(&q->sub, *n, &d); ++*n)
		/*
		 * A buffer that is too small counts as the smallest allowed, and
		 * one that is longer than any frame must not make the sum wrap.
		 */
		room += clamp(d.len, VENET_RX_BUF_MIN, VENET_FRAME_MAX);
	return room >= len;
}

/* Copy @len bytes of the packet at @off to guest memory. */
static int venet_rx_copy(const struct vbus_mem *mem, const struct sk_buff *skb,
			 u32 off, u64 addr, u32 len)
{
	while (len) {
		size_t n = len;
		void *to = vbus_mem_ptr(mem, addr, &n, VBUS_MEM_WRITE);

		if (!to || skb_copy_bits(skb, off, to, n))
			return -EFAULT;
		off += n;
		addr += n;
		len -= n;
	}
	return 0;
}

/*
 * Fill buffers with the packet, behind @head if there is one.  There is room for
 * it, unless the guest changed its descriptors since or gave bad ones: then all
 * buffers touched go back to it as one frame in error.
 */
static int venet_rx_fill(struct vbus_queue *q, const struct sk_buff *skb,
			 u64 meta, const struct venet_rx_head *head)
{
	const struct vbus_mem *mem = q->dev->bus->mem;
	u32 off = 0, n = 0, skip = head ? sizeof(*head) : 0, room;
	struct vbus_ioq_desc d;
	int err = 0;

	do {
		if (n == VENET_RX_BUFS_MAX || !vbus_ioq_peek(&q->sub, n, &d)) {
			err = -EINVAL;
			break;
		}
		room = min(max(d.len, skip) - skip, skb->len - off);
		if (d.len < VENET_RX_BUF_MIN)
			err = -EINVAL;
		else if (skip)
			err = vbus_mem_write(mem, d.addr, head, skip);
		if (!err)
			err = venet_rx_copy(mem, skb, off, d.addr + skip, room);
		off += room;
		n++;
		d.len = room + skip;
		d.addr = meta;
		d.flags = err ? VBUS_DESC_F_ERROR :
			  off < skb->len ? VBUS_DESC_F_NEXT : 0;
		vbus_ioq_put(&q->comp, &d);
		meta = 0;
		skip = 0;
	} while (!err && off < skb->len);
	vbus_ioq_advance(&q->sub, n);
	return err;
}

/*
 * Most packets fit into one buffer: one look at its descriptor, one translation.
 * False: this one does not, or the buffer is not as it should be; nothing was done.
 */
static bool venet_rx_fill_one(struct vbus_queue *q, const struct sk_buff *skb,
			      u64 meta, const struct venet_rx_head *head)
{
	u32 skip = head ? sizeof(*head) : 0, len = skip + skb->len;
	struct vbus_ioq_desc d;
	size_t n = len;
	void *to;

	if (!vbus_ioq_peek(&q->sub, 0, &d) ||
	    d.len < max(len, VENET_RX_BUF_MIN))
		return false;
	to = vbus_mem_ptr(q->dev->bus->mem, d.addr, &n, VBUS_MEM_WRITE);
	if (!to || n < len || skb_copy_bits(skb, 0, to + skip, skb->len))
		return false;
	if (head)
		memcpy(to, head, sizeof(*head));
	d.len = len;
	d.addr = meta;
	d.flags = 0;
	vbus_ioq_put(&q->comp, &d);
	vbus_ioq_advance(&q->sub, 1);
	return true;
}

static void venet_rx_publish(struct vbus_queue *q)
{
	struct venet_pair *pair = q->priv;
	u32 fresh = pair->fresh;

	pair->fresh = 0;
	vbus_queue_tell(q, vbus_ioq_publish(&q->comp), fresh);
}

/*
 * There are not enough buffers for @len bytes.  Stop the netdev's queue until
 * there is one more than now; whoever is woken then looks again.
 *
 * Return: 0 if there are enough by now, -EAGAIN if the queue is stopped, and
 * -EMSGSIZE if the guest has given all that it can and it is still too little.
 */
static int venet_rx_wait(struct vbus_queue *q, struct netdev_queue *txq,
			 u32 len)
{
	u32 n, turns = 0;

	netif_tx_stop_queue(txq);
	/* each turn finds at least one more, unless the guest takes some back */
	while (!venet_rx_room(q, len, &n)) {
		if (n == min(q->sub.size, VENET_RX_BUFS_MAX) ||
		    turns++ == VENET_RX_BUFS_MAX) {
			netif_tx_start_queue(txq);
			return -EMSGSIZE;
		}
		if (vbus_ioq_arm(&q->sub, n))
			return -EAGAIN;
	}
	netif_tx_start_queue(txq);
	return 0;
}

/*
 * Put the packet into buffers, behind @head if there is one.
 *
 * Return: 0, what venet_rx_wait() and venet_rx_fill() return otherwise.
 */
static int venet_rx_put(struct vbus_queue *q, struct netdev_queue *txq,
			const struct sk_buff *skb, u64 meta,
			const struct venet_rx_head *head)
{
	u32 len = skb->len + (head ? sizeof(*head) : 0), n;
	struct venet_pair *pair = q->priv;
	int err;

	if (likely(venet_rx_fill_one(q, skb, meta, head)))
		return 0;
	if (unlikely(!venet_rx_room(q, len, &n))) {
		venet_rx_publish(q);
		vbus_queue_stalled(q);
		venet_count_one(&pair->rx_stats, &pair->rx_stats.stalls);
		err = venet_rx_wait(q, txq, len);
		if (err)
			return err;
	}
	return venet_rx_fill(q, skb, meta, head);
}

/* ndo_start_xmit: bottom halves off, transmit lock held. */
netdev_tx_t venet_start_xmit(struct sk_buff *skb, struct net_device *netdev)
{
	struct venet_host *venet = netdev_venet(netdev);
	u16 index = skb_get_queue_mapping(skb);
	struct venet_pair *pair = &venet->pair[index];
	struct netdev_queue *txq = netdev_get_tx_queue(netdev, index);
	struct vbus_queue *q = rcu_dereference_bh(pair->rx);
	struct venet_rx_head head = {};
	u64 meta, features;
	bool headed;
	u32 extra;
	int err;

	/* O: the features are those of the START that @running came from; pairs with Z */
	if (unlikely(!q || !READ_ONCE(q->live) ||
		     !smp_load_acquire(&venet->running)))
		goto err_drop;
	features = READ_ONCE(venet->features);
	headed = features & VENET_F_RX_HEAD;
	if (unlikely(!venet_filter_wants(venet, skb))) {
		if (!netdev_xmit_more())
			venet_rx_publish(q);
		venet_count_one(&pair->rx_stats, &pair->rx_stats.filtered);
		dev_consume_skb_any(skb);
		return NETDEV_TX_OK;
	}
	if (unlikely(venet_rx_meta(features, skb, &meta, &extra))) {
		/* packets before this one may wait for the end of their batch */
		if (!netdev_xmit_more())
			venet_rx_publish(q);
		goto err_drop;
	}
	if (features & VENET_F_RX_HASH)
		venet_steer_head(venet, skb, &head);
	head.extra = cpu_to_le32(extra);
	err = venet_rx_put(q, txq, skb, meta, headed ? &head : NULL);
	if (unlikely(err == -EAGAIN))
		return NETDEV_TX_BUSY;
	if (unlikely(err == -EMSGSIZE))
		goto err_drop;
	if (unlikely(err)) {
		venet_rx_publish(q);
		net_warn_ratelimited("%s: the guest's receive buffers are not its memory\n",
				     netdev->name);
		venet_count_one(&pair->rx_stats, &pair->rx_stats.errors);
		dev_kfree_skb_any(skb);
		return NETDEV_TX_OK;
	}
	pair->fresh++;
	venet_count(&pair->rx_stats, 1, skb->len);
	vbus_lane_note_bulk(q->lane, skb->len);
	if (!netdev_xmit_more() || netif_xmit_stopped(txq))
		venet_rx_publish(q);
	dev_consume_skb_any(skb);
	return NETDEV_TX_OK;

err_drop:
	venet_count_one(&pair->rx_stats, &pair->rx_stats.dropped);
	dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}

/* The guest gave buffers after we had asked to be told. */
static int venet_rx_service(struct vbus_queue *q, int budget)
{
	struct venet_host *venet = to_venet(q->dev);
	struct venet_pair *pair = q->priv;

	if (READ_ONCE(venet->running))
		netif_tx_wake_queue(netdev_get_tx_queue(venet->netdev,
							pair - venet->pair));
	return 0;
}

const struct vbus_queue_ops venet_rx_ops = {
	.service = venet_rx_service,
};
