// SPDX-License-Identifier: GPL-2.0-only
/*
 * venet: 802.x network device of a bus, guest side.
 *
 * Life of the data path: venet_up() registers the queues and says START,
 * venet_down() says STOP and unregisters them; both under rtnl.  Whatever
 * changes a ring or a receive feature goes down and up.
 */
#include <linux/cpumask.h>
#include <linux/if_vlan.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/virtio_net.h>
#include "venet.h"
#include "venet_pkt.h"
#include "venet_tunnel.h"

#define VENET_DRAIN_TRIES	20	/* looks at what the host has not taken yet */
#define VENET_STOP_TRIES	20	/* of 100 ms: frames of ours are on their way */

/* What is received unsegmented, as far as this kernel can make use of it. */
static const u64 venet_rx_unsegmented =
	VENET_F_RX_TSO4 | VENET_F_RX_TSO6 | VENET_F_RX_TUNNEL
#ifdef VIRTIO_NET_HDR_GSO_UDP_L4
	| VENET_F_RX_USO
#endif
	;

/* A change of these is a matter for START. */
#define VENET_START_FEATURES	(NETIF_F_RXCSUM | NETIF_F_RXHASH | NETIF_F_GRO_HW | \
				 NETIF_F_HW_VLAN_CTAG_RX | NETIF_F_HW_VLAN_STAG_RX)

static int venet_query(struct vbus_device *vdev, struct venet_info *info)
{
	int ret = vbus_guest_call(vdev, VENET_CALL_QUERY, NULL, 0, info,
				  sizeof(*info));

	if (ret < 0)
		return ret;
	return ret < sizeof(*info) ? -EPROTO : 0;
}

/* The pair's NAPI poll. */
static int venet_poll(struct napi_struct *napi, int budget)
{
	struct venet_pair *pair = container_of(napi, struct venet_pair, napi);
	int work;

	/* netpoll: nobody completes such a poll, so it must not hold the lane */
	if (!budget) {
		venet_tx_poll(pair, 0);
		return 0;
	}
	vbus_guest_poll_begin(&pair->poll);
	venet_tx_poll(pair, budget);
	work = venet_rx_poll(pair, budget);
	if (work == budget)
		return budget;
	/*
	 * Arm the ring before the claim on the lane ends: what comes from now
	 * on is signalled, and the lane polled, see lane.c.
	 */
	if (!vbus_ioq_arm(&pair->rx.q->comp, 0))
		return budget;
	venet_coalesce_sample(pair);
	/* false also while busy polling or deferring interrupts: keep the claim */
	if (napi_complete_done(napi, work))
		vbus_guest_poll_end(&pair->poll);
	return work;
}

static void venet_pair_schedule(struct venet_pair *pair)
{
	local_bh_disable();
	vbus_guest_poll_schedule(&pair->poll, &pair->napi);
	local_bh_enable();
}

/* Does nothing while NAPI is disabled. */
static void venet_refill_work(struct work_struct *work)
{
	struct venet_pair *pair = container_of(to_delayed_work(work),
					       struct venet_pair, refill);

	venet_pair_schedule(pair);
	venet_xdp_await(pair);
}

/* What the host may leave undone to, or beside, what it sends. */
static u64 venet_rx_wanted(const struct venet *v)
{
	netdev_features_t f = v->dev->features;
	u64 wanted = 0;

	if (f & NETIF_F_RXHASH)
		wanted |= VENET_F_RX_HASH;
	/* what XDP passes on cannot say what is left to be done to it */
	if (rtnl_dereference(v->xdp_prog))
		return wanted;
	if (f & NETIF_F_RXCSUM)
		wanted |= VENET_F_RX_CSUM;
	if (f & NETIF_F_RXCSUM && f & NETIF_F_GRO_HW)
		wanted |= venet_rx_unsegmented;
	if (f & NETIF_F_HW_VLAN_CTAG_RX)
		wanted |= VENET_F_RX_VLAN;
	if (f & NETIF_F_HW_VLAN_STAG_RX)
		wanted |= VENET_F_RX_SVLAN;
	return wanted;
}

