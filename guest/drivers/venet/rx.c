// SPDX-License-Identifier: GPL-2.0-only
/*
 * venet: reception.
 *
 * The pair's NAPI owns everything here.  Buffers are pages of a page pool; a
 * frame fills one or more of them.  Pages for an XDP program (xdp.c) have room in
 * front of and behind what the host writes.  What the host says of a frame is checked as
 * if it came from the wire, and the offload information by the same function
 * that serves virtio-net, since the risks are the same.
 */
#include <linux/if_vlan.h>
#include <linux/slab.h>
#include <linux/virtio_net.h>
#include <net/ip.h>
#include "venet.h"
#include "venet_tunnel.h"

#define RX_REFILL	64			/* buffers that make a batch */
#define RX_RETRY	msecs_to_jiffies(20)	/* after memory ran out */

/* Completions that one frame may take before a poll has done enough. */
#define RX_PIECES	(MAX_SKB_FRAGS + 1)

/* Put a buffer with a free id into the ring. */
static void rx_put(struct venet_pair *pair, struct page *page)
{
	struct device *dma_dev = pair->venet->dma_dev;
	struct venet_rx *rx = &pair->rx;
	struct vbus_ioq_desc d = { .len = rx->room };

	d.id = rx->free[--rx->nfree];
	d.addr = dma_dev ? page_pool_get_dma_addr(page) : page_to_phys(page);
	d.addr += rx->headroom;
	rx->page[d.id] = page;
	vbus_ioq_put(&rx->q->sub, &d);
}

/**
 * venet_rx_fill() - give the host all the buffers that there is room for
 * @pair:	pair
 * @gfp:	how to allocate
 * @kick:	set if the host is to be told
 *
 * Return: 0, or -ENOMEM: not all.
 */
int venet_rx_fill(struct venet_pair *pair, gfp_t gfp, bool *kick)
{
	struct venet_rx *rx = &pair->rx;
	struct page *page;
	int err = 0;

	while (rx->nfree) {
		page = page_pool_alloc_pages(rx->pool, gfp | __GFP_NOWARN);
		if (!page) {
			err = -ENOMEM;
			break;
		}
		rx_put(pair, page);
	}
	if (vbus_ioq_publish(&rx->q->sub))
		*kick = true;
	return err;
}

/**
 * venet_rx_reuse() - give the host a buffer again as it is
 * @pair:	pair, in its poll
 * @page:	buffer that nobody else uses
 *
 * Cheaper than through the pool, for buffers that were copied, or dropped.
 * venet_rx_poll() publishes it.
 */
void venet_rx_reuse(struct venet_pair *pair, struct page *page)
{
	struct device *dma_dev = pair->venet->dma_dev;
	struct venet_rx *rx = &pair->rx;

	/*
	 * A new one may have got the id of a frame's first buffer.  The pool keeps
	 * no page of the reserve, nor may we.
	 */
	if (unlikely(!rx->nfree || page_is_pfmemalloc(page))) {
		page_pool_recycle_direct(rx->pool, page);
		return;
	}
	if (dma_dev)
		dma_sync_single_range_for_device(dma_dev,
						 page_pool_get_dma_addr(page),
						 rx->headroom, rx->room,
						 DMA_FROM_DEVICE);
	rx_put(pair, page);
}

/* How many buffers the host does not have, or does not know of. */
static u32 rx_missing(const struct venet_rx *rx)
{
	return rx->nfree + vbus_ioq_unpublished(&rx->q->sub);
}

static void rx_refill(struct venet_pair *pair)
{
	struct venet_rx *rx = &pair->rx;
	bool kick = false;

	if (venet_rx_fill(pair, GFP_ATOMIC, &kick)) {
		venet_rx_count(rx, VENET_RX_STARVED, 1);
		/* with buffers left the next packet tries again */
		if (rx->nfree > rx->q->size / 2)
			/* sooner than for XDP's sake */
			mod_delayed_work(system_wq, &pair->refill, RX_RETRY);
	}
	if (kick) {
		venet_rx_count(rx, VENET_RX_KICKS, 1);
		vbus_guest_queue_kick(rx->q);
	} else {
		venet_rx_count(rx, VENET_RX_QUIET, 1);
	}
}

