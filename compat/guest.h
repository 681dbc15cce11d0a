/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that the guest modules support, 6.1 and on.
 * compat/guest.Kbuild finds out which kernel has what.
 */
#ifndef VBUS_COMPAT_GUEST_H
#define VBUS_COMPAT_GUEST_H

#include <linux/dim.h>
#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/virtio_config.h>

/* 6.6: the page pool's header was split */
#ifdef VBUS_HAVE_PP_HELPERS
#include <net/page_pool/helpers.h>
#else
#include <net/page_pool.h>
#endif

/* 6.11: const driver in bus_type.match */
#ifdef VBUS_HAVE_CONST_MATCH
#define VBUS_COMPAT_MATCH_CONST const
#else
#define VBUS_COMPAT_MATCH_CONST
#endif

/* 6.3: const device in bus_type.uevent */
#ifdef VBUS_HAVE_CONST_UEVENT
#define VBUS_COMPAT_UEVENT_CONST const
#else
#define VBUS_COMPAT_UEVENT_CONST
#endif

/* 6.10: dummy net devices are allocated, and init_dummy_netdev() goes away */
static inline struct net_device *vbus_compat_dummy_alloc(void)
{
#ifdef VBUS_HAVE_NETDEV_DUMMY
	return alloc_netdev_dummy(0);
#else
	struct net_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (dev)
		init_dummy_netdev(dev);
	return dev;
#endif
}

static inline void vbus_compat_dummy_free(struct net_device *dev)
{
#ifdef VBUS_HAVE_NETDEV_DUMMY
	free_netdev(dev);
#else
	kfree(dev);
#endif
}

/* 6.11: virtio_find_vqs() takes an array of structures */
#ifndef VBUS_HAVE_VQ_INFO
struct virtqueue_info {
	const char *name;
	vq_callback_t *callback;
	bool ctx;
};
#endif

static inline int vbus_compat_find_vqs(struct virtio_device *vdev,
				       unsigned int n, struct virtqueue **vqs,
				       struct virtqueue_info *info)
{
#ifdef VBUS_HAVE_VQ_INFO
	return virtio_find_vqs(vdev, n, vqs, info, NULL);
#else
	vq_callback_t **callback;
	const char **name;
	unsigned int i;
	int err = -ENOMEM;

	callback = kcalloc(n, sizeof(*callback), GFP_KERNEL);
	name = kcalloc(n, sizeof(*name), GFP_KERNEL);
	if (callback && name) {
		for (i = 0; i < n; i++) {
			callback[i] = info[i].callback;
			name[i] = info[i].name;
		}
		err = virtio_find_vqs(vdev, n, vqs, callback, name, NULL);
	}
	kfree(name);
	kfree(callback);
	return err;
#endif
}

/* 6.4: pages come back straight to the pool's cache on its NAPI's CPU */
static inline void vbus_compat_pool_napi(struct page_pool_params *params,
					 struct napi_struct *napi)
{
#ifdef VBUS_HAVE_PP_NAPI
	params->napi = napi;
#else
	(void)params;
	(void)napi;
#endif
}

/* ... unless the pool outlives the NAPI instance, which does not run */
static inline void vbus_compat_pool_forget_napi(struct page_pool *pool)
{
#ifdef VBUS_HAVE_PP_NAPI
	WRITE_ONCE(pool->p.napi, NULL);
#else
	(void)pool;
#endif
}

/* 6.3: a net device says what it can do for XDP; before it is registered */
static inline void vbus_compat_xdp_features(struct net_device *dev)
{
#ifdef VBUS_HAVE_XDP_FEATURES
	dev->xdp_features = NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT |
			    NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_RX_SG |
			    NETDEV_XDP_ACT_NDO_XMIT_SG;
#else
	(void)dev;
#endif
}

/* 6.2: the functions of timers were renamed */
static inline int vbus_compat_timer_delete_sync(struct timer_list *timer)
{
#ifdef VBUS_HAVE_TIMER_DELETE
	return timer_delete_sync(timer);
#else
	return del_timer_sync(timer);
#endif
}

/* A kernel has the library only if some driver of its own wants it. */
#define VBUS_COMPAT_DIM	IS_ENABLED(CONFIG_DIMLIB)

/* 6.13: the sample by address */
static inline void vbus_compat_net_dim(struct dim *dim,
				       struct dim_sample *sample)
{
#if !IS_ENABLED(CONFIG_DIMLIB)
	(void)dim;
	(void)sample;
#elif defined(VBUS_HAVE_DIM_POINTER)
	net_dim(dim, sample);
#else
	net_dim(dim, *sample);
#endif
}

/* What the present profile means. */
static inline struct dim_cq_moder
vbus_compat_dim_moderation(const struct dim *dim)
{
#if IS_ENABLED(CONFIG_DIMLIB)
	return net_dim_get_rx_moderation(dim->mode, dim->profile_ix);
#else
	(void)dim;
	return (struct dim_cq_moder){};
#endif
}

/*
 * 6.8: ethtool's receive hash in a structure.  These define get_rxfh() and
 * set_rxfh() by functions of device, table and key (, and hash function).
 */
#ifdef VBUS_HAVE_RXFH_PARAM
#define VBUS_COMPAT_GET_RXFH(name, get)					\
static int name(struct net_device *dev, struct ethtool_rxfh_param *rxfh) \
{									\
	rxfh->hfunc = ETH_RSS_HASH_TOP;					\
	get(dev, rxfh->indir, rxfh->key);				\
	return 0;							\
}

#define VBUS_COMPAT_SET_RXFH(name, set)					\
static int name(struct net_device *dev, struct ethtool_rxfh_param *rxfh, \
		struct netlink_ext_ack *extack)				\
{									\
	return set(dev, rxfh->indir, rxfh->key, rxfh->hfunc);		\
}
#else
#define VBUS_COMPAT_GET_RXFH(name, get)					\
static int name(struct net_device *dev, u32 *table, u8 *key, u8 *function) \
{									\
	if (function)							\
		*function = ETH_RSS_HASH_TOP;				\
	get(dev, table, key);						\
	return 0;							\
}

#define VBUS_COMPAT_SET_RXFH(name, set)					\
static int name(struct net_device *dev, const u32 *table, const u8 *key, \
		const u8 function)					\
{									\
	return set(dev, table, key, function);				\
}
#endif

#endif /* VBUS_COMPAT_GUEST_H */
