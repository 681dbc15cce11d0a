// SPDX-License-Identifier: GPL-2.0-only
/*
 * venet: the transmit half of a queue pair: its ring, what stands behind each
 * descriptor, and when the queue stops and goes on.
 *
 * The net core's tx lock protects everything here.  Completions cause no signal
 * of their own: they are reaped when the next packet is sent, when the pair is
 * polled for whatever reason, and after a second.  Only when the ring is full do we
 * ask to be told of the next one.  (Not of a later one: one completion may answer
 * many chains, so that a later one may never come.)
 *
 * Small packets need many descriptors: in the time for which a program that
 * receives has the CPU of the lane's worker, one that sends fills hundreds.
 */
#include <linux/slab.h>
#include "venet.h"

#define TX_REAP_ZEROCOPY	msecs_to_jiffies(10)	/* like VENET_TX_REAP; a program may wait */

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
	if (head->zerocopy) {
		head->zerocopy = false;
		WRITE_ONCE(tx->zerocopy, tx->zerocopy - 1);
	}
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

/**
 * venet_tx_await() - see to it that what somebody waits for is freed some day
 * @pair:	pair
 *
 * Completions are not signalled.  Somebody's page pool waits for the pages of XDP's
 * frames, and a program for what it sent by MSG_ZEROCOPY.
 */
void venet_tx_await(struct venet_pair *pair)
{
	if (unlikely(READ_ONCE(pair->tx.zerocopy)))
		schedule_delayed_work(&pair->refill, TX_REAP_ZEROCOPY);
	else if (unlikely(READ_ONCE(pair->tx.frames)))
		schedule_delayed_work(&pair->refill, VENET_TX_REAP);
}

/* @skb was just put by reference; the tx lock is held. */
void venet_tx_note_skb(struct venet_pair *pair, struct venet_tx_slot *slot,
		       struct sk_buff *skb)
{
	struct venet_tx *tx = &pair->tx;

	slot->skb = skb;
	slot->zerocopy = skb_zcopy(skb);
	if (unlikely(slot->zerocopy)) {
		/* the first one waits neither as long as XDP's frames, nor for the next ones */
		if (!tx->zerocopy)
			mod_delayed_work(system_wq, &pair->refill, TX_REAP_ZEROCOPY);
		WRITE_ONCE(tx->zerocopy, tx->zerocopy + 1);
	} else if (unlikely(!delayed_work_pending(&pair->reap))) {
		schedule_delayed_work(&pair->reap, VENET_TX_REAP);
	}
}

/* Hand what was put to the host, and tell it if it wants to be told. */
void venet_tx_publish(struct venet_tx *tx)
{
	if (!vbus_ioq_unpublished(&tx->q->sub))
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
 * venet_tx_unanswered() - how much of what was sent the host has not answered
 * @pair:	pair; process context
 *
 * Return: slots that are in use.
 */
u32 venet_tx_unanswered(struct venet_pair *pair)
{
	struct netdev_queue *txq = netdev_get_tx_queue(pair->venet->dev,
						       pair->index);
	u32 slots;

	__netif_tx_lock_bh(txq);
	venet_tx_reap(pair, 0);
	slots = pair->tx.q->size - pair->tx.nfree;
	__netif_tx_unlock_bh(txq);
	return slots;
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
	tx->wake = max_t(u32, VENET_TX_WORST, size / 4);
	/* a ring starts armed, and we do not want to be told */
	vbus_ioq_disarm(&tx->q->comp);
	return 0;
}

/* The queue is unregistered.  What the host may still use is leaked. */
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
	tx->frames = 0;
	tx->zerocopy = 0;
}
