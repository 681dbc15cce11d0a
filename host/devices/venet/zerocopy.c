// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest sends, without copying the payload: a packet whose fragments are
 * the guest's own pages, lent to the host's stack until it is done with them.
 *
 * The first VENET_LINEAR bytes are copied, and all headers have to be in them:
 * nothing that the host decides by can change after it was looked at.  The rest
 * is read when the packet leaves the host, or enters another guest, and may
 * change until then.  Whoever keeps a packet for itself (a socket, a tap, a
 * second receiver) copies it then: the packets are not marked
 * SKBFL_DONT_ORPHAN, so that no fragment is ever shared by two packets.
 *
 * A chain is answered when its pages came back.  That happens in any order and in
 * any context, mostly in ours, while the packet is delivered; else the lane is
 * woken, which does not interrupt the guest.  Those who keep packets for long
 * cannot keep the guest from sending: so many frames may be out, then the next
 * ones are copied.
 *
 * Lifetime: a queue's loans live as long as the queue and every packet that is
 * out.  Each page has its own reference and each packet one of the loans, which
 * have one of the module.  So packets may outlive the queue, the session and the
 * guest; nobody waits for them, but the module cannot be unloaded.
 */
#define pr_fmt(fmt) "vbus_venet: " fmt

#include <linux/llist.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <net/flow_dissector.h>

#include "tx.h"

#define VENET_LOANS_MAX	256	/* frames of a queue that may be out */
/*
 * A packet that was copied after all has cost more than copying at once.  If
 * that is the fate of more than @POOR of @SAMPLE, the next big frames are copied
 * at once: @PAUSE_MIN of them, and twice as many each time that nothing has
 * changed.
 */
#define VENET_LOANS_SAMPLE	64
#define VENET_LOANS_POOR	8
#define VENET_LOANS_PAUSE_MIN	1024
#define VENET_LOANS_PAUSE_MAX	65536
#define VENET_TRANSPORT_MAX	60	/* bytes of TCP's header */
#define VENET_LOANS_WAIT_MS	100	/* how long STOP waits for what is out */

/**
 * struct venet_loan - a frame that is out
 * @ubuf:	what its packet points to
 * @loans:	the queue's
 * @node:	entry of @loans->back
 * @seq:	counts frames
 * @id:		of its chain
 * @nr:		descriptors of its chain
 * @copied:	it was copied after all
 */
struct venet_loan {
	struct ubuf_info ubuf;
	struct venet_loans *loans;
	struct llist_node node;
	u32 seq;
	u16 id;
	u16 nr;
	bool copied;
};

/**
 * struct venet_loans - what a transmit queue has lent
 * @refs:	1 for the queue, 1 for each frame that is out
 * @q:		the queue, NULL: it is gone
 * @back:	frames that came back and are not answered
 * @busy:	the owner is going to look at @back
 * @stats:	the pair's
 * @seq:	of the next frame; by the owner, like all that follows
 * @unanswered:	frames that are out or in @back
 * @slots:	descriptors of their chains
 * @sampled:	frames that came back in the present sample
 * @poor:	... that were copied after all
 * @pause:	frames that are to be copied before we try again
 * @next_pause:	... if the next sample is poor
 * @nfree:	entries of @free
 * @free:	unused entries of @loan
 * @loan:	frames
 */
struct venet_loans {
	refcount_t refs;
	struct vbus_queue __rcu *q;
	struct llist_head back;
	bool busy;
	struct venet_loan_stats *stats;
	u32 seq;
	u32 unanswered;
	u32 slots;
	u32 sampled;
	u32 poor;
	u32 pause;
	u32 next_pause;
	u32 nfree;
	u16 free[VENET_LOANS_MAX];
	struct venet_loan loan[VENET_LOANS_MAX];
};

static struct venet_loans *queue_loans(const struct vbus_queue *q)
{
	return ((struct venet_pair *)q->priv)->loans;
}

static void venet_loans_count(struct venet_loan_stats *s, u64_stats_t *counter,
			      u32 n)
{
	u64_stats_update_begin(&s->syncp);
	u64_stats_add(counter, n);
	u64_stats_update_end(&s->syncp);
}

