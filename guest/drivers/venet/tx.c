// SPDX-License-Identifier: GPL-2.0-only
/*
 * venet: transmission.
 *
 * The net core's tx lock protects everything here.  Completions cause no signal
 * of their own: they are reaped when the next packet is sent and when the pair
 * is polled for whatever reason.  Only when the ring is full do we ask to be
 * told of the next one.  (Not of a later one: one completion may answer many
 * chains, so that a later one may never come.)
 */
#include <linux/if_vlan.h>
#include <linux/netfilter.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/dst.h>
#include "venet.h"
#include "venet_tunnel.h"

/* Descriptors that may be put: each takes a place in the ring and a slot. */
u32 venet_tx_free_slots(const struct venet_tx *tx)
{
	return min(tx->q->size - (tx->q->sub.next - (u32)tx->tail), tx->nfree);
}

/*
 * A position of the submission ring, from the tail on, as one that never comes
 * again: the host may keep a chain while the ring's own ones wrap.
 */
static u64 tx_position(const struct venet_tx *tx, u32 pos)
{
	return tx->tail + (pos - (u32)tx->tail);
}

/* Take a slot; there is one. */
static u16 tx_take(struct venet_tx *tx)
{
	u16 id = tx->free;

	tx->free = tx->slot[id].next;
	tx->nfree--;
	return id;
}

static void tx_unmap(struct device *dma_dev, dma_addr_t dma, u32 len, bool page)
{
	if (!dma_dev || !len)
		return;
	if (page)
		dma_unmap_page(dma_dev, dma, len, DMA_TO_DEVICE);
	else
		dma_unmap_single(dma_dev, dma, len, DMA_TO_DEVICE);
}

void venet_tx_unmap(struct device *dma_dev, const struct venet_tx_piece *piece)
{
	tx_unmap(dma_dev, piece->dma, piece->len, piece->page);
}

/* The chain was put, and its first slot is @id. */
static void tx_sent(struct venet_tx *tx, u16 id, u32 count)
{
	struct venet_tx_slot *head = &tx->slot[id];

	head->count = count;
	head->end = tx_position(tx, tx->q->sub.next);
	list_add_tail(&head->node, &tx->sent);
}

/* The chain is answered: free it.  @budget as in napi_consume_skb(). */
static void tx_release(struct venet_tx *tx, struct venet_tx_slot *head,
		       struct device *dma_dev, int budget,
		       struct xdp_frame_bulk *bulk)
{
	u16 id = head - tx->slot, next;
	struct venet_tx_slot *slot;
	u32 i;

	list_del(&head->node);
	tx->tail = max(tx->tail, head->end);
	for (i = 0; i < head->count; i++) {
		slot = &tx->slot[id];
		tx_unmap(dma_dev, slot->dma, slot->len, slot->page);
		slot->len = 0;
		next = slot->next;
		slot->next = tx->free;
		tx->free = id;
		id = next;
	}
	tx->nfree += head->count;
	head->count = 0;
	if (head->skb)
		napi_consume_skb(head->skb, budget);
	head->skb = NULL;
	if (head->frame) {
		xdp_return_frame_bulk(head->frame, bulk);
		head->frame = NULL;
		WRITE_ONCE(tx->frames, tx->frames - 1);
	}
}

/*
 * A completion.  The host is not trusted: the id must be that of a chain that was
 * published and not answered.
 */
static void tx_complete(struct venet_tx *tx, const struct vbus_ioq_desc *d,
			struct device *dma_dev, int budget,
			struct xdp_frame_bulk *bulk)
{
	struct venet_tx_slot *head, *first;

	if (d->flags & VBUS_DESC_F_ERROR)
		venet_tx_count(tx, VENET_TX_HOST_ERRORS, 1);
	if (d->id >= tx->q->size || !tx->slot[d->id].count ||
	    tx->slot[d->id].end > tx_position(tx, tx->q->sub.pos)) {
		venet_tx_count(tx, VENET_TX_HOST_ERRORS, 1);
		return;
	}
	head = &tx->slot[d->id];
	if (d->flags & VBUS_DESC_F_BATCH)
		/* it is on the list, which so has an end */
		while ((first = list_first_entry(&tx->sent,
						 struct venet_tx_slot,
						 node)) != head)
			tx_release(tx, first, dma_dev, budget, bulk);
	tx_release(tx, head, dma_dev, budget, bulk);
}

/* Free what the host is done with.  Bounded: it cannot keep us here. */
void venet_tx_reap(struct venet_pair *pair, int budget)
{
	struct venet_tx *tx = &pair->tx;
	struct xdp_frame_bulk bulk;
	struct vbus_ioq_desc d;
	u32 n;

	/* netpoll: no pool takes the pages of XDP's frames back then */
	if (tx->frames && irqs_disabled())
		return;
	xdp_frame_bulk_init(&bulk);
	rcu_read_lock();	/* for the bulk's sake */
	for (n = 0; n < tx->q->size; n++) {
		if (!vbus_ioq_peek(&tx->q->comp, 0, &d))
			break;
		vbus_ioq_advance(&tx->q->comp, 1);
		tx_complete(tx, &d, pair->venet->dma_dev, budget, &bulk);
	}
	xdp_flush_frame_bulk(&bulk);
	rcu_read_unlock();
}

