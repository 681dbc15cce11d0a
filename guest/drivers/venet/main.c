// SPDX-License-Identifier: GPL-2.0-only
/*
 * venet: 802.x network device of a bus, guest side: from probe to remove.
 */
#include <linux/cpumask.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include "venet.h"

static int venet_query(struct vbus_device *vdev, struct venet_info *info)
{
	int ret = vbus_guest_call(vdev, VENET_CALL_QUERY, NULL, 0, info,
				  sizeof(*info));

	if (ret < 0)
		return ret;
	return ret < sizeof(*info) ? -EPROTO : 0;
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
	struct venet_pair *pair;
	u32 i;

	for (i = 0; i < v->npairs; i++) {
		pair = &v->pair[i];
		venet_stats_read(&pair->tx.sync, pair->tx.stat, tx, VENET_TX_STATS);
		venet_stats_read(&pair->rx.sync, pair->rx.stat, rx, VENET_RX_STATS);
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

static const struct net_device_ops venet_netdev_ops = {
	.ndo_open = venet_open,
	.ndo_stop = venet_stop,
	.ndo_start_xmit = venet_tx_xmit,
	.ndo_select_queue = venet_pick,
	.ndo_get_stats64 = venet_get_stats64,
	.ndo_set_mac_address = venet_set_mac_address,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_features_check = venet_features_check,
	.ndo_set_features = venet_set_features,
	.ndo_set_rx_mode = venet_set_rx_mode,
	.ndo_bpf = venet_bpf,
	.ndo_xdp_xmit = venet_xdp_xmit,
};

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
	venet_bind(v, &info);
	venet_setup_pairs(v);
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
