/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * venet device class: shared between its files.
 *
 * The host's end is a net_device.  What the guest sends is received there, and
 * what is sent there the guest receives.
 */
#ifndef VBUS_VENET_H
#define VBUS_VENET_H

#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <linux/siphash.h>
#include <linux/u64_stats_sync.h>
#include <linux/virtio_net.h>

#include "vbus_host.h"
#include <vbus/venet.h>

#define VENET_FLOWS	1024u	/* flows whose pair is remembered; a power of two */

struct venet_steer;

/**
 * struct venet_stats - of one direction of one queue pair
 * @syncp:	makes reading consistent
 * @packets:	frames
 * @bytes:	bytes
 * @dropped:	lost although well-formed (no memory, link down)
 * @errors:	refused because malformed
 * @stalls:	times the guest had no receive buffers left
 * @filtered:	frames that the guest does not want
 */
struct venet_stats {
	struct u64_stats_sync syncp;
	u64_stats_t packets;
	u64_stats_t bytes;
	u64_stats_t dropped;
	u64_stats_t errors;
	u64_stats_t stalls;
	u64_stats_t filtered;
};

/**
 * struct venet_loan_stats - frames of a queue pair that were sent by reference
 * @syncp:	makes reading consistent
 * @lent:	given to the host's stack
 * @back:	... whose pages came back
 * @copied:	... because the stack copied them after all
 * @refused:	copied at once although big: too many are out, too many pieces,
 *		or headers that are too long
 */
struct venet_loan_stats {
	struct u64_stats_sync syncp;
	u64_stats_t lent;
	u64_stats_t back;
	u64_stats_t copied;
	u64_stats_t refused;
};

struct venet_loans;

/**
 * struct venet_pair - a queue pair
 * @tx:		what the guest sends; owner of the lane
 * @rx:		what the guest receives; the netdev's transmit lock.  Both are
 *		read under RCU
 * @hold_us:	how long received frames may wait for company; bus->lock
 * @hold_frames: ... and how many; bus->lock
 * @fresh:	frames that are not published yet; the netdev's transmit lock
 * @loans:	what @tx has lent, NULL: nothing ever; owner of the lane
 * @tx_stats:	what the guest sent; owner of the lane
 * @rx_stats:	what the guest received; the netdev's transmit lock
 * @loan_stats:	of @loans; owner of the lane
 */
struct venet_pair {
	struct vbus_queue __rcu *tx;
	struct vbus_queue __rcu *rx;
	u32 hold_us;
	u32 hold_frames;
	u32 fresh;
	struct venet_loans *loans;
	struct venet_stats tx_stats;
	struct venet_stats rx_stats;
	struct venet_loan_stats loan_stats;
};

/**
 * struct venet_host - a venet device
 * @dev:	as the core sees it
 * @netdev:	host's end; exists while enabled
 * @ifname:	name it gets; vbus_config_lock, like the next seven
 * @mac:	address of the guest's end (SET_MAC: bus->lock)
 * @host_mac:	address of the host's end
 * @mtu:	MTU of both ends at start
 * @pairs:	queue pairs on offer
 * @priority:	of the lane that the guest should bind it to
 * @zerocopy_bytes: frames of at least that many are not copied, 0: all are
 * @link:	carrier that the guest sees
 * @running:	between START and STOP; bus->lock to change
 * @features:	VENET_F_* in use
 * @active:	queue pairs in use, since the last START; bus->lock to change
 * @filter:	what the guest wants to receive, NULL: everything; bus->lock to
 *		change
 * @announce:	tells the guest of a change
 * @speed:	of the link, as the administrator says; RTNL to change
 * @duplex:	likewise; RTNL
 * @steer:	which pair the guest wants its flows at, NULL: steered by @flow;
 *		RCU, bus->lock to change
 * @pair:	queue pairs
 * @flow_key:	secret of the hash of flows; changes while the device does not run
 * @flow:	pairs by flow, see steer.c; no lock
 */
