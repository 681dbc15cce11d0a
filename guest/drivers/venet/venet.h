/* SPDX-License-Identifier: GPL-2.0-only */
/* Private to venet.ko: what its files share. */
#ifndef VENET_H
#define VENET_H

#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/u64_stats_sync.h>
#include <linux/workqueue.h>
#include <net/xdp.h>
#include <vbus/venet.h>
#include "vbus_guest.h"
#include "compat/guest.h"

#define VENET_RING_MIN		64u
#define VENET_RING_MAX		4096u
#define VENET_RX_LOG2		10	/* default ring sizes */
#define VENET_TX_LOG2		10
#define VENET_INLINE		256u	/* frames up to this are sent inline */
#define VENET_RX_COPY		256u	/* ... and copied when received */
#define VENET_BULK		8192u	/* ... bulk data from here on, as the host has it */
#define VENET_TX_REAP		HZ	/* how soon to look for completions without traffic */
#define VENET_DIM_FIRST		1	/* profile that adaptive-rx begins with */

/* Descriptors that the largest frame takes: information, head, fragments. */
#define VENET_TX_WORST		min_t(u32, MAX_SKB_FRAGS + 2, VENET_CHAIN_MAX)

enum venet_tx_stat {
	VENET_TX_PACKETS,
	VENET_TX_BYTES,
	VENET_TX_DROPS,		/* no memory, too long, not mappable */
	VENET_TX_INLINE,	/* packets sent inline */
	VENET_TX_XDP,		/* packets that XDP sent or redirected here */
	VENET_TX_KICKS,		/* batches that the host wanted to be told of */
	VENET_TX_QUIET,		/* ... that it did not */
	VENET_TX_STOPS,		/* the ring was full */
	VENET_TX_HOST_ERRORS,	/* chains refused, completions that lie */
	VENET_TX_STATS
};

enum venet_rx_stat {
	VENET_RX_PACKETS,
	VENET_RX_BYTES,
	VENET_RX_DROPS,		/* no memory */
	VENET_RX_COPIED,	/* small packets, copied */
	VENET_RX_KICKS,		/* refills that the host wanted to be told of */
	VENET_RX_QUIET,		/* ... that it did not */
	VENET_RX_POLLS,
	VENET_RX_STARVED,	/* refills that found no memory */
	VENET_RX_HOST_ERRORS,	/* frames and completions that lie */
	VENET_RX_XDP_DROP,	/* frames dropped by the XDP program */
	VENET_RX_XDP_TX,	/* ... sent back */
	VENET_RX_XDP_REDIRECT,	/* ... redirected */
	VENET_RX_XDP_ERRORS,	/* ... aborted, not for it, not to be sent */
	VENET_RX_STATS
};

/**
 * struct venet_tx_piece - part of a frame, ready for a descriptor
 * @dma:	address
 * @len:	bytes
 * @page:	mapped as a page
 */
struct venet_tx_piece {
	dma_addr_t dma;
	u32 len;
	bool page;
};

/**
 * struct venet_tx_meta - what the host is told of a frame
 * @pkt:	packet descriptor, 0: nothing
 * @extra:	its extra word
 */
struct venet_tx_meta {
	u64 pkt;
	u32 extra;
};

/**
 * struct venet_tx_slot - what stands behind a piece that was submitted, by id
 * @skb:	of the first of a chain: to be freed, NULL if it was copied
 * @frame:	... or is this one of XDP
 * @dma:	mapping to be undone, if @len
 * @len:	bytes of it
 * @page:	the mapping is of a page
 * @zerocopy:	of the first of a chain: a program waits for the skb (MSG_ZEROCOPY)
 * @next:	next one of the chain, or of those that are free
 * @count:	of the first of a chain: how many it has.  Else 0
 * @end:	... position behind the chain, like @tail of struct venet_tx
 * @node:	... entry of tx->sent
 */
struct venet_tx_slot {
	struct sk_buff *skb;
	struct xdp_frame *frame;
	dma_addr_t dma;
	u32 len;
	bool page;
	bool zerocopy;
	u16 next;
	u16 count;
	u64 end;
	struct list_head node;
};

