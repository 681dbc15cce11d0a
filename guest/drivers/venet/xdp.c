// SPDX-License-Identifier: GPL-2.0-only
/*
 * venet: XDP.
 *
 * While a program is attached each receive buffer is a page with room in front
 * of and behind what the host writes: the program may use it, an skb can be built
 * around it, and sent on it needs no copy.  Whether there is a program is
 * therefore decided when the rings are made, and venet_bpf() makes them anew if
 * that changes; one program is exchanged for another on the fly.
 *
 * A frame that XDP sends or redirects has no packet descriptor: nobody could
 * complete its checksum or segment it.  So START asks for finished packets while
 * a program is attached, whatever the program can do.
 *
 * The receive half belongs to the pair's NAPI, the transmit half to the tx lock.
 */
#include <linux/bpf.h>
#include <linux/bpf_trace.h>
#include <linux/filter.h>
#include <linux/if_vlan.h>
#include <linux/rtnetlink.h>
#include "venet.h"

#define XDP_TAILROOM	SKB_DATA_ALIGN(sizeof(struct skb_shared_info))
#define XDP_ROOM	((u32)(PAGE_SIZE - XDP_PACKET_HEADROOM - XDP_TAILROOM))

/* Transmit */

/* Find the pieces of @frame.  Returns how many, or -errno: nothing is mapped. */
static int xdp_map(struct device *dma_dev, struct xdp_frame *frame,
		   struct venet_tx_piece *piece)
{
	const struct skb_shared_info *info;
	u32 i, n, nr = 0;

	if (xdp_frame_has_frags(frame)) {
		info = xdp_get_shared_info_from_frame(frame);
		nr = info->nr_frags;
	}
	/* depends on the kernel's MAX_SKB_FRAGS */
	if (nr >= VENET_CHAIN_MAX)
		return -EMSGSIZE;
	for (n = 0; n <= nr; n++) {
		const skb_frag_t *frag = n ? &info->frags[n - 1] : NULL;

		piece[n].len = frag ? skb_frag_size(frag) : frame->len;
		piece[n].page = frag;
		piece[n].dma = frag ?
			vbus_guest_map_page(dma_dev, skb_frag_page(frag),
					    skb_frag_off(frag), piece[n].len,
					    DMA_TO_DEVICE) :
			vbus_guest_map(dma_dev, frame->data, piece[n].len,
				       DMA_TO_DEVICE);
		if (vbus_guest_map_error(dma_dev, piece[n].dma))
			goto unmap;
	}
	return n;

unmap:
	for (i = 0; i < n; i++)
		venet_tx_unmap(dma_dev, &piece[i]);
	return -ENOMEM;
}

/* Put one frame.  False: it is still the caller's. */
static bool xdp_put(struct venet_tx *tx, struct device *dma_dev,
		    struct xdp_frame *frame, u32 len)
{
	static const struct venet_tx_meta finished;
	struct venet_tx_piece piece[VENET_CHAIN_MAX];
	int n;

	if (len < ETH_HLEN || len > VENET_FRAME_MAX)
		return false;
	if (len <= VENET_INLINE && !xdp_frame_has_frags(frame)) {
		memcpy(venet_tx_inline(tx, &finished), frame->data, len);
		venet_tx_put_inline(tx, len, &finished);
		xdp_return_frame(frame);
		return true;
	}
	n = xdp_map(dma_dev, frame, piece);
	if (n < 0)
		return false;
	venet_tx_put(tx, piece, n, &finished)->frame = frame;
	WRITE_ONCE(tx->frames, tx->frames + 1);
	return true;
}

/* Send the first frames of an array, as many as there is room for. */
static int xdp_send(struct venet_pair *pair, struct xdp_frame **frames, int n,
		    bool flush)
{
	struct netdev_queue *txq = netdev_get_tx_queue(pair->venet->dev,
						       pair->index);
	struct venet_tx *tx = &pair->tx;
	u32 len, bytes = 0;
	int i = 0;

	__netif_tx_lock(txq, smp_processor_id());
	/* venet_down() stopped it; there is none if it was never in use */
	if (!tx->q || netif_tx_queue_stopped(txq))
		goto unlock;
	txq_trans_cond_update(txq);
	venet_tx_reap(pair, 0);
	for (i = 0; i < n && venet_tx_free_slots(tx) >= VENET_TX_WORST; i++) {
		len = xdp_get_frame_len(frames[i]);
		if (!xdp_put(tx, pair->venet->dma_dev, frames[i], len))
			break;
		bytes += len;
	}
	u64_stats_update_begin(&tx->sync);
	tx->stat[VENET_TX_PACKETS] += i;
	tx->stat[VENET_TX_XDP] += i;
	tx->stat[VENET_TX_BYTES] += bytes;
	u64_stats_update_end(&tx->sync);
	if (venet_tx_free_slots(tx) < VENET_TX_WORST)
		venet_tx_stop(pair, txq);
	else if (flush)
		venet_tx_publish(tx);
	venet_tx_await(pair);
unlock:
	__netif_tx_unlock(txq);
	return i;
}