/* Any context. */
static void venet_loans_put(struct venet_loans *loans)
{
	if (!refcount_dec_and_test(&loans->refs)) {
		/*
		 * X: orders the count before wake_up_var()'s look for who waits;
		 * pairs with Y, the barrier of set_current_state(), by which
		 * wait_var_event_timeout() goes to wait before it looks at the
		 * count.  Somebody else may free it now: its address is all we
		 * need.
		 */
		smp_mb();
		wake_up_var(&loans->refs);
		return;
	}
	kfree(loans);
	module_put(THIS_MODULE);
}

/*
 * The packet does not need the guest's pages any more.  Any context; @skb is NULL
 * or being freed or copied.
 */
static void venet_loan_back(struct sk_buff *skb, struct ubuf_info *ubuf,
			    bool by_reference)
{
	struct venet_loan *loan = container_of(ubuf, struct venet_loan, ubuf);
	struct venet_loans *loans = loan->loans;
	struct vbus_queue *q;

	if (!by_reference)
		WRITE_ONCE(loan->copied, true);
	if (!refcount_dec_and_test(&ubuf->refcnt))
		return;
	rcu_read_lock();
	/*
	 * R: llist_add() is a full barrier.  It orders the entry before the look
	 * at @busy; pairs with S in venet_loans_end().  Who adds to others need
	 * do nothing: the first of them has.
	 */
	if (llist_add(&loan->node, &loans->back) && !READ_ONCE(loans->busy)) {
		q = rcu_dereference(loans->q);
		if (q)
			vbus_queue_wake(q);
	}
	rcu_read_unlock();
	venet_loans_put(loans);
}

static const struct ubuf_info_ops venet_loan_ops = {
	.complete = venet_loan_back,
};

/**
 * venet_loans_create() - for a new transmit queue
 * @q:		queue, not live yet
 *
 * Return: the loans, or NULL if there is no memory: then all is copied.
 */
struct venet_loans *venet_loans_create(struct vbus_queue *q)
{
	struct venet_pair *pair = q->priv;
	struct venet_loans *loans;
	u32 i;

	loans = kzalloc(sizeof(*loans), GFP_KERNEL_ACCOUNT);
	if (!loans)
		return NULL;
	__module_get(THIS_MODULE);
	refcount_set(&loans->refs, 1);
	RCU_INIT_POINTER(loans->q, q);
	init_llist_head(&loans->back);
	loans->stats = &pair->loan_stats;
	loans->next_pause = VENET_LOANS_PAUSE_MIN;
	for (i = 0; i < VENET_LOANS_MAX; i++) {
		loans->loan[i].ubuf.ops = &venet_loan_ops;
		loans->loan[i].ubuf.flags = SKBFL_ZEROCOPY_FRAG;
		loans->loan[i].loans = loans;
		loans->free[i] = i;
	}
	loans->nfree = VENET_LOANS_MAX;
	return loans;
}

/* The queue goes; a grace period passes before it is freed.  NULL is fine. */
void venet_loans_detach(struct venet_loans *loans)
{
	if (!loans)
		return;
	RCU_INIT_POINTER(loans->q, NULL);
	venet_loans_put(loans);
}

/**
 * venet_loans_settle() - give what is out a moment to come back
 * @venet:	device that does not run; bus->lock is held
 *
 * Sleeps for VENET_LOANS_WAIT_MS at most, whatever the number of queues.
 *
 * Return: true if nothing is out.
 */
bool venet_loans_settle(const struct venet_host *venet)
{
	long left = msecs_to_jiffies(VENET_LOANS_WAIT_MS);
	struct venet_loans *loans;
	u32 i;

	for (i = 0; i < venet->pairs; i++) {
		loans = venet->pair[i].loans;
		if (!loans)
			continue;
		left = wait_var_event_timeout(&loans->refs,
					      refcount_read(&loans->refs) == 1,
					      left);
		if (!left)
			return false;
	}
	return true;
}

/* Is a chain out?  Then no completion may answer for all before it. */
bool venet_loans_out(const struct venet_loans *loans)
{
	return loans && loans->unanswered;
}

/* ------------------------------------------------------------- to the stack */

/* May another frame go out?  A queue keeps half of its slots for copied ones. */
static bool venet_loans_may(struct venet_loans *loans,
			    const struct vbus_queue *q, u32 nr)
{
	if (loans->pause) {
		loans->pause--;
		return false;
	}
	if (loans->nfree && loans->slots + nr <= q->sub.size / 2)
		return true;
	venet_loans_count(loans->stats, &loans->stats->refused, 1);
	return false;
}