/**
 * struct venet_tx - transmit half of a queue pair
 * @q:		queue.  Both rings under the net core's tx lock
 * @slot:	private copy of what was submitted; same lock
 * @free:	first unused slot; same lock
 * @nfree:	number of them; same lock.  There is one for each descriptor of the
 *		ring, so the ring of completions cannot overflow
 * @sent:	chains that are not answered, oldest first; same lock.  venet_pick()
 *		looks whether there are any
 * @tail:	the oldest position that is not free, as tx_ring.c counts them:
 *		they do not wrap; same lock.  A chain that is answered frees its
 *		own and all before it, since the host takes them in order; so a
 *		chain that the host keeps for long keeps its memory, but not its
 *		place in the ring
 * @wake:	free slots from which on a stopped queue goes on
 * @frames:	slots with a frame of XDP; same lock.  The pair's work reads it
 * @zerocopy:	slots with an skb that a program waits for (MSG_ZEROCOPY); likewise
 * @sync:	for @stat
 * @stat:	enum venet_tx_stat; same lock
 */
struct venet_tx {
	struct vbus_queue *q;
	struct venet_tx_slot *slot;
	u16 free;
	u32 nfree;
	struct list_head sent;
	u64 tail;
	u32 wake;
	u32 frames;
	u32 zerocopy;
	struct u64_stats_sync sync;
	u64 stat[VENET_TX_STATS];
};

/**
 * struct venet_rx - receive half of a queue pair
 * @q:		queue.  Owned by the pair's NAPI, like all that follows
 * @pool:	where buffers come from: pages
 * @page:	by id: the buffer that the host has, NULL if it has none
 * @free:	stack of unused ids
 * @nfree:	ids on it
 * @skb:	frame under construction
 * @head:	bytes of its first buffer that precede it, fixed while running
 * @flags:	VENET_PKT_F_* that START agreed on, likewise
 * @told:	what they say, as it stood there
 * @open:	a frame has begun and its last buffer is not there yet
 * @bad:	... and will be dropped
 * @pkt:	... and its packet descriptor
 * @headroom:	bytes of a buffer in front of what the host writes; not 0 if
 *		and only if these buffers are for an XDP program
 * @room:	bytes of a buffer that the host may write
 * @xdp:	frame under construction, instead of @skb, if @headroom.  There
 *		is none if its data_hard_start is NULL
 * @xdp_rxq:	what XDP has to know about the queue
 * @xdp_tx:	frames that the program sends back, to be put into the ring
 * @xdp_ntx:	... how many
 * @xdp_flush:	frames were redirected in this poll
 * @sync:	for @stat
 * @stat:	enum venet_rx_stat
 */
struct venet_rx {
	struct vbus_queue *q;
	struct page_pool *pool;
	struct page **page;
	u16 *free;
	u32 nfree;
	struct sk_buff *skb;
	u32 head;
	u16 flags;
	struct venet_rx_head told;
	bool open;
	bool bad;
	u64 pkt;
	u32 headroom;
	u32 room;
	struct xdp_buff xdp;
	struct xdp_rxq_info xdp_rxq;
	struct xdp_frame *xdp_tx[XDP_BULK_QUEUE_SIZE];
	u32 xdp_ntx;
	bool xdp_flush;
	struct u64_stats_sync sync;
	u64 stat[VENET_RX_STATS];
};

/**
 * struct venet_pair - a queue pair, bound to a lane
 * @venet:	device
 * @index:	number of the pair, and of its queues
 * @napi:	poll of both halves
 * @poll:	its claim on the lane
 * @refill:	polls again when there was no memory, and while somebody waits for
 *		completions (venet_tx_await())
 * @reap:	polls for completions that nobody waits for
 * @tx:		transmit half
 * @rx:		receive half
 * @dim:	adaptive-rx; the pair's poll, and its own work
 * @wakeups:	polls that found the end of the ring; the pair's poll
 */
struct venet_pair {
	struct venet *venet;
	u32 index;
	struct napi_struct napi;
	struct vbus_poll poll;
	struct delayed_work refill;
	struct delayed_work reap;
	struct venet_tx tx ____cacheline_aligned_in_smp;
	struct venet_rx rx ____cacheline_aligned_in_smp;
	struct dim dim;
	u16 wakeups;
};

