// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which queue pair of the guest a packet goes to.
 *
 * If the guest has given a key and a table (VENET_CALL_RSS): the pair that the
 * table names for the packet's Toeplitz hash.  Else the pair from which the guest
 * sends packets of the same flow, since that is where the flow's consumer runs; and
 * for a flow of which nothing is known what the stack would pick.
 *
 * A stream is acknowledged where it is received, and by its consumer, wherever the
 * guest's scheduler has put that: often on another CPU, since this one is busy with
 * receiving.  A flow that followed at once would chase its consumer back and forth.
 * So a flow that has moved rests for a while, if its lane moves bulk data; and it only
 * moves when the guest has taken all packets where it was, which those that follow
 * would overtake.
 * Requests are answered by their consumer, so they follow it at once: one that comes to
 * another CPU costs an interrupt and a wake-up from there, and makes the guest's
 * scheduler move the consumer again.
 *
 * Locking: bus->lock for what the guest asks for; the data path reads the table
 * under RCU, and the memory of flows without a lock.  Each of its words stands for
 * itself, so the worst that a race, or a collision, does is to send a packet to
 * another pair, where it is as welcome.
 */
#define pr_fmt(fmt) "vbus_venet: " fmt

#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/jiffies.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/unaligned.h>
#include <net/flow_dissector.h>

#include "venet.h"

static_assert(sizeof(struct venet_rss) == 176);
static_assert(offsetof(struct venet_rss, table) == 48);
static_assert(sizeof(struct venet_rx_head) == 16);
static_assert(offsetof(struct venet_rx_head, extra) == 8);

/*
 * A word of the memory of flows: upper bits of the hash, when it moved (in units of
 * FLOW_REST, which may have gone round), known, pair.
 */
#define FLOW_PAIR	GENMASK(3, 0)
#define FLOW_KNOWN	BIT(4)
#define FLOW_MOVED	GENMASK(9, 5)
#define FLOW_HASH	(~(VENET_FLOWS - 1))
#define FLOW_REST	msecs_to_jiffies(100)	/* a queue lasts far less than that */
#define FLOW_RESTS	2	/* units of it, of which the first has begun before */

static_assert(VENET_PAIRS_MAX - 1 <= FLOW_PAIR);
static_assert(!(FLOW_HASH & (FLOW_PAIR | FLOW_KNOWN | FLOW_MOVED)));

#define RSS_INPUT_MAX	36u	/* bytes hashed: IPv6 addresses and ports */
#define RSS_HALVES	(2 * RSS_INPUT_MAX)

static_assert(RSS_INPUT_MAX + sizeof(u32) <= VENET_RSS_KEY);

/**
 * struct venet_steer - what the guest has asked for
 * @types:	VENET_RSS_*
 * @pairs:	queue pairs that must be in use for @table
 * @table:	pairs by the lowest bits of the hash
 * @fold:	for each half of a byte hashed what its value adds to the hash
 */
struct venet_steer {
	u32 types;
	u32 pairs;
	u8 table[VENET_RSS_TABLE];
	u32 fold[RSS_HALVES][16];
};

/* 32 bits of @key from @bit on, which is what that bit of the input adds. */
static u32 steer_window(const u8 *key, u32 bit)
{
	u64 bits = (u64)get_unaligned_be32(key + bit / 8) << 8 |
		   key[bit / 8 + 4];

	return bits >> (8 - bit % 8);
}

static void steer_fold(struct venet_steer *steer, const u8 *key)
{
	u32 i, value, bit;

	for (i = 0; i < ARRAY_SIZE(steer->fold); i++)
		for (value = 0; value < 16; value++)
			for (bit = 0; bit < 4; bit++)
				if (value & 8 >> bit)
					steer->fold[i][value] ^=
						steer_window(key, 4 * i + bit);
}

static u32 steer_toeplitz(const struct venet_steer *steer, const u8 *in,
			  u32 len)
{
	u32 i, hash = 0;

	for (i = 0; i < len; i++)
		hash ^= steer->fold[2 * i][in[i] >> 4] ^
			steer->fold[2 * i + 1][in[i] & 15];
	return hash;
}

/* Find the outermost addresses, and the ports.  False: it is not IP. */
static bool steer_dissect(const struct sk_buff *skb, struct flow_keys *keys)
{
	return skb_flow_dissect_flow_keys(skb, keys,
					  FLOW_DISSECTOR_F_STOP_AT_ENCAP) &&
	       (keys->control.addr_type == FLOW_DISSECTOR_KEY_IPV4_ADDRS ||
		keys->control.addr_type == FLOW_DISSECTOR_KEY_IPV6_ADDRS);
}