/* VENET_PKT_F_* that a received frame may have. */
static u16 venet_rx_flags(u64 features)
{
	return VENET_PKT_F_CSUM_OK |
	       venet_pkt_flags(features & VENET_F_RX_TUNNEL,
			       features & VENET_F_RX_VLAN,
			       features & VENET_F_RX_SVLAN);
}

static int venet_start(struct venet *v)
{
	u64 features = v->features & (VENET_F_TX_CSUM | VENET_F_TX_TSO4 |
				      VENET_F_TX_TSO6 | VENET_F_TX_USO |
				      VENET_F_TX_TUNNEL | VENET_F_TX_VLAN |
				      VENET_F_TX_SVLAN);
	struct venet_start start = { .pairs = cpu_to_le32(v->active) };
	struct venet_rx *rx;
	int ret;
	u32 i;

	features |= v->features & venet_rx_wanted(v);
	/* a filter that the host does not have right is worse than none */
	if (!venet_rx_mode_tell(v))
		features |= VENET_F_RX_MODE;
	for (i = 0; i < v->active; i++) {
		rx = &v->pair[i].rx;
		rx->head = features & VENET_F_RX_HEAD ?
			   sizeof(struct venet_rx_head) : 0;
		rx->flags = venet_rx_flags(features);
	}
	start.features = cpu_to_le64(features);
	ret = vbus_guest_call(v->vdev, VENET_CALL_START, &start, sizeof(start),
			      NULL, 0);
	return ret < 0 ? ret : 0;
}

/*
 * Unregister all queues that exist and free what is behind them.  Nobody sends
 * or polls.
 */
static void venet_release(struct venet *v)
{
	struct venet_pair *pair;
	bool rx, tx;
	u32 i;

	for (i = 0; i < v->npairs; i++) {
		pair = &v->pair[i];
		tx = venet_tx_unregister(&pair->tx) && !v->lent;
		rx = venet_rx_unregister(&pair->rx);
		venet_tx_free(pair, tx);
		/* XDP sends pages of the receive half's pool */
		venet_rx_free(pair, rx && (tx || !pair->tx.frames));
		if ((!tx || !rx) && net_ratelimit())
			netdev_warn(v->dev,
				    "host does not give back what it was lent: buffers of queue %u are lost\n",
				    i);
	}
	v->lent = false;
}

/**
 * venet_up() - begin to send and receive
 * @v:		device, not running; rtnl held
 *
 * Return: 0 or an errno: not running.
 */
int venet_up(struct venet *v)
{
	struct venet_pair *pair;
	bool kick = false;
	int err;
	u32 i;

	ASSERT_RTNL();
	for (i = 0; i < v->active; i++) {
		pair = &v->pair[i];
		err = venet_rx_create(pair);
		if (err)
			goto release;
		err = venet_tx_create(pair);
		if (err)
			goto release;
		/* some buffers are enough to begin */
		if (venet_rx_fill(pair, GFP_KERNEL, &kick) &&
		    pair->rx.nfree > pair->rx.q->size / 2) {
			err = -ENOMEM;
			goto release;
		}
	}
	err = venet_rss_start(v);
	if (err)
		goto release;
	err = venet_start(v);
	if (err)
		goto release;

	venet_coalesce_start(v);
	WRITE_ONCE(v->running, true);
	for (i = 0; i < v->active; i++) {
		pair = &v->pair[i];
		napi_enable(&pair->napi);
		/* the host did not look before START */
		vbus_guest_queue_kick(pair->rx.q);
		/* signals before napi_enable() went nowhere: look once */
		venet_pair_schedule(pair);
		/* those of pairs that are not in use stay stopped */
		netif_tx_wake_queue(netdev_get_tx_queue(v->dev, i));
	}
	return 0;

release:
	venet_release(v);
	return err;
}