/* Hand what was put to the host, and tell it if it wants to be told. */
void venet_tx_publish(struct venet_tx *tx)
{
	if (tx->q->sub.next == tx->q->sub.pos)
		return;
	if (vbus_ioq_publish(&tx->q->sub)) {
		venet_tx_count(tx, VENET_TX_KICKS, 1);
		vbus_guest_queue_kick(tx->q);
	} else {
		venet_tx_count(tx, VENET_TX_QUIET, 1);
	}
}

/*
 * The queue is stopped: let it go on, or see to it that a completion polls us.
 * What was put is published.
 */
static void tx_settle(struct venet_pair *pair, struct netdev_queue *txq,
		      int budget)
{
	struct venet_tx *tx = &pair->tx;
	u32 tries;

	for (tries = 0; tries < 4; tries++) {
		if (venet_tx_free_slots(tx) >= tx->wake) {
			vbus_ioq_disarm(&tx->q->comp);
			netif_tx_wake_queue(txq);
			return;
		}
		if (vbus_ioq_arm(&tx->q->comp, 0))
			return;
		venet_tx_reap(pair, budget);
	}
	/* The host completes as fast as we reap, one by one or nonsense. */
	vbus_guest_poll_schedule(&pair->poll, &pair->napi);
}

void venet_tx_stop(struct venet_pair *pair, struct netdev_queue *txq)
{
	netif_tx_stop_queue(txq);
	venet_tx_count(&pair->tx, VENET_TX_STOPS, 1);
	venet_tx_publish(&pair->tx);
	tx_settle(pair, txq, 0);
}

/**
 * venet_tx_poll() - transmit half of the pair's poll
 * @pair:	pair
 * @budget:	NAPI's; 0: called by netpoll, which may hold the lock itself
 */
void venet_tx_poll(struct venet_pair *pair, int budget)
{
	struct netdev_queue *txq = netdev_get_tx_queue(pair->venet->dev,
						       pair->index);

	/*
	 * A stopped queue waits for us: whoever holds the lock may have looked
	 * for completions just before the one that we were told of.
	 */
	if (budget && netif_tx_queue_stopped(txq))
		__netif_tx_lock(txq, smp_processor_id());
	else if (!__netif_tx_trylock(txq))
		return;
	venet_tx_reap(pair, budget);
	if (netif_tx_queue_stopped(txq) && READ_ONCE(pair->venet->running))
		tx_settle(pair, txq, budget);
	__netif_tx_unlock(txq);
}

/**
 * venet_tx_idle() - has the host answered all that was sent?
 * @pair:	pair; process context
 */