/* The type that says to hash the ports of such a packet too, or 0. */
static u32 steer_type_l4(const struct flow_keys *keys)
{
	bool four = keys->control.addr_type == FLOW_DISSECTOR_KEY_IPV4_ADDRS;

	if (keys->control.flags & FLOW_DIS_IS_FRAGMENT)
		return 0;
	switch (keys->basic.ip_proto) {
	case IPPROTO_TCP:
		return four ? VENET_RSS_TCPV4 : VENET_RSS_TCPV6;
	case IPPROTO_UDP:
		return four ? VENET_RSS_UDPV4 : VENET_RSS_UDPV6;
	}
	return 0;
}

/* The hash that the guest wants, which the packet carries from now on. */
static u32 steer_rss_hash(const struct venet_steer *steer, struct sk_buff *skb)
{
	u8 in[RSS_INPUT_MAX];
	struct flow_keys keys;
	u32 len, hash, type;
	bool l4;

	skb_clear_hash(skb);
	if (!steer_dissect(skb, &keys))
		return 0;
	if (keys.control.addr_type == FLOW_DISSECTOR_KEY_IPV4_ADDRS) {
		len = sizeof(keys.addrs.v4addrs);
		memcpy(in, &keys.addrs.v4addrs, len);
		type = VENET_RSS_IPV4;
	} else {
		len = sizeof(keys.addrs.v6addrs);
		memcpy(in, &keys.addrs.v6addrs, len);
		type = VENET_RSS_IPV6;
	}
	l4 = steer->types & steer_type_l4(&keys);
	if (l4) {
		memcpy(in + len, &keys.ports, sizeof(keys.ports));
		len += sizeof(keys.ports);
	} else if (!(steer->types & type)) {
		return 0;
	}
	hash = steer_toeplitz(steer, in, len);
	skb_set_hash(skb, hash, l4 ? PKT_HASH_TYPE_L4 : PKT_HASH_TYPE_L3);
	return hash;
}

/*
 * A hash that is the same for both directions of a flow, 0: there is none.  The
 * guest is told of it, so it has a secret of its own.
 */
static u32 steer_flow_hash(const struct venet_host *venet,
			   const struct sk_buff *skb, bool *l4)
{
	struct flow_keys keys, both = {};

	*l4 = false;
	if (!steer_dissect(skb, &keys))
		return 0;
	*l4 = steer_type_l4(&keys);
	both.control.addr_type = keys.control.addr_type;
	both.basic.ip_proto = keys.basic.ip_proto;
	both.addrs = keys.addrs;
	if (*l4)
		both.ports = keys.ports;
	return flow_hash_from_keys_seed(&both, &venet->flow_key);
}

/* The pair that the flow goes to according to its word, or -1. */
static int steer_flow_pair(u32 flow, u32 hash)
{
	if ((flow ^ hash) & FLOW_HASH || !(flow & FLOW_KNOWN))
		return -1;
	return flow & FLOW_PAIR;
}

/*
 * May a flow leave the pair, from which it has, or has not, moved just before?  If the
 * guest has taken all of the pair's packets, as far as it says so, and just now.
 */
static bool steer_lets_go(const struct venet_host *venet, u32 pair, bool rests)
{
	const struct vbus_queue *rx = rcu_dereference_bh(venet->pair[pair].rx);

	if (!rx)
		return true;
	if (rests && vbus_lane_is_bulk(rx->lane))
		return false;
	/* whoever sends moves the position: a packet may be overtaken then */
	return data_race(vbus_ioq_drained(&rx->comp));
}

/**
 * venet_steer_learn() - the guest sent a packet
 * @venet:	device
 * @pair:	queue pair that it came from
 * @skb:	packet as the stack receives it
 *
 * Context: owner of the pair's lane, bottom halves off.
 *
 * Return: the pair that packets of the other direction go to, smaller than
 * VENET_PAIRS_MAX, as far as this function knows of it.
 */
u32 venet_steer_learn(struct venet_host *venet, u32 pair,
		      const struct sk_buff *skb)
{
	u32 hash, flow, moved;
	int goes_to;
	bool l4, rests;

	if (READ_ONCE(venet->active) < 2 || rcu_access_pointer(venet->steer))
		return pair;
	hash = steer_flow_hash(venet, skb, &l4);
	if (!hash)
		return pair;
	/* all CPUs read the line and few have anything new to say */
	flow = READ_ONCE(venet->flow[hash % VENET_FLOWS]);
	goes_to = steer_flow_pair(flow, hash);
	if (goes_to == pair)
		return pair;
	moved = jiffies / FLOW_REST;
	if (goes_to < 0)
		moved -= FLOW_RESTS;	/* it has not moved yet */
	moved = FIELD_PREP(FLOW_MOVED, moved);
	rests = FIELD_GET(FLOW_MOVED, moved - (flow & FLOW_MOVED)) < FLOW_RESTS;
	if (goes_to >= 0 && !steer_lets_go(venet, goes_to, rests))
		return goes_to;
	WRITE_ONCE(venet->flow[hash % VENET_FLOWS],
		   (hash & FLOW_HASH) | moved | FLOW_KNOWN | pair);
	return pair;
}

