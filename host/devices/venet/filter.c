// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest wants to receive (VENET_CALL_RX_MODE): frames for others are
 * dropped before they are copied.
 *
 * This saves work, it protects nobody: the guest may ask for everything.
 *
 * Locking: bus->lock to change a filter; senders read it under RCU.
 */
#define pr_fmt(fmt) "vbus_venet: " fmt

#include <linux/slab.h>

#include "venet.h"

/**
 * struct venet_filter - private copy of what the guest asked for
 * @rcu:	frees it
 * @flags:	VENET_RX_MODE_*
 * @unicast:	number of addresses beside @own
 * @multicast:	number of addresses after these
 * @own:	address of the guest's end
 * @addr:	addresses
 */
struct venet_filter {
	struct rcu_head rcu;
	u32 flags;
	u32 unicast;
	u32 multicast;
	u8 own[ETH_ALEN];
	u8 addr[VENET_RX_MODE_ADDRS][ETH_ALEN];
};

static bool venet_filter_has(const u8 (*addr)[ETH_ALEN], u32 n, const u8 *dest)
{
	u32 i;

	for (i = 0; i < n; i++)
		if (ether_addr_equal(addr[i], dest))
			return true;
	return false;
}

/**
 * venet_filter_wants() - does the guest want a frame?
 * @venet:	device; bottom halves are off
 * @skb:	frame
 */
bool venet_filter_wants(const struct venet_host *venet,
			const struct sk_buff *skb)
{
	const struct venet_filter *f = rcu_dereference_bh(venet->filter);
	const u8 *dest = skb->data;

	if (!f || !(READ_ONCE(venet->features) & VENET_F_RX_MODE) ||
	    f->flags & VENET_RX_MODE_PROMISC || skb_headlen(skb) < ETH_ALEN)
		return true;
	if (!is_multicast_ether_addr(dest))
		return ether_addr_equal(f->own, dest) ||
		       venet_filter_has(f->addr, f->unicast, dest);
	return f->flags & VENET_RX_MODE_ALLMULTI ||
	       is_broadcast_ether_addr(dest) ||
	       venet_filter_has(f->addr + f->unicast, f->multicast, dest);
}

static void venet_filter_replace(struct venet_host *venet,
				 struct venet_filter *f)
{
	struct venet_filter *old = rcu_dereference_protected(venet->filter,
							     true);

	rcu_assign_pointer(venet->filter, f);
	kfree_rcu(old, rcu);
}

/* Everything is wanted again; bus->lock is held. */
void venet_filter_clear(struct venet_host *venet)
{
	venet_filter_replace(venet, NULL);
}

static bool venet_filter_valid(const struct venet_filter *f)
{
	u32 i;

	for (i = 0; i < f->unicast; i++)
		if (!is_valid_ether_addr(f->addr[i]))
			return false;
	for (; i < f->unicast + f->multicast; i++)
		if (!is_multicast_ether_addr(f->addr[i]))
			return false;
	return true;
}

/* What the guest says, checked; a filter, or an error pointer. */
static struct venet_filter *venet_filter_parse(const void *in, size_t len)
{
	const struct venet_rx_mode *mode = in;
	struct venet_filter *f;
	u32 flags, nuc, nmc;

	if (len < sizeof(*mode))
		return ERR_PTR(-EINVAL);
	flags = le32_to_cpu(mode->flags);
	nuc = le16_to_cpu(mode->unicast);
	nmc = le16_to_cpu(mode->multicast);
	if (flags & ~VENET_RX_MODE_ALL || nuc + nmc > VENET_RX_MODE_ADDRS ||
	    len < sizeof(*mode) + (nuc + nmc) * ETH_ALEN)
		return ERR_PTR(-EINVAL);
	f = kzalloc(sizeof(*f), GFP_KERNEL);
	if (!f)
		return ERR_PTR(-ENOMEM);
	f->flags = flags;
	f->unicast = nuc;
	f->multicast = nmc;
	memcpy(f->addr, mode + 1, (nuc + nmc) * ETH_ALEN);
	if (venet_filter_valid(f))
		return f;
	kfree(f);
	return ERR_PTR(-EINVAL);
}

/**
 * venet_filter_set() - VENET_CALL_RX_MODE
 * @venet:	device; bus->lock is held
 * @in:		request, a private copy
 * @len:	bytes of it
 *
 * Return: an enum vbus_status; if it is not VBUS_OK nothing has changed.
 */
u32 venet_filter_set(struct venet_host *venet, const void *in, size_t len)
{
	struct venet_filter *f = venet_filter_parse(in, len);

	if (f == ERR_PTR(-ENOMEM))
		return VBUS_ENOMEM;
	if (IS_ERR(f)) {
		net_warn_ratelimited("%s: malformed receive filter from the guest (%zu bytes)\n",
				     venet->netdev->name, len);
		return VBUS_EINVAL;
	}
	ether_addr_copy(f->own, venet->mac);
	venet_filter_replace(venet, f);
	return VBUS_OK;
}

/**
 * venet_filter_set_mac() - the guest's end is about to get another address
 * @venet:	device; bus->lock is held
 * @mac:	the address
 *
 * Return: an enum vbus_status.
 */
u32 venet_filter_set_mac(struct venet_host *venet, const u8 *mac)
{
	const struct venet_filter *old =
		rcu_dereference_protected(venet->filter, true);
	struct venet_filter *f;

	if (!old)
		return VBUS_OK;
	f = kmemdup(old, sizeof(*f), GFP_KERNEL);
	if (!f)
		return VBUS_ENOMEM;
	ether_addr_copy(f->own, mac);
	venet_filter_replace(venet, f);
	return VBUS_OK;
}