static void xdp_send_back(struct venet_pair *pair)
{
	struct venet_rx *rx = &pair->rx;
	u32 i, sent, n = rx->xdp_ntx;

	sent = xdp_send(pair, rx->xdp_tx, n, true);
	for (i = sent; i < n; i++)
		xdp_return_frame_rx_napi(rx->xdp_tx[i]);
	rx->xdp_ntx = 0;
	venet_rx_count(rx, VENET_RX_XDP_TX, sent);
	venet_rx_count(rx, VENET_RX_XDP_ERRORS, n - sent);
}

/* ndo_xdp_xmit */
int venet_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames,
		   u32 flags)
{
	struct venet *v = netdev_priv(dev);

	if (unlikely(flags & ~XDP_XMIT_FLAGS_MASK))
		return -EINVAL;
	if (unlikely(!netif_running(dev) || !netif_carrier_ok(dev)))
		return -ENETDOWN;
	return xdp_send(&v->pair[smp_processor_id() % READ_ONCE(v->active)],
			frames, n, flags & XDP_XMIT_FLUSH);
}

/* Receive */

/* What the buffers of a ring that is about to be made look like; rtnl. */
void venet_xdp_layout(struct venet_pair *pair)
{
	bool xdp = rtnl_dereference(pair->venet->xdp_prog);
	struct venet_rx *rx = &pair->rx;

	BUILD_BUG_ON(XDP_ROOM < VENET_RX_BUF_MIN);
	rx->headroom = xdp ? XDP_PACKET_HEADROOM : 0;
	rx->room = xdp ? XDP_ROOM : PAGE_SIZE;
	rx->xdp.data_hard_start = NULL;
	rx->xdp_ntx = 0;
	rx->xdp_flush = false;
}

/* The queue's pages are the pool's. */
int venet_xdp_register(struct venet_pair *pair)
{
	struct venet_rx *rx = &pair->rx;
	int err;

	err = __xdp_rxq_info_reg(&rx->xdp_rxq, pair->venet->dev, pair->index,
				 pair->napi.napi_id, PAGE_SIZE);
	if (err)
		return err;
	err = xdp_rxq_info_reg_mem_model(&rx->xdp_rxq, MEM_TYPE_PAGE_POOL,
					 rx->pool);
	if (err)
		xdp_rxq_info_unreg(&rx->xdp_rxq);
	return err;
}

static void xdp_discard(struct venet_pair *pair)
{
	struct xdp_buff *xdp = &pair->rx.xdp;

	if (xdp_buff_has_frags(xdp))
		xdp_return_buff(xdp);
	else
		venet_rx_reuse(pair, virt_to_page(xdp->data_hard_start));
	xdp->data_hard_start = NULL;
}

/*
 * A frame whose end the host did not deliver; no program has seen it.  Not by
 * xdp_return_buff(), which is for polls only: outside of one a task has no BPF
 * context for it to look at.
 */
static void xdp_discard_open(struct venet_rx *rx)
{
	struct xdp_buff *xdp = &rx->xdp;
	const struct skb_shared_info *info = xdp_get_shared_info_from_buff(xdp);
	u32 i, nr = xdp_buff_has_frags(xdp) ? info->nr_frags : 0;

	for (i = 0; i < nr; i++)
		page_pool_put_full_page(rx->pool, skb_frag_page(&info->frags[i]),
					false);
	page_pool_put_full_page(rx->pool, virt_to_page(xdp->data_hard_start),
				false);
	xdp->data_hard_start = NULL;
}

/* Nobody polls. */
void venet_xdp_unregister(struct venet_rx *rx)
{
	if (rx->xdp.data_hard_start)
		xdp_discard_open(rx);
	xdp_rxq_info_unreg(&rx->xdp_rxq);
}

/**
 * venet_xdp_add() - add a buffer to the frame
 * @rx:		receive half
 * @page:	buffer
 * @len:	bytes that the host wrote, at most @rx->room
 *
 * Return: false if the buffer is not used: the frame is too long.
 */
