// SPDX-License-Identifier: GPL-2.0-only
/*
 * venet: which pair a packet is sent on.
 *
 * The stack's choice is the pair of the CPU that sends (venet_setup_xps()), and for
 * a flow the one that it had, unless TCP says that none of its packets can be
 * overtaken any more.  TCP concludes that from its packets having been freed, but ours
 * are nobody's from the moment they are put (venet_tx_xmit()).  So we add what we
 * know: whether the pair that the flow had has been answered all that it sent.
 */
#include <net/sock.h>
#include "venet.h"

/* ndo_select_queue */
u16 venet_pick(struct net_device *dev, struct sk_buff *skb,
	       struct net_device *sb_dev)
{
	struct venet *v = netdev_priv(dev);
	int had = skb->sk ? sk_tx_queue_get(skb->sk) : -1;

	/*
	 * Without the pair's lock: others' packets make it wait for the next one, and
	 * its own have been sent by whoever sends this one, one after the other.
	 */
	if (skb->ooo_okay && had >= 0 && had < dev->real_num_tx_queues &&
	    !list_empty(&v->pair[had].tx.sent))
		skb->ooo_okay = 0;
	return netdev_pick_tx(dev, skb, sb_dev);
}