/* A CPU transmits on the pair whose lane interrupts it. */
static void venet_setup_xps(struct venet *v)
{
	u32 i;

	if (v->active == 1)
		return;
	for (i = 0; i < v->active; i++)
		netif_set_xps_queue(v->dev,
				    cpumask_of(vbus_guest_lane_cpu(v->pair[i].poll.lane)),
				    i);
}

/*
 * Nobody sends any more: give the host a moment to take what was sent, so that
 * it is not lost.  A host that does not is not waited for.
 */
static void venet_drain(struct venet *v)
{
	bool done = false;
	int tries;
	u32 i;

	for (tries = 0; tries < VENET_DRAIN_TRIES && !done; tries++) {
		if (tries)
			usleep_range(500, 1000);
		done = true;
		for (i = 0; i < v->active; i++)
			done &= venet_tx_idle(&v->pair[i]);
	}
}

/*
 * The host stops using the buffers.  If frames are on their way by reference
 * it says so, after a moment: whoever gets them would send what the memory is used
 * for next.  Any other answer, or none, is for venet_release() to find out about.
 */
static void venet_tell_stop(struct venet *v)
{
	int tries = VENET_STOP_TRIES;

	do {
		v->lent = vbus_guest_call(v->vdev, VENET_CALL_STOP, NULL, 0,
					  NULL, 0) == -EBUSY;
	} while (v->lent && --tries);
}

/**
 * venet_down() - stop sending and receiving
 * @v:		device, running or not; rtnl held
 *
 * What was sent is given a moment to reach the host, and what the host had
 * delivered when it stopped is received, as far as one poll goes.
 */
void venet_down(struct venet *v)
{
	u32 i;

	ASSERT_RTNL();
	if (!v->running)
		return;
	/*
	 * In this order: a poll wakes a queue only while it sees @running under
	 * the lock that netif_tx_disable() takes after it was cleared.
	 */
	WRITE_ONCE(v->running, false);
	netif_tx_disable(v->dev);
	venet_drain(v);
	venet_tell_stop(v);
	for (i = 0; i < v->active; i++) {
		/* its last poll: napi_disable() waits for it */
		venet_pair_schedule(&v->pair[i]);
		napi_disable(&v->pair[i].napi);
		cancel_delayed_work_sync(&v->pair[i].refill);
		/* a poll that napi_disable() ended kept its claim */
		vbus_guest_poll_end(&v->pair[i].poll);
	}
	venet_coalesce_stop(v);
	venet_release(v);
}

/**
 * venet_set_pairs() - change the number of queue pairs in use
 * @v:		device, running or not; rtnl held
 * @pairs:	1..@v->npairs
 *
 * Return: 0 or an errno: nothing has changed, unless the log says otherwise.
 */
int venet_set_pairs(struct venet *v, u32 pairs)
{
	u32 old = v->active;
	bool running;
	int err;

	ASSERT_RTNL();
	if (pairs == old)
		return 0;
	running = v->running;
	venet_down(v);
	/* shrinking drops what waits in front of the queues that go */
	err = netif_set_real_num_queues(v->dev, pairs, pairs);
	if (err)
		goto restart;
	v->active = pairs;
	err = running ? venet_up(v) : 0;
	if (!err) {
		/* those of queues that had gone are forgotten */
		venet_setup_xps(v);
		return 0;
	}
	v->active = old;
	if (netif_set_real_num_queues(v->dev, old, old))
		netdev_err(v->dev, "cannot go back to %u pairs\n", old);
restart:
	if (running && venet_up(v))
		netdev_err(v->dev, "cannot restart with %u pairs\n", old);
	return err;
}

/* net_device */

static int venet_open(struct net_device *dev)
{
	return venet_up(netdev_priv(dev));
}

static int venet_stop(struct net_device *dev)
{
	venet_down(netdev_priv(dev));
	return 0;
}

static void venet_get_stats64(struct net_device *dev,
			      struct rtnl_link_stats64 *s)
{
	struct venet *v = netdev_priv(dev);
	u64 tx[VENET_TX_STATS], rx[VENET_RX_STATS];
	u32 i;

