// SPDX-License-Identifier: GPL-2.0-only
/*
 * venet: which pair a packet is sent on.
 *
 * The stack's choice is the pair of the CPU that sends (venet_setup_xps()), and for
 * a flow the one that it had, unless TCP says that none of its packets can be
 * overtaken any more: all of its data is acknowledged, or its packets have been freed.
 * But ours are nobody's from the moment they are put (venet_tx_xmit()).  So in the
 * second case we add what we know: whether the pair that the flow had has been
 * answered all that it sent.
 */
#include <net/sock.h>
#include <net/tcp.h>
#include "venet.h"

/* Is all of the flow's data acknowledged?  The packet at hand is not counted yet. */
static bool pick_acknowledged(const struct sock *sk)
{
	return sk_fullsock(sk) && sk_is_tcp(sk) && tcp_rtx_queue_empty(sk);
}

/* ndo_select_queue */
u16 venet_pick(struct net_device *dev, struct sk_buff *skb,
	       struct net_device *sb_dev)
{
	struct venet *v = netdev_priv(dev);
	int had = sk_tx_queue_get(skb->sk);

	/*
	 * Without the pair's lock, and without order: others' packets make it wait for
	 * the next one, and what is not seen yet is overtaken, which costs TCP little.
	 */
	if (skb->ooo_okay && had >= 0 && had < dev->real_num_tx_queues &&
	    !pick_acknowledged(skb->sk) && !list_empty(&v->pair[had].tx.sent))
		skb->ooo_okay = 0;
	return netdev_pick_tx(dev, skb, sb_dev);
}