struct venet_host {
	struct vbus_device dev;
	struct net_device *netdev;
	char ifname[IFNAMSIZ];
	u8 mac[ETH_ALEN];
	u8 host_mac[ETH_ALEN];
	u32 mtu;
	u32 pairs;
	u32 priority;
	u32 zerocopy_bytes;
	bool link;
	bool running;
	u64 features;
	u32 active;
	struct venet_filter __rcu *filter;
	struct work_struct announce;
	u32 speed;
	u8 duplex;
	struct venet_steer __rcu *steer;
	struct venet_pair pair[VENET_PAIRS_MAX];
	siphash_key_t flow_key;
	u32 flow[VENET_FLOWS];
};

/* Private part of the net_device. */
struct venet_netdev {
	struct venet_host *venet;
};

static inline struct venet_host *to_venet(struct vbus_device *dev)
{
	return container_of(dev, struct venet_host, dev);
}

static inline struct venet_host *netdev_venet(const struct net_device *netdev)
{
	return ((struct venet_netdev *)netdev_priv(netdev))->venet;
}

static inline void venet_count(struct venet_stats *s, u32 packets, u32 bytes)
{
	u64_stats_update_begin(&s->syncp);
	u64_stats_add(&s->packets, packets);
	u64_stats_add(&s->bytes, bytes);
	u64_stats_update_end(&s->syncp);
}

static inline void venet_count_one(struct venet_stats *s, u64_stats_t *counter)
{
	u64_stats_update_begin(&s->syncp);
	u64_stats_inc(counter);
	u64_stats_update_end(&s->syncp);
}

/* tx.c */
extern const struct vbus_queue_ops venet_tx_ops;

/* rx.c */
extern const struct vbus_queue_ops venet_rx_ops;
netdev_tx_t venet_start_xmit(struct sk_buff *skb, struct net_device *netdev);

/* filter.c */
bool venet_filter_wants(const struct venet_host *venet,
			const struct sk_buff *skb);
void venet_filter_clear(struct venet_host *venet);
u32 venet_filter_set(struct venet_host *venet, const void *in, size_t len);
u32 venet_filter_set_mac(struct venet_host *venet, const u8 *mac);

/* link.c */
extern struct rtnl_link_ops venet_link_ops;
void venet_announce(struct venet_host *venet);
void venet_link_init(struct venet_host *venet);
void venet_link_exit(struct venet_host *venet);
bool venet_link_state(const struct venet_host *venet);
int venet_netdev_open(struct net_device *netdev);
int venet_netdev_stop(struct net_device *netdev);
int venet_change_mtu(struct net_device *netdev, int mtu);
int venet_get_link_ksettings(struct net_device *netdev,
			     struct ethtool_link_ksettings *settings);
int venet_set_link_ksettings(struct net_device *netdev,
			     const struct ethtool_link_ksettings *settings);
/* steer.c */
u16 venet_steer_pick(struct net_device *netdev, struct sk_buff *skb,
		     struct net_device *sb_dev);
u32 venet_steer_learn(struct venet_host *venet, u32 pair,
		      const struct sk_buff *skb);
void venet_steer_head(struct venet_host *venet, struct sk_buff *skb,
		      struct venet_rx_head *head);
u32 venet_steer_call(struct venet_host *venet, const void *in, size_t len);
bool venet_steer_fits(const struct venet_host *venet, u32 pairs);
void venet_steer_start(struct venet_host *venet);
void venet_steer_close(struct venet_host *venet);
/* zerocopy.c */
#define VENET_ZEROCOPY_BYTES	16384u	/* zerocopy_bytes at first */

struct venet_loans *venet_loans_create(struct vbus_queue *q);
void venet_loans_detach(struct venet_loans *loans);
bool venet_loans_settle(const struct venet_host *venet);

/* netdev.c */
int venet_netdev_create(struct venet_host *venet);
void venet_netdev_destroy(struct venet_host *venet);

/* main.c */
void venet_set_link(struct venet_host *venet, bool link);

/* attrs.c */
extern struct configfs_attribute *venet_attrs[];

#endif /* VBUS_VENET_H */