	for (i = 0; i < v->npairs; i++) {
		venet_tx_stats(&v->pair[i].tx, tx);
		venet_rx_stats(&v->pair[i].rx, rx);
		s->tx_packets += tx[VENET_TX_PACKETS];
		s->tx_bytes += tx[VENET_TX_BYTES];
		s->tx_dropped += tx[VENET_TX_DROPS];
		s->tx_errors += tx[VENET_TX_HOST_ERRORS];
		s->rx_packets += rx[VENET_RX_PACKETS];
		s->rx_bytes += rx[VENET_RX_BYTES];
		s->rx_dropped += rx[VENET_RX_DROPS];
		s->rx_errors += rx[VENET_RX_HOST_ERRORS];
	}
}

static int venet_tell_mac(struct venet *v, const u8 *addr)
{
	struct venet_mac mac = {};
	int ret;

	ether_addr_copy(mac.mac, addr);
	ret = vbus_guest_call(v->vdev, VENET_CALL_SET_MAC, &mac, sizeof(mac),
			      NULL, 0);
	return ret < 0 ? ret : 0;
}

static int venet_set_mac_address(struct net_device *dev, void *p)
{
	struct sockaddr *addr = p;
	int err;

	err = eth_prepare_mac_addr_change(dev, p);
	if (err)
		return err;
	err = venet_tell_mac(netdev_priv(dev), addr->sa_data);
	if (err)
		return err;
	eth_commit_mac_addr_change(dev, p);
	return 0;
}

static int venet_set_features(struct net_device *dev,
			      netdev_features_t features)
{
	struct venet *v = netdev_priv(dev);
	netdev_features_t old = dev->features;
	netdev_features_t start = (old ^ features) & VENET_START_FEATURES;
	int err;

	if (!start || !v->running)
		return 0;
	venet_down(v);
	/* START wants to see the new ones; the net core stores them all */
	dev->features ^= start;
	err = venet_up(v);
	dev->features = old;
	if (err && venet_up(v))
		netdev_err(dev, "cannot restart\n");
	return err;
}

/* What the host would not take the stack does. */
static netdev_features_t venet_features_check(struct sk_buff *skb,
					      struct net_device *dev,
					      netdev_features_t features)
{
	features = venet_tunnel_check(skb, vlan_features_check(skb, features));
	/*
	 * A tunnel's outer checksum is complete before the inner one, unless it
	 * crosses unsegmented.  Address translation on the host would take both
	 * for open, and spoil the outer one.
	 */
	if (skb->encapsulation &&
	    !(skb_is_gso(skb) && net_gso_ok(features | NETIF_F_GSO_ROBUST,
					    skb_shinfo(skb)->gso_type)))
		features &= ~NETIF_F_CSUM_MASK;
	return features;
}

static const struct net_device_ops venet_netdev_ops = {
	.ndo_open = venet_open,
	.ndo_stop = venet_stop,
	.ndo_start_xmit = venet_tx_xmit,
	.ndo_get_stats64 = venet_get_stats64,
	.ndo_set_mac_address = venet_set_mac_address,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_features_check = venet_features_check,
	.ndo_set_features = venet_set_features,
	.ndo_set_rx_mode = venet_set_rx_mode,
	.ndo_bpf = venet_bpf,
	.ndo_xdp_xmit = venet_xdp_xmit,
};