/**
 * struct venet_rss_state - which pair receives which flow
 * @set:	key, table and types; rtnl, like @on
 * @on:		the host was told
 * @settle:	finds out whether it is to forget that
 */
struct venet_rss_state {
	struct venet_rss set;
	bool on;
	struct work_struct settle;
};

/**
 * struct venet - a network device
 * @dev:	net_device
 * @vdev:	bus device
 * @dma_dev:	for the DMA API, or NULL
 * @pair:	queue pairs
 * @npairs:	number of them
 * @active:	... that are in use, the first ones; rtnl
 * @priority:	of the lanes that the host wants them on
 * @features:	VENET_F_* of the host
 * @host_mtu:	MTU that the host suggested last; rtnl
 * @host_speed:	speed that it told last, Mbit/s or SPEED_UNKNOWN; rtnl
 * @speed:	speed that is shown, likewise; rtnl
 * @duplex:	DUPLEX_*; rtnl
 * @rx_log2:	log2 of the receive rings; rtnl
 * @tx_log2:	log2 of the transmit rings; rtnl
 * @rx_usecs:	how long received frames may wait for company; rtnl
 * @rx_frames:	... and how many, 0: any number; rtnl
 * @adaptive:	the kernel finds out, instead; rtnl.  Polls read it
 * @rx_mode_lock: see rx_mode.c
 * @rx_mode_work: tells the host what is to be received
 * @rss:	which pair receives which flow
 * @running:	queues exist and packets flow; rtnl.  Polls read it under the tx
 *		lock
 * @lent:	the host did not give back what was sent when it stopped; rtnl
 * @xdp_prog:	XDP program; changed under rtnl, polls use RCU.  There is one if
 *		and only if the receive buffers have headroom
 */
struct venet {
	struct net_device *dev;
	struct vbus_device *vdev;
	struct device *dma_dev;
	struct venet_pair *pair;
	u32 npairs;
	u32 active;
	u32 priority;
	u64 features;
	u32 host_mtu;
	u32 host_speed;
	u32 speed;
	u8 duplex;
	u32 rx_log2;
	u32 tx_log2;
	u32 rx_usecs;
	u32 rx_frames;
	bool adaptive;
	struct mutex rx_mode_lock;
	struct work_struct rx_mode_work;
	struct venet_rss_state rss;
	bool running;
	bool lent;
	struct bpf_prog __rcu *xdp_prog;
};

static inline void venet_tx_count(struct venet_tx *tx, enum venet_tx_stat i,
				  u32 n)
{
	u64_stats_update_begin(&tx->sync);
	tx->stat[i] += n;
	u64_stats_update_end(&tx->sync);
}

static inline void venet_rx_count(struct venet_rx *rx, enum venet_rx_stat i,
				  u32 n)
{
	u64_stats_update_begin(&rx->sync);
	rx->stat[i] += n;
	u64_stats_update_end(&rx->sync);
}

/* Read the @n counters of a half; one by one, since memcpy() may tear them. */
static inline void venet_stats_read(const struct u64_stats_sync *sync,
				    const u64 *stat, u64 *to, u32 n)
{
	unsigned int start;
	u32 i;

	do {
		start = u64_stats_fetch_begin(sync);
		for (i = 0; i < n; i++)
			to[i] = READ_ONCE(stat[i]);
	} while (u64_stats_fetch_retry(sync, start));
}

/* run.c */
int venet_up(struct venet *v);
void venet_down(struct venet *v);
int venet_set_pairs(struct venet *v, u32 pairs);
void venet_setup_pairs(struct venet *v);
void venet_setup_xps(struct venet *v);

/* offload.c */
u64 venet_start_features(const struct venet *v);
u16 venet_rx_flags(u64 features);
int venet_set_features(struct net_device *dev, netdev_features_t features);
netdev_features_t venet_features_check(struct sk_buff *skb,
				       struct net_device *dev,
				       netdev_features_t features);
void venet_setup_features(struct net_device *dev, u64 host);

/* pick.c */
u16 venet_pick(struct net_device *dev, struct sk_buff *skb,
	       struct net_device *sb_dev);