bool venet_xdp_add(struct venet_rx *rx, struct page *page, u32 len)
{
	struct xdp_buff *xdp = &rx->xdp;
	struct skb_shared_info *info;

	if (!xdp->data_hard_start) {
		memcpy(&rx->told, page_address(page) + rx->headroom, rx->head);
		xdp_init_buff(xdp, PAGE_SIZE, &rx->xdp_rxq);
		xdp_prepare_buff(xdp, page_address(page),
				 rx->headroom + rx->head, len - rx->head, true);
		return true;
	}
	info = xdp_get_shared_info_from_buff(xdp);
	if (!xdp_buff_has_frags(xdp)) {
		xdp_buff_set_frags_flag(xdp);
		info->nr_frags = 0;
		info->xdp_frags_size = 0;
	}
	/* with large pages, or many fragments, the length is the limit */
	if (unlikely(info->nr_frags == MAX_SKB_FRAGS ||
		     xdp_get_buff_len(xdp) + len > VENET_FRAME_MAX)) {
		venet_rx_count(rx, VENET_RX_HOST_ERRORS, 1);
		rx->bad = true;
		return false;
	}
	__skb_fill_page_desc_noacc(info, info->nr_frags++, page, rx->headroom,
				   len);
	info->xdp_frags_size += len;
	if (page_is_pfmemalloc(page))
		xdp_buff_set_frag_pfmemalloc(xdp);
	return true;
}

/* What the program passes becomes an skb around the buffers, or NULL. */
static struct sk_buff *xdp_to_skb(struct venet_pair *pair)
{
	struct venet_rx *rx = &pair->rx;
	u32 nr = 0, size = 0, meta = rx->xdp.data - rx->xdp.data_meta;
	struct xdp_buff *xdp = &rx->xdp;
	struct skb_shared_info *info;
	struct sk_buff *skb;

	info = xdp_get_shared_info_from_buff(xdp);
	if (xdp_buff_has_frags(xdp)) {
		nr = info->nr_frags;
		size = info->xdp_frags_size;
	}
	skb = napi_build_skb(xdp->data_hard_start, xdp->frame_sz);
	if (unlikely(!skb)) {
		venet_rx_count(rx, VENET_RX_DROPS, 1);
		xdp_discard(pair);
		return NULL;
	}
	skb_mark_for_recycle(skb);
	skb_reserve(skb, xdp->data - xdp->data_hard_start);
	__skb_put(skb, xdp->data_end - xdp->data);
	if (meta)
		skb_metadata_set(skb, meta);
	if (nr) {
		/* the fragments themselves are where the skb expects them */
		skb_shinfo(skb)->nr_frags = nr;
		skb->len += size;
		skb->data_len += size;
		skb->truesize += nr * PAGE_SIZE;
		skb->pfmemalloc |= xdp_buff_is_frag_pfmemalloc(xdp);
	}
	xdp->data_hard_start = NULL;
	return skb;
}

/* Returns the counter for what became of the frame. */
static enum venet_rx_stat xdp_act(struct venet_pair *pair,
				  struct bpf_prog *prog, u32 act)
{
	struct net_device *dev = pair->venet->dev;
	struct venet_rx *rx = &pair->rx;
	struct xdp_frame *frame;

	switch (act) {
	case XDP_TX:
		frame = xdp_convert_buff_to_frame(&rx->xdp);
		if (unlikely(!frame))
			break;
		rx->xdp.data_hard_start = NULL;
		rx->xdp_tx[rx->xdp_ntx++] = frame;
		if (rx->xdp_ntx == ARRAY_SIZE(rx->xdp_tx))
			xdp_send_back(pair);
		return VENET_RX_XDP_TX;
	case XDP_REDIRECT:
		if (unlikely(xdp_do_redirect(dev, &rx->xdp, prog)))
			break;
		rx->xdp.data_hard_start = NULL;
		rx->xdp_flush = true;
		return VENET_RX_XDP_REDIRECT;
	case XDP_DROP:
		xdp_discard(pair);
		return VENET_RX_XDP_DROP;
	case XDP_ABORTED:
		break;
	default:
		bpf_warn_invalid_xdp_action(dev, prog, act);
		break;
	}
	trace_xdp_exception(dev, prog, act);
	xdp_discard(pair);
	return VENET_RX_XDP_ERRORS;
}