bool venet_tx_idle(struct venet_pair *pair)
{
	struct netdev_queue *txq = netdev_get_tx_queue(pair->venet->dev,
						       pair->index);
	bool idle;

	__netif_tx_lock_bh(txq);
	venet_tx_reap(pair, 0);
	idle = list_empty(&pair->tx.sent);
	__netif_tx_unlock_bh(txq);
	return idle;
}

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
	    skb->csum_offset > 0xff) {
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

/* Put the descriptor of the packet's information, if there is any. */
static void tx_put_meta(struct venet_tx *tx, u16 id,
			const struct venet_tx_meta *meta)
{
	struct vbus_ioq_desc d = {
		.addr = meta->pkt,
		.len = meta->extra,
		.id = id,
		.flags = VBUS_DESC_F_META | VBUS_DESC_F_NEXT,
	};

	if (meta->pkt)
		vbus_ioq_put(&tx->q->sub, &d);
}

/* Where the payload of a packet that is put inline next belongs. */
void *venet_tx_inline(struct venet_tx *tx, const struct venet_tx_meta *meta)
{
	u32 index = vbus_ioq_put_index(&tx->q->sub) + (meta->pkt ? 1 : 0);

	return tx->q->inlines + (index & (tx->q->size - 1)) * VENET_INLINE;
}

/* Put a packet of @len bytes that stand there. */
void venet_tx_put_inline(struct venet_tx *tx, u32 len,
			 const struct venet_tx_meta *meta)
{
	struct vbus_ioq_desc d = {
		.len = len,
		.id = tx_take(tx),
		.flags = VBUS_DESC_F_INLINE,
	};

	tx_put_meta(tx, d.id, meta);
	vbus_ioq_put(&tx->q->sub, &d);
	tx_sent(tx, d.id, 1);
}

/**
 * venet_tx_put() - put a chain of mapped pieces
 * @tx:		with enough free slots; tx lock held
 * @piece:	pieces
 * @n:		number of them, at least 1
 * @meta:	what the host is told
 *
 * Return: slot of the first descriptor, to be told what to free.
 */
struct venet_tx_slot *venet_tx_put(struct venet_tx *tx,
				   const struct venet_tx_piece *piece, u32 n,
				   const struct venet_tx_meta *meta)
{
	u16 id = tx_take(tx);
	struct venet_tx_slot *slot = &tx->slot[id];
	struct vbus_ioq_desc d = { .id = id };
	u32 i;

	tx_put_meta(tx, id, meta);
	for (i = 0; i < n; i++) {
		slot->dma = piece[i].dma;
		slot->len = piece[i].len;
		slot->page = piece[i].page;
		d.addr = piece[i].dma;
		d.len = piece[i].len;
		d.flags = i < n - 1 ? VBUS_DESC_F_NEXT : 0;
		vbus_ioq_put(&tx->q->sub, &d);
		if (i < n - 1) {
			slot->next = tx_take(tx);
			slot = &tx->slot[slot->next];
		}
	}
	tx_sent(tx, id, n);
	return &tx->slot[id];
}

static int tx_put_mapped(struct venet_tx *tx, struct device *dma_dev,
			 struct sk_buff *skb, const struct venet_tx_meta *meta)
{
	struct venet_tx_piece piece[VENET_CHAIN_MAX];
	int n;

	/* one more for the information */
	if (1 + skb_shinfo(skb)->nr_frags + 1 > VENET_CHAIN_MAX &&
	    skb_linearize(skb))
		return -ENOMEM;
	/* the user must not wait for a completion that nobody looks for */
	if (skb_orphan_frags(skb, GFP_ATOMIC))
		return -ENOMEM;
	n = tx_map(dma_dev, skb, piece);
	if (n <= 0)
		return n ? n : -EINVAL;
	venet_tx_put(tx, piece, n, meta)->skb = skb;
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
		err = tx_put_mapped(tx, v->dma_dev, skb, &meta);
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

static void tx_notify(struct vbus_queue *q)
{
	struct venet_pair *pair = q->priv;

	vbus_guest_poll_schedule(&pair->poll, &pair->napi);
}

int venet_tx_create(struct venet_pair *pair)
{
	struct venet *v = pair->venet;
	struct vbus_queue_config config = {
		.shm = VENET_SHM_TX(pair->index),
		.lane = pair->poll.lane->index,
		.log2 = v->tx_log2,
		.inline_len = VENET_INLINE,
		.notify = tx_notify,
		.priv = pair,
	};
	struct venet_tx *tx = &pair->tx;
	u32 i, size = 1u << v->tx_log2;
	int err;

	tx->slot = kvcalloc(size, sizeof(*tx->slot), GFP_KERNEL);
	if (!tx->slot)
		return -ENOMEM;
	tx->q = vbus_guest_queue_create(v->vdev, &config);
	if (IS_ERR(tx->q)) {
		err = PTR_ERR(tx->q);
		tx->q = NULL;
		kvfree(tx->slot);
		tx->slot = NULL;
		return err;
	}
	for (i = 0; i < size; i++)
		tx->slot[i].next = i + 1;
	tx->free = 0;
	tx->nfree = size;
	INIT_LIST_HEAD(&tx->sent);
	tx->tail = 0;
	tx->frames = 0;
	tx->wake = max_t(u32, VENET_TX_WORST, size / 4);
	/* a ring starts armed, and we do not want to be told */
	vbus_ioq_disarm(&tx->q->comp);
	return 0;
}

/* Nobody sends or polls.  False: the host may still use what was sent. */
bool venet_tx_unregister(struct venet_tx *tx)
{
	bool released = true;

	if (tx->q)
		released = vbus_guest_queue_destroy(tx->q);
	tx->q = NULL;
	return released;
}

/* After venet_tx_unregister().  What the host may still use is leaked. */
void venet_tx_free(struct venet_pair *pair, bool released)
{
	struct venet_tx *tx = &pair->tx;
	u32 i, size = 1u << pair->venet->tx_log2;

	if (!tx->slot)
		return;
	for (i = 0; released && i < size; i++) {
		tx_unmap(pair->venet->dma_dev, tx->slot[i].dma,
			 tx->slot[i].len, tx->slot[i].page);
		dev_kfree_skb_any(tx->slot[i].skb);
		if (tx->slot[i].frame)
			xdp_return_frame(tx->slot[i].frame);
	}
	kvfree(tx->slot);
	tx->slot = NULL;
}

void venet_tx_stats(struct venet_tx *tx, u64 *stat)
{
	unsigned int start;
	u32 i;

	do {
		start = u64_stats_fetch_begin(&tx->sync);
		for (i = 0; i < VENET_TX_STATS; i++)
			stat[i] = tx->stat[i];
	} while (u64_stats_fetch_retry(&tx->sync, start));
}