/*
 * Does memory at @off of @page go on where the packet's last fragment ends?  The
 * reference of a fragment's first page is good for all of its folio, only.
 */
static bool venet_loan_goes_on(const struct sk_buff *skb, struct page *page,
			       u32 off)
{
	const struct skb_shared_info *info = skb_shinfo(skb);
	const skb_frag_t *frag;

	if (!info->nr_frags)
		return false;
	frag = &info->frags[info->nr_frags - 1];
	return page_folio(skb_frag_page(frag)) == page_folio(page) &&
	       page_to_phys(skb_frag_page(frag)) + skb_frag_off(frag) +
	       skb_frag_size(frag) == page_to_phys(page) + off;
}

/* Add guest memory to the end of the packet.  False: not possible. */
static bool venet_loan_pages(const struct vbus_mem *mem, struct sk_buff *skb,
			     u64 addr, u32 len)
{
	struct page *page;
	u32 nr, off;
	size_t n;

	for (; len; addr += n, len -= n) {
		n = len;
		page = vbus_mem_page(mem, addr, &n);
		if (!page)
			return false;
		off = offset_in_page(addr);
		nr = skb_shinfo(skb)->nr_frags;
		if (venet_loan_goes_on(skb, page, off)) {
			skb_coalesce_rx_frag(skb, nr - 1, n, n);
			put_page(page);
			continue;
		}
		if (nr == MAX_SKB_FRAGS) {
			put_page(page);
			return false;
		}
		skb_add_rx_frag(skb, nr, page, off, n, n);
	}
	return true;
}

/* Copy the first bytes, add references of the others. */
static bool venet_loan_fill(const struct vbus_queue *q,
			    const struct venet_chain *c, struct sk_buff *skb)
{
	const struct vbus_mem *mem = q->dev->bus->mem;
	u32 i, n, left = VENET_LINEAR;

	for (i = 0; i < c->pieces; i++) {
		const struct vbus_ioq_desc *d = &c->desc[i];

		n = min(d->len, left);
		left -= n;
		if (d->flags & VBUS_DESC_F_INLINE) {
			if (n != d->len)
				return false;
			skb_put_data(skb, q->inl + c->slot[i] * q->inline_len,
				     n);
			continue;
		}
		if (n && vbus_mem_read(mem, d->addr, skb_put(skb, n), n))
			return false;
		if (n != d->len &&
		    !venet_loan_pages(mem, skb, d->addr + n, d->len - n))
			return false;
	}
	return true;
}

/*
 * Are all headers that anybody on the way may look at in the head?  What the
 * kernel's own parser cannot follow to a transport header is copied.
 */
static bool venet_loan_parsed(const struct net_device *netdev,
			      const struct sk_buff *skb)
{
	const struct ethhdr *eth = (const struct ethhdr *)skb->data;
	struct flow_keys_basic keys;

	skb_flow_dissect_flow_keys_basic(dev_net(netdev), NULL, &keys,
					 skb->data, eth->h_proto, ETH_HLEN,
					 VENET_LINEAR, 0);
	if (keys.basic.n_proto != htons(ETH_P_IP) &&
	    keys.basic.n_proto != htons(ETH_P_IPV6))
		return true;
	switch (keys.basic.ip_proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return keys.control.thoff + VENET_TRANSPORT_MAX <= VENET_LINEAR;
	}
	return false;
}

/* ... and the header whose checksum is to be completed, in a tunnel or not? */
static bool venet_loan_described(u64 meta)
{
	return (u16)(meta >> 16) + VENET_TRANSPORT_MAX <= VENET_LINEAR;
}

/**
 * venet_loans_packet() - make a packet that refers to the guest's pages
 * @q:		transmit queue; owner of its lane
 * @c:		chain with pieces
 *
 * Return: the packet, to be given to venet_loans_lend() or freed; or NULL: copy
 * it, which also finds out what is wrong with it, if anything.
 */