/**
 * venet_xdp_run() - the frame is complete: run the program
 * @pair:	pair
 *
 * Return: what goes on to the stack, NULL if nothing does; all is counted then.
 */
struct sk_buff *venet_xdp_run(struct venet_pair *pair)
{
	struct venet_rx *rx = &pair->rx;
	struct xdp_buff *xdp = &rx->xdp;
	enum venet_rx_stat what;
	struct bpf_prog *prog;
	u32 act, len;

	if (!xdp->data_hard_start)
		return NULL;
	if (unlikely(rx->bad))
		goto discard;
	if (unlikely(xdp->data_end - xdp->data < ETH_HLEN)) {
		venet_rx_count(rx, VENET_RX_HOST_ERRORS, 1);
		goto discard;
	}
	prog = rcu_dereference_bh(pair->venet->xdp_prog);
	/*
	 * Not for this program: packets that are not finished, which the host
	 * may still have had when it was told, and those beyond the MTU.
	 */
	if (unlikely(rx->pkt & ~((u64)VENET_PKT_F_CSUM_OK << 48) ||
		     (xdp_buff_has_frags(xdp) && !prog->aux->xdp_has_frags))) {
		venet_rx_count(rx, VENET_RX_XDP_ERRORS, 1);
		goto discard;
	}
	len = xdp_get_buff_len(xdp);
	act = bpf_prog_run_xdp(prog, xdp);
	if (act == XDP_PASS)
		return xdp_to_skb(pair);

	what = xdp_act(pair, prog, act);
	u64_stats_update_begin(&rx->sync);
	rx->stat[VENET_RX_PACKETS]++;
	rx->stat[VENET_RX_BYTES] += len;
	/* xdp_send_back() finds out */
	if (what != VENET_RX_XDP_TX)
		rx->stat[what]++;
	u64_stats_update_end(&rx->sync);
	return NULL;

discard:
	xdp_discard(pair);
	return NULL;
}

/* At the end of a poll. */
void venet_xdp_flush(struct venet_pair *pair)
{
	struct venet_rx *rx = &pair->rx;

	if (rx->xdp_ntx)
		xdp_send_back(pair);
	if (rx->xdp_flush)
		xdp_do_flush();
	rx->xdp_flush = false;
}

/* Set up */

/* The largest MTU that @prog can have, with two VLAN tags. */
static u32 xdp_mtu_max(const struct bpf_prog *prog)
{
	u32 max = XDP_ROOM;

	if (!prog)
		return VENET_MTU_MAX;
	if (prog->aux->xdp_has_frags)
		max = min((MAX_SKB_FRAGS + 1) * XDP_ROOM, VENET_FRAME_MAX);
	return max - sizeof(struct venet_rx_head) - ETH_HLEN - 2 * VLAN_HLEN;
}

static void xdp_use(struct venet *v, struct bpf_prog *prog)
{
	rcu_assign_pointer(v->xdp_prog, prog);
	/* the net core refuses what is larger */
	v->dev->max_mtu = xdp_mtu_max(prog);
}

static int xdp_set_prog(struct venet *v, struct bpf_prog *prog,
			struct netlink_ext_ack *extack)
{
	struct bpf_prog *old = rtnl_dereference(v->xdp_prog);
	int err;

	if (v->dev->mtu > xdp_mtu_max(prog)) {
		if (prog->aux->xdp_has_frags)
			NL_SET_ERR_MSG(extack, "MTU too large for XDP");
		else
			NL_SET_ERR_MSG(extack, "MTU too large for an XDP program without frags");
		return -EINVAL;
	}
	if (!prog == !old || !v->running) {
		xdp_use(v, prog);
		goto put;
	}
	venet_down(v);
	xdp_use(v, prog);
	err = venet_up(v);
	/* a program must be able to go: its link, or process, is gone already */
	if (err && !prog) {
		netdev_err(v->dev, "cannot restart without the XDP program: %d\n",
			   err);
		goto put;
	}
	if (err) {
		NL_SET_ERR_MSG(extack, "cannot restart the queues");
		xdp_use(v, old);
		if (venet_up(v))
			netdev_err(v->dev, "cannot restart with the old XDP program either\n");
		return err;
	}
put:
	if (old)
		bpf_prog_put(old);
	return 0;
}

/* ndo_bpf */
int venet_bpf(struct net_device *dev, struct netdev_bpf *bpf)
{
	switch (bpf->command) {
	case XDP_SETUP_PROG:
		return xdp_set_prog(netdev_priv(dev), bpf->prog, bpf->extack);
	default:
		return -EINVAL;
	}
}