/* The buffer that a completion names, which is ours again, or NULL: a lie. */
static struct page *rx_take(struct venet_rx *rx, u16 id)
{
	struct page *page;

	if (id >= rx->q->size)
		return NULL;
	page = rx->page[id];
	if (page) {
		rx->page[id] = NULL;
		rx->free[rx->nfree++] = id;
	}
	return page;
}

/*
 * Add a buffer with @len bytes to the frame; the first one has more than
 * @rx->head.  False: the buffer is not used.
 */
static bool rx_add(struct venet_pair *pair, struct page *page, u32 len)
{
	struct venet_rx *rx = &pair->rx;
	u32 off = 0, copy = 0, nr;

	if (!rx->skb) {
		rx->skb = napi_alloc_skb(&pair->napi, VENET_RX_COPY);
		if (unlikely(!rx->skb)) {
			venet_rx_count(rx, VENET_RX_DROPS, 1);
			rx->bad = true;
			return false;
		}
		/*
		 * Of a large frame the Ethernet header only: the stack pulls
		 * the other headers, and GRO wants no payload in the head.
		 */
		off = rx->head;
		len -= off;
		memcpy(&rx->told, page_address(page), off);
		copy = len <= VENET_RX_COPY ? len : ETH_HLEN;
		skb_put_data(rx->skb, page_address(page) + off, copy);
		if (copy == len)
			return false;
	}
	nr = skb_shinfo(rx->skb)->nr_frags;
	if (unlikely(nr >= MAX_SKB_FRAGS ||
		     rx->skb->len + len - copy > VENET_FRAME_MAX)) {
		venet_rx_count(rx, VENET_RX_HOST_ERRORS, 1);
		rx->bad = true;
		return false;
	}
	skb_add_rx_frag(rx->skb, nr, page, off + copy, len - copy, PAGE_SIZE);
	skb_mark_for_recycle(rx->skb);
	return true;
}

/* The tag that stands beside the frame. */
static void rx_tag(struct sk_buff *skb, u16 flags, u32 extra)
{
	if (flags & VENET_PKT_F_VLAN)
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q),
				       VENET_EXTRA_TCI(extra));
	else if (flags & VENET_PKT_F_SVLAN)
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021AD),
				       VENET_EXTRA_TCI(extra));
}

/* Take over the packet descriptor.  False: it makes no sense. */
static bool rx_describe(const struct venet_rx *rx, struct sk_buff *skb)
{
	u32 extra = le32_to_cpu(rx->told.extra);
	struct virtio_net_hdr hdr = {};
	u64 pkt = rx->pkt;
	u16 start = pkt >> 16, flags = pkt >> 48;

	if (flags & ~rx->flags ||
	    (flags & VENET_PKT_F_VLAN && flags & VENET_PKT_F_SVLAN))
		return false;
	switch (pkt & VENET_GSO_TYPE_MASK) {
	case VENET_GSO_NONE:
		hdr.gso_type = VIRTIO_NET_HDR_GSO_NONE;
		break;
	case VENET_GSO_TCPV4:
		hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		break;
	case VENET_GSO_TCPV6:
		hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
		break;
#ifdef VIRTIO_NET_HDR_GSO_UDP_L4
	case VENET_GSO_UDP_L4:
		hdr.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
		break;
#endif
	default:
		return false;
	}
	if (hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		if (!start)
			return false;
		if (pkt & VENET_GSO_F_ECN)
			hdr.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
		hdr.gso_size = (__force __virtio16)cpu_to_le16(pkt >> 32);
	}
	if (start) {
		hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		hdr.csum_start = (__force __virtio16)cpu_to_le16(start);
		hdr.csum_offset =
			(__force __virtio16)cpu_to_le16((pkt >> 8) & 0xff);
	}
	if (virtio_net_hdr_to_skb(skb, &hdr, true))
		return false;
	if (flags & VENET_PKT_F_TUNNEL &&
	    (hdr.gso_type == VIRTIO_NET_HDR_GSO_NONE ||
	     !venet_tunnel_accept(skb, extra)))
		return false;
	if (!start && flags & VENET_PKT_F_CSUM_OK)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	rx_tag(skb, flags, extra);
	return true;
}