struct sk_buff *venet_loans_packet(struct vbus_queue *q,
				   const struct venet_chain *c)
{
	struct venet_host *venet = to_venet(q->dev);
	struct venet_loans *loans = queue_loans(q);
	struct sk_buff *skb;

	if (!loans || c->len < venet->zerocopy_bytes ||
	    c->len <= VENET_LINEAR || !venet_loans_may(loans, q, c->nr))
		return NULL;
	skb = netdev_alloc_skb_ip_align(venet->netdev, VENET_LINEAR);
	if (!skb)
		return NULL;
	if (venet_loan_fill(q, c, skb) && venet_loan_described(c->meta) &&
	    venet_loan_parsed(venet->netdev, skb))
		return skb;
	consume_skb(skb);
	venet_loans_count(loans->stats, &loans->stats->refused, 1);
	return NULL;
}

/**
 * venet_loans_lend() - the packet is going to be delivered
 * @q:		transmit queue; owner of its lane
 * @c:		its chain, which is answered when the packet is done
 * @skb:	from venet_loans_packet()
 */
void venet_loans_lend(struct vbus_queue *q, const struct venet_chain *c,
		      struct sk_buff *skb)
{
	struct venet_loans *loans = queue_loans(q);
	struct venet_loan *loan = &loans->loan[loans->free[--loans->nfree]];

	loan->id = c->id;
	loan->nr = c->nr;
	loan->seq = loans->seq++;
	loan->copied = false;
	loans->unanswered++;
	loans->slots += c->nr;
	refcount_set(&loan->ubuf.refcnt, 1);
	refcount_inc(&loans->refs);
	skb_zcopy_init(skb, &loan->ubuf);
	venet_loans_count(loans->stats, &loans->stats->lent, 1);
}

/* --------------------------------------------------------------- and back */

/* If too many were copied after all, lend no more for a while. */
static void venet_loans_judge(struct venet_loans *loans, u32 back, u32 copied)
{
	loans->sampled += back;
	loans->poor += copied;
	if (loans->sampled < VENET_LOANS_SAMPLE)
		return;
	if (loans->poor > loans->sampled * VENET_LOANS_POOR / VENET_LOANS_SAMPLE) {
		loans->pause = loans->next_pause;
		loans->next_pause = min(2 * loans->next_pause,
					VENET_LOANS_PAUSE_MAX);
	} else {
		loans->next_pause = VENET_LOANS_PAUSE_MIN;
	}
	loans->sampled = 0;
	loans->poor = 0;
}

/* Answer the chains that came back; not published yet. */
static void venet_loans_collect(struct vbus_queue *q)
{
	struct venet_loans *loans = queue_loans(q);
	struct venet_loan *loan, *last = NULL;
	struct llist_node *list;
	u32 n = 0, copied = 0;

	if (llist_empty(&loans->back))
		return;
	list = llist_del_all(&loans->back);
	llist_for_each_entry(loan, list, node) {
		if (!last || (s32)(loan->seq - last->seq) > 0)
			last = loan;
		n++;
		copied += READ_ONCE(loan->copied);
		loans->slots -= loan->nr;
	}
	loans->unanswered -= n;
	/* nothing is out: one completion answers for all up to the last one */
	if (!loans->unanswered)
		venet_tx_complete(q, last->id, VBUS_DESC_F_BATCH);
	llist_for_each_entry(loan, list, node) {
		if (loans->unanswered)
			venet_tx_complete(q, loan->id, 0);
		loans->free[loans->nfree++] = loan - loans->loan;
	}
	venet_loans_judge(loans, n, copied);
	u64_stats_update_begin(&loans->stats->syncp);
	u64_stats_add(&loans->stats->back, n);
	u64_stats_add(&loans->stats->copied, copied);
	u64_stats_update_end(&loans->stats->syncp);
}

/* A round begins: who gives something back need not wake us. */
void venet_loans_begin(struct vbus_queue *q)
{
	struct venet_loans *loans = queue_loans(q);

	if (!loans)
		return;
	WRITE_ONCE(loans->busy, true);
	venet_loans_collect(q);
}

/* It ends, after delivery: from now on, who gives something back wakes us. */
void venet_loans_end(struct vbus_queue *q)
{
	struct venet_loans *loans = queue_loans(q);

	if (!loans)
		return;
	WRITE_ONCE(loans->busy, false);
	/* S: orders @busy before the look at @back; pairs with R */
	smp_mb();
	venet_loans_collect(q);
}