static void venet_setup_features(struct net_device *dev, u64 host)
{
	netdev_features_t f = NETIF_F_SG;

	if (host & VENET_F_TX_CSUM) {
		f |= NETIF_F_HW_CSUM;
		if (host & VENET_F_TX_TSO4)
			f |= NETIF_F_TSO | NETIF_F_TSO_ECN;
		if (host & VENET_F_TX_TSO6)
			f |= NETIF_F_TSO6;
		if (host & VENET_F_TX_USO)
			f |= NETIF_F_GSO_UDP_L4;
		if (host & VENET_F_TX_TUNNEL)
			f |= NETIF_F_GSO_UDP_TUNNEL | NETIF_F_GSO_UDP_TUNNEL_CSUM;
	}
	dev->vlan_features = f;
	if (host & VENET_F_TX_VLAN)
		f |= NETIF_F_HW_VLAN_CTAG_TX;
	if (host & VENET_F_TX_SVLAN)
		f |= NETIF_F_HW_VLAN_STAG_TX;
	dev->hw_enc_features = f;
	if (host & VENET_F_RX_CSUM) {
		f |= NETIF_F_RXCSUM;
		if (host & venet_rx_unsegmented)
			f |= NETIF_F_GRO_HW;
	}
	if (host & VENET_F_RX_HASH)
		f |= NETIF_F_RXHASH;
	if (host & VENET_F_RX_VLAN)
		f |= NETIF_F_HW_VLAN_CTAG_RX;
	if (host & VENET_F_RX_SVLAN)
		f |= NETIF_F_HW_VLAN_STAG_RX;
	dev->hw_features = f;
	dev->features = f | NETIF_F_HIGHDMA;
	/* room for VLAN headers, two of them */
	netif_set_tso_max_size(dev, VENET_FRAME_MAX - ETH_HLEN - 2 * VLAN_HLEN);
}

static void venet_setup_netdev(struct venet *v, const struct venet_info *info)
{
	struct net_device *dev = v->dev;

	dev->netdev_ops = &venet_netdev_ops;
	dev->ethtool_ops = &venet_ethtool_ops;
	/* with all frames from a host without a filter, or those we asked for */
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE | IFF_UNICAST_FLT;
	dev->min_mtu = VENET_MTU_MIN;
	dev->max_mtu = VENET_MTU_MAX;
	venet_link_init(v, info);
	if (is_valid_ether_addr(info->mac))
		eth_hw_addr_set(dev, info->mac);
	else
		eth_hw_addr_random(dev);
	venet_setup_features(dev, v->features);
	vbus_compat_xdp_features(dev);
}

/* Which lane each pair is on; devices with one pair spread over the lanes. */
static void venet_bind(struct venet *v, const struct venet_info *info)
{
	u32 i;

	v->priority = info->priority;
	for (i = 0; i < v->npairs; i++)
		v->pair[i].poll.lane = vbus_guest_lane_pick(v->vdev,
							    v->priority,
							    v->vdev->slot + i);
}

static void venet_setup_pairs(struct venet *v, const struct venet_info *info)
{
	struct venet_pair *pair;
	u32 i;

	venet_bind(v, info);
	for (i = 0; i < v->npairs; i++) {
		pair = &v->pair[i];
		pair->venet = v;
		pair->index = i;
		INIT_DELAYED_WORK(&pair->refill, venet_refill_work);
		venet_coalesce_init(pair);
		u64_stats_init(&pair->tx.sync);
		u64_stats_init(&pair->rx.sync);
		netif_napi_add(v->dev, &pair->napi, venet_poll);
	}
}

static void venet_free(struct venet *v)
{
	u32 i;

	venet_rx_mode_exit(v);
	for (i = 0; i < v->npairs; i++)
		netif_napi_del(&v->pair[i].napi);
	kvfree(v->pair);
	free_netdev(v->dev);
}

/* Bus driver */