/* What the host says of the packet's flow: harmless, whatever it is. */
static void rx_hash(const struct venet_rx *rx, struct sk_buff *skb)
{
	u32 hash = le32_to_cpu(rx->told.hash);

	if (rx->told.type == VENET_RX_HASH_L4)
		skb_set_hash(skb, hash, PKT_HASH_TYPE_L4);
	else if (rx->told.type == VENET_RX_HASH_L3)
		skb_set_hash(skb, hash, PKT_HASH_TYPE_L3);
}

/* The frame's last buffer is there. */
static void rx_deliver(struct venet_pair *pair)
{
	struct net_device *dev = pair->venet->dev;
	struct venet_rx *rx = &pair->rx;
	struct sk_buff *skb = rx->skb;

	rx->open = false;
	rx->skb = NULL;
	if (rx->headroom)
		skb = venet_xdp_run(pair);
	if (!skb)
		return;		/* counted where it went wrong, or not for us */
	if (unlikely(rx->bad))
		goto free;
	if (unlikely(skb_headlen(skb) < ETH_HLEN ||
		     !rx_describe(rx, skb))) {
		venet_rx_count(rx, VENET_RX_HOST_ERRORS, 1);
		goto free;
	}
	u64_stats_update_begin(&rx->sync);
	rx->stat[VENET_RX_PACKETS]++;
	rx->stat[VENET_RX_BYTES] += skb->len;
	rx->stat[VENET_RX_COPIED] += !skb_is_nonlinear(skb);
	u64_stats_update_end(&rx->sync);
	if (skb->len >= VENET_BULK)
		vbus_guest_lane_bulk(pair->poll.lane);

	skb->protocol = eth_type_trans(skb, dev);
	if (!(dev->features & NETIF_F_RXCSUM) &&
	    skb->ip_summed == CHECKSUM_UNNECESSARY)
		skb->ip_summed = CHECKSUM_NONE;
	if (rx->head)
		rx_hash(rx, skb);
	skb_record_rx_queue(skb, pair->index);
	napi_gro_receive(&pair->napi, skb);
	return;

free:
	dev_kfree_skb_any(skb);
}

/* One completion.  Returns true if it ended a frame. */
static bool rx_one(struct venet_pair *pair, const struct vbus_ioq_desc *d)
{
	struct device *dma_dev = pair->venet->dma_dev;
	struct venet_rx *rx = &pair->rx;
	struct page *page = rx_take(rx, d->id);
	bool first = !rx->open;

	if (first) {
		rx->open = true;
		rx->bad = false;
		rx->pkt = d->addr;
	}
	if (unlikely(!page || d->len <= (first ? rx->head : 0) ||
		     d->len > rx->room || d->flags & VBUS_DESC_F_ERROR)) {
		venet_rx_count(rx, VENET_RX_HOST_ERRORS, 1);
		rx->bad = true;
	}
	if (page) {
		if (!rx->bad && dma_dev)
			dma_sync_single_range_for_cpu(dma_dev,
						      page_pool_get_dma_addr(page),
						      rx->headroom, d->len,
						      DMA_FROM_DEVICE);
		if (rx->bad || !(rx->headroom ? venet_xdp_add(rx, page, d->len) :
						rx_add(pair, page, d->len)))
			venet_rx_reuse(pair, page);
	}
	if (d->flags & VBUS_DESC_F_NEXT)
		return false;
	rx_deliver(pair);
	return true;
}

/**
 * venet_rx_poll() - receive half of the pair's poll
 * @pair:	pair
 * @budget:	frames at most
 *
 * It stops early, as if there was more, when a higher lane has something to do.
 *
 * Return: frames, or @budget if there may be more.
 */