static u16 steer_by_flow(struct venet_host *venet, struct sk_buff *skb,
			 struct net_device *sb_dev, u32 active)
{
	u32 hash;
	int pair;
	bool l4;

	hash = steer_flow_hash(venet, skb, &l4);
	if (hash) {
		pair = steer_flow_pair(READ_ONCE(venet->flow[hash % VENET_FLOWS]),
				       hash);
		/* also for the stack's choice and for the guest: one will do */
		skb_set_hash(skb, hash, l4 ? PKT_HASH_TYPE_L4 : PKT_HASH_TYPE_L3);
		if (pair >= 0 && pair < active)
			return pair;
	}
	return netdev_pick_tx(venet->netdev, skb, sb_dev) % active;
}

/* ndo_select_queue.  The guest may use fewer pairs than there are. */
u16 venet_steer_pick(struct net_device *netdev, struct sk_buff *skb,
		     struct net_device *sb_dev)
{
	struct venet_host *venet = netdev_venet(netdev);
	u32 active = READ_ONCE(venet->active);
	const struct venet_steer *steer;
	u16 pair;

	if (!active)
		return netdev_pick_tx(netdev, skb, sb_dev);
	/* not every caller has bottom halves off */
	rcu_read_lock();
	steer = rcu_dereference(venet->steer);
	if (steer)
		pair = steer->table[steer_rss_hash(steer, skb) %
				    VENET_RSS_TABLE] % active;
	else if (active > 1)
		pair = steer_by_flow(venet, skb, sb_dev, active);
	else
		pair = 0;
	rcu_read_unlock();
	return pair;
}

/**
 * venet_steer_head() - what the guest is told of the hash of a packet
 * @venet:	device
 * @skb:	packet for the guest
 * @head:	result
 *
 * It is what the packet carries by now.  None is made up for it: that would cost
 * here what it may save there.
 */
void venet_steer_head(struct venet_host *venet, struct sk_buff *skb,
		      struct venet_rx_head *head)
{
	const struct venet_steer *steer;

	/* nobody asks which queue if there is but one */
	if (venet->pairs == 1) {
		steer = rcu_dereference_bh(venet->steer);
		if (steer)
			steer_rss_hash(steer, skb);
	}
	*head = (struct venet_rx_head){
		.hash = cpu_to_le32(skb_get_hash_raw(skb)),
		.type = !skb_get_hash_raw(skb) ? VENET_RX_HASH_NONE :
			skb->l4_hash ? VENET_RX_HASH_L4 : VENET_RX_HASH_L3,
	};
}

static void steer_set(struct venet_host *venet, struct venet_steer *steer)
{
	struct venet_steer *old;

	old = rcu_replace_pointer(venet->steer, steer,
				  lockdep_is_held(&venet->dev.bus->lock));
	if (!old)
		return;
	/* waiting bounds how much a guest that asks again and again can use up */
	synchronize_rcu();
	kfree(old);
}

/* VENET_CALL_RSS */
u32 venet_steer_call(struct venet_host *venet, const void *in, size_t len)
{
	u32 pairs = venet->running ? venet->active : venet->pairs;
	const struct venet_rss *rss = in;
	struct venet_steer *steer;
	u32 i, types;

	if (len < sizeof(*rss))
		return VBUS_EINVAL;
	types = le32_to_cpu(rss->types);
	if (types & ~VENET_RSS_ALL)
		return VBUS_EOPNOTSUPP;
	if (!types) {
		steer_set(venet, NULL);
		return VBUS_OK;
	}
	steer = kzalloc(sizeof(*steer), GFP_KERNEL);
	if (!steer)
		return VBUS_ENOMEM;
	steer->types = types;
	for (i = 0; i < VENET_RSS_TABLE; i++) {
		steer->table[i] = rss->table[i];
		steer->pairs = max(steer->pairs, steer->table[i] + 1u);
	}
	if (steer->pairs > pairs) {
		kfree(steer);
		return VBUS_EINVAL;
	}
	steer_fold(steer, rss->key);
	steer_set(venet, steer);
	return VBUS_OK;
}

/* Does the guest's table do with that many pairs?  bus->lock. */
bool venet_steer_fits(const struct venet_host *venet, u32 pairs)
{
	const struct venet_steer *steer;

	steer = rcu_dereference_protected(venet->steer,
					  lockdep_is_held(&venet->dev.bus->lock));
	return !steer || steer->pairs <= pairs;
}

/* The device starts: what was known of its flows is not true any more. */
void venet_steer_start(struct venet_host *venet)
{
	u32 i;

	get_random_bytes(&venet->flow_key, sizeof(venet->flow_key));
	for (i = 0; i < VENET_FLOWS; i++)
		WRITE_ONCE(venet->flow[i], 0);
}

/* The guest that asked for it is gone; bus->lock. */
void venet_steer_close(struct venet_host *venet)
{
	steer_set(venet, NULL);
}