static int venet_probe(struct vbus_device *vdev)
{
	struct venet_info info;
	struct net_device *dev;
	struct venet *v;
	u32 pairs;
	int err;

	err = venet_query(vdev, &info);
	if (err)
		return err;
	pairs = min3(le32_to_cpu(info.pairs),
		     vbus_guest_lanes_of(vdev, info.priority),
		     VENET_PAIRS_MAX);
	if (!pairs || info.priority > VBUS_PRIORITY_MAX)
		return -EPROTO;

	dev = alloc_etherdev_mq(sizeof(*v), pairs);
	if (!dev)
		return -ENOMEM;
	v = netdev_priv(dev);
	v->dev = dev;
	v->vdev = vdev;
	v->dma_dev = vbus_guest_dma_dev(vdev);
	v->npairs = pairs;
	/* more would share CPUs, and gain nothing from it */
	v->active = min(pairs, num_online_cpus());
	v->features = le64_to_cpu(info.features) & VENET_F_ALL;
	v->rx_log2 = VENET_RX_LOG2;
	v->tx_log2 = VENET_TX_LOG2;
	v->pair = kvcalloc(pairs, sizeof(*v->pair), GFP_KERNEL);
	if (!v->pair) {
		free_netdev(dev);
		return -ENOMEM;
	}
	SET_NETDEV_DEV(dev, &vdev->dev);
	venet_setup_netdev(v, &info);
	venet_setup_pairs(v, &info);
	venet_rx_mode_init(v);
	venet_rss_init(v);
	vbus_device_set_drvdata(vdev, v);

	/* one that we made up; a host that does not care may refuse to know */
	if (!ether_addr_equal(dev->dev_addr, info.mac))
		venet_tell_mac(v, dev->dev_addr);
	netif_carrier_off(dev);
	/* like after venet_down(): XDP of other devices may send while we open */
	netif_tx_stop_all_queues(dev);
	err = netif_set_real_num_queues(dev, v->active, v->active);
	if (err)
		goto free;
	err = register_netdev(dev);
	if (err)
		goto free;
	rtnl_lock();
	venet_setup_xps(v);
	venet_link_update(v, &info);
	rtnl_unlock();
	return 0;

free:
	venet_free(v);
	return err;
}

static void venet_remove(struct vbus_device *vdev)
{
	struct venet *v = vbus_device_get_drvdata(vdev);

	unregister_netdev(v->dev);	/* and stops it */
	venet_rss_exit(v);
	venet_free(v);
}

static void venet_config_changed(struct vbus_device *vdev)
{
	struct venet *v = vbus_device_get_drvdata(vdev);
	struct venet_info info;

	if (venet_query(vdev, &info))
		return;
	rtnl_lock();
	venet_link_update(v, &info);
	rtnl_unlock();
}

static void venet_quiesce(struct vbus_device *vdev)
{
	struct venet *v = vbus_device_get_drvdata(vdev);

	rtnl_lock();
	netif_device_detach(v->dev);
	venet_down(v);
	rtnl_unlock();
}

static int venet_resume(struct vbus_device *vdev)
{
	struct venet *v = vbus_device_get_drvdata(vdev);
	struct venet_info info;
	int err;

	err = venet_query(vdev, &info);
	if (err)
		return err;
	/* what the net core was promised must still hold */
	if (le32_to_cpu(info.pairs) < v->npairs ||
	    v->features & ~le64_to_cpu(info.features) ||
	    info.priority > VBUS_PRIORITY_MAX)
		return -EOPNOTSUPP;
	rtnl_lock();
	/* nor what it said of its lanes; no queue exists and nobody polls */
	venet_bind(v, &info);
	/* the host may have forgotten what we told it */
	if (!ether_addr_equal(v->dev->dev_addr, info.mac))
		err = venet_tell_mac(v, v->dev->dev_addr);
	if (!err && netif_running(v->dev))
		err = venet_up(v);
	if (!err) {
		/* first: the MTU of a device that is detached cannot change */
		netif_device_attach(v->dev);
		venet_link_update(v, &info);
	}
	rtnl_unlock();
	return err;
}

static const struct vbus_device_id venet_ids[] = {
	{ VENET_TYPE },
	{ "" },
};
MODULE_ALIAS_VBUS(VENET_TYPE);

static struct vbus_driver venet_driver = {
	.driver.name = "venet",
	.id_table = venet_ids,
	.probe = venet_probe,
	.remove = venet_remove,
	.config_changed = venet_config_changed,
	.quiesce = venet_quiesce,
	.resume = venet_resume,
};
module_vbus_driver(venet_driver);

MODULE_DESCRIPTION("VBUS guest: virtual ethernet");
MODULE_LICENSE("GPL");