/* tx_ring.c */
int venet_tx_create(struct venet_pair *pair);
void venet_tx_free(struct venet_pair *pair, bool released);
u32 venet_tx_unanswered(struct venet_pair *pair);
void venet_tx_poll(struct venet_pair *pair, int budget);
/* ... under the tx lock */
u32 venet_tx_free_slots(const struct venet_tx *tx);
void venet_tx_reap(struct venet_pair *pair, int budget);
void venet_tx_await(struct venet_pair *pair);
void venet_tx_note_skb(struct venet_pair *pair, struct venet_tx_slot *slot,
		       struct sk_buff *skb);
void venet_tx_publish(struct venet_tx *tx);
void venet_tx_stop(struct venet_pair *pair, struct netdev_queue *txq);
void venet_tx_unmap(struct device *dma_dev, const struct venet_tx_piece *piece);
void *venet_tx_inline(struct venet_tx *tx, const struct venet_tx_meta *meta);
void venet_tx_put_inline(struct venet_tx *tx, u32 len,
			 const struct venet_tx_meta *meta);
struct venet_tx_slot *venet_tx_put(struct venet_tx *tx,
				   const struct venet_tx_piece *piece, u32 n,
				   const struct venet_tx_meta *meta);

/* tx.c */
netdev_tx_t venet_tx_xmit(struct sk_buff *skb, struct net_device *dev);

/* rx.c */
int venet_rx_create(struct venet_pair *pair);
void venet_rx_free(struct venet_pair *pair, bool released);
int venet_rx_fill(struct venet_pair *pair, gfp_t gfp, bool *kick);
void venet_rx_reuse(struct venet_pair *pair, struct page *page);
int venet_rx_poll(struct venet_pair *pair, int budget);

/* xdp.c */
void venet_xdp_layout(struct venet_pair *pair);
int venet_xdp_register(struct venet_pair *pair);
void venet_xdp_unregister(struct venet_rx *rx);
bool venet_xdp_add(struct venet_rx *rx, struct page *page, u32 len);
struct sk_buff *venet_xdp_run(struct venet_pair *pair);
void venet_xdp_flush(struct venet_pair *pair);
int venet_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames,
		   u32 flags);
int venet_bpf(struct net_device *dev, struct netdev_bpf *bpf);

/* coalesce.c */
void venet_coalesce_init(struct venet_pair *pair);
void venet_coalesce_start(struct venet *v);
void venet_coalesce_stop(struct venet *v);
void venet_coalesce_sample(struct venet_pair *pair);
int venet_get_coalesce(struct net_device *dev, struct ethtool_coalesce *c,
		       struct kernel_ethtool_coalesce *kernel_coalesce,
		       struct netlink_ext_ack *extack);
int venet_set_coalesce(struct net_device *dev, struct ethtool_coalesce *c,
		       struct kernel_ethtool_coalesce *kernel_coalesce,
		       struct netlink_ext_ack *extack);

/* link.c */
void venet_link_init(struct venet *v, const struct venet_info *info);
void venet_link_update(struct venet *v, const struct venet_info *info);
int venet_get_link_ksettings(struct net_device *dev,
			     struct ethtool_link_ksettings *settings);
int venet_set_link_ksettings(struct net_device *dev,
			     const struct ethtool_link_ksettings *settings);
void venet_get_pauseparam(struct net_device *dev,
			  struct ethtool_pauseparam *pause);

/* rx_mode.c */
int venet_rx_mode_tell(struct venet *v);
void venet_set_rx_mode(struct net_device *dev);
void venet_rx_mode_init(struct venet *v);
void venet_rx_mode_exit(struct venet *v);

/* rss.c */
void venet_rss_init(struct venet *v);
int venet_rss_start(struct venet *v);
void venet_rss_exit(struct venet *v);
u32 venet_rss_table_size(struct net_device *dev);
u32 venet_rss_key_size(struct net_device *dev);
void venet_rss_get(struct net_device *dev, u32 *table, u8 *key);
int venet_rss_set(struct net_device *dev, const u32 *table, const u8 *key,
		  u8 function);
int venet_rss_get_rxnfc(struct net_device *dev, struct ethtool_rxnfc *info,
			u32 *rules);
int venet_rss_set_rxnfc(struct net_device *dev, struct ethtool_rxnfc *info);

/* ethtool.c */
extern const struct ethtool_ops venet_ethtool_ops;

#endif /* VENET_H */