int venet_rx_poll(struct venet_pair *pair, int budget)
{
	struct venet_rx *rx = &pair->rx;
	u32 pieces = 0, max = budget * RX_PIECES;
	u32 batch = min_t(u32, RX_REFILL, rx->q->size / 4);
	struct vbus_ioq_desc d;
	int work = 0;

	venet_rx_count(rx, VENET_RX_POLLS, 1);
	while (work < budget && vbus_ioq_peek(&rx->q->comp, 0, &d)) {
		vbus_ioq_advance(&rx->q->comp, 1);
		work += rx_one(pair, &d);
		if (rx_missing(rx) >= batch)
			rx_refill(pair);
		/* frames without end, or ids that free nothing */
		if (++pieces == max)
			work = budget;
		if (vbus_guest_higher_ready(pair->poll.lane))
			work = budget;
	}
	if (rx->headroom)
		venet_xdp_flush(pair);
	if (rx_missing(rx))
		rx_refill(pair);
	return work;
}

static void rx_notify(struct vbus_queue *q)
{
	struct venet_pair *pair = q->priv;

	vbus_guest_poll_schedule(&pair->poll, &pair->napi);
}

/* Pages that are not back keep the pool alive; @lost: for good, do not wait. */
static void rx_pool_destroy(struct venet_rx *rx, bool lost)
{
	if (rx->headroom)
		venet_xdp_unregister(rx);
	if (lost)
		/* pages of it in the stack come back when we may be gone */
		vbus_compat_pool_forget_napi(rx->pool);
	else
		page_pool_destroy(rx->pool);
	rx->pool = NULL;
}

static int rx_pool_create(struct venet_pair *pair)
{
	struct venet *v = pair->venet;
	struct page_pool_params params = {
		.pool_size = 1u << v->rx_log2,
		.nid = NUMA_NO_NODE,
		.dev = v->dma_dev,
		.dma_dir = DMA_FROM_DEVICE,
		.offset = pair->rx.headroom,
		.max_len = pair->rx.room,
	};
	struct page_pool *pool;
	int err;

	if (v->dma_dev)
		params.flags = PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV;
	vbus_compat_pool_napi(&params, &pair->napi);
	pool = page_pool_create(&params);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	pair->rx.pool = pool;
	if (!pair->rx.headroom)
		return 0;
	err = venet_xdp_register(pair);
	if (err) {
		page_pool_destroy(pool);
		pair->rx.pool = NULL;
	}
	return err;
}

int venet_rx_create(struct venet_pair *pair)
{
	struct venet *v = pair->venet;
	struct vbus_queue_config config = {
		.shm = VENET_SHM_RX(pair->index),
		.lane = pair->poll.lane->index,
		.log2 = v->rx_log2,
		.notify = rx_notify,
		.priv = pair,
	};
	struct venet_rx *rx = &pair->rx;
	u32 i, size = 1u << v->rx_log2;
	int err = -ENOMEM;

	rx->page = kvcalloc(size, sizeof(*rx->page), GFP_KERNEL);
	rx->free = kvcalloc(size, sizeof(*rx->free), GFP_KERNEL);
	if (!rx->page || !rx->free)
		goto free_arrays;
	for (i = 0; i < size; i++)
		rx->free[i] = size - 1 - i;
	rx->nfree = size;
	rx->skb = NULL;
	rx->open = false;
	venet_xdp_layout(pair);
	err = rx_pool_create(pair);
	if (err)
		goto free_arrays;
	rx->q = vbus_guest_queue_create(v->vdev, &config);
	if (IS_ERR(rx->q)) {
		err = PTR_ERR(rx->q);
		rx->q = NULL;
		goto destroy_pool;
	}
	return 0;

destroy_pool:
	rx_pool_destroy(rx, false);
free_arrays:
	kvfree(rx->free);
	kvfree(rx->page);
	rx->free = NULL;
	rx->page = NULL;
	return err;
}

/*
 * The queue is unregistered.  Buffers that the host may still write into are
 * leaked, and their pool with them: it would wait for them, and complain, for
 * ever.
 */
void venet_rx_free(struct venet_pair *pair, bool released)
{
	struct venet_rx *rx = &pair->rx;
	u32 i, size = 1u << pair->venet->rx_log2;

	if (!rx->pool)
		return;
	dev_kfree_skb_any(rx->skb);
	rx->skb = NULL;
	for (i = 0; released && i < size; i++)
		if (rx->page[i])
			page_pool_put_full_page(rx->pool, rx->page[i], false);
	rx_pool_destroy(rx, !released);
	kvfree(rx->free);
	kvfree(rx->page);
	rx->free = NULL;
	rx->page = NULL;
}
