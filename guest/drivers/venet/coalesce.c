// SPDX-License-Identifier: GPL-2.0-only
/*
 * venet: how long received frames may wait for company (ethtool -c and -C).
 *
 * The host holds the interrupt back (VENET_CALL_COALESCE): for as long as the
 * administrator says, or, with adaptive-rx, for as long as the kernel's dynamic
 * interrupt moderation finds best, pair by pair.
 *
 * Locking: rtnl, but for the work items, which see @adaptive only.  Whoever
 * clears it and then cancels the work has the last word.
 */
#include <linux/ethtool.h>
#include "venet.h"

static int coalesce_tell(struct venet_pair *pair, u32 usecs, u32 frames)
{
	struct venet_coalesce c = {
		.pair = cpu_to_le32(pair->index),
		.usecs = cpu_to_le32(min(usecs, VENET_COALESCE_USECS_MAX)),
		.frames = cpu_to_le32(min(frames, VENET_COALESCE_FRAMES_MAX)),
	};
	int ret = vbus_guest_call(pair->venet->vdev, VENET_CALL_COALESCE, &c,
				  sizeof(c), NULL, 0);

	return ret < 0 ? ret : 0;
}

static int coalesce_tell_adaptive(struct venet_pair *pair)
{
	struct dim_cq_moder moder = vbus_compat_dim_moderation(&pair->dim);

	return coalesce_tell(pair, moder.usec, moder.pkts);
}

/* net_dim() has chosen another profile. */
static void coalesce_work(struct work_struct *work)
{
	struct dim *dim = container_of(work, struct dim, work);
	struct venet_pair *pair = container_of(dim, struct venet_pair, dim);

	if (READ_ONCE(pair->venet->adaptive))
		coalesce_tell_adaptive(pair);
	dim->state = DIM_START_MEASURE;
}

void venet_coalesce_init(struct venet_pair *pair)
{
	INIT_WORK(&pair->dim.work, coalesce_work);
	pair->dim.mode = DIM_CQ_PERIOD_MODE_START_FROM_EQE;
	pair->dim.profile_ix = VENET_DIM_FIRST;
}

/**
 * venet_coalesce_sample() - a poll has found the end of the ring
 * @pair:	pair, by its poll
 */
void venet_coalesce_sample(struct venet_pair *pair)
{
	struct dim_sample sample = {};

	if (!READ_ONCE(pair->venet->adaptive))
		return;
	dim_update_sample(++pair->wakeups, pair->rx.stat[VENET_RX_PACKETS],
			  pair->rx.stat[VENET_RX_BYTES], &sample);
	vbus_compat_net_dim(&pair->dim, &sample);
}

/* Begin to measure; polls do not, yet. */
static void coalesce_reset(struct venet *v)
{
	u32 i;

	for (i = 0; i < v->npairs; i++)
		v->pair[i].dim.state = DIM_START_MEASURE;
}

/* Tell the host what is wanted of all pairs. */
static int coalesce_apply(struct venet *v)
{
	int err = 0;
	u32 i;

	for (i = 0; i < v->npairs && !err; i++)
		err = v->adaptive ? coalesce_tell_adaptive(&v->pair[i]) :
		      coalesce_tell(&v->pair[i], v->rx_usecs, v->rx_frames);
	return err;
}

/**
 * venet_coalesce_start() - packets are about to flow; rtnl held
 * @v:		device
 *
 * The host may have forgotten what it was told.  If it refuses to hear it again
 * there are more interrupts, no more.
 */
void venet_coalesce_start(struct venet *v)
{
	coalesce_reset(v);
	if ((v->adaptive || v->rx_usecs) && coalesce_apply(v))
		netdev_dbg(v->dev, "the host does not coalesce any more\n");
}

/* No poll runs; rtnl held. */
void venet_coalesce_stop(struct venet *v)
{
	u32 i;

	for (i = 0; i < v->npairs; i++)
		cancel_work_sync(&v->pair[i].dim.work);
}

int venet_get_coalesce(struct net_device *dev, struct ethtool_coalesce *c,
		       struct kernel_ethtool_coalesce *kernel_coalesce,
		       struct netlink_ext_ack *extack)
{
	struct venet *v = netdev_priv(dev);

	c->rx_coalesce_usecs = v->rx_usecs;
	c->rx_max_coalesced_frames = v->rx_frames;
	c->use_adaptive_rx_coalesce = v->adaptive;
	return 0;
}

static int coalesce_set(struct venet *v, u32 usecs, u32 frames, bool adaptive)
{
	/* polls stop sampling, and work under way has its last word */
	WRITE_ONCE(v->adaptive, false);
	venet_coalesce_stop(v);
	v->rx_usecs = usecs;
	v->rx_frames = frames;
	coalesce_reset(v);
	WRITE_ONCE(v->adaptive, adaptive);
	return coalesce_apply(v);
}

int venet_set_coalesce(struct net_device *dev, struct ethtool_coalesce *c,
		       struct kernel_ethtool_coalesce *kernel_coalesce,
		       struct netlink_ext_ack *extack)
{
	struct venet *v = netdev_priv(dev);
	u32 usecs = v->rx_usecs, frames = v->rx_frames;
	bool adaptive = v->adaptive;
	int err;

	if (c->rx_coalesce_usecs > VENET_COALESCE_USECS_MAX ||
	    c->rx_max_coalesced_frames > VENET_COALESCE_FRAMES_MAX) {
		NL_SET_ERR_MSG(extack, "at most 10000 us and 65535 frames");
		return -ERANGE;
	}
	if (c->use_adaptive_rx_coalesce && !VBUS_COMPAT_DIM) {
		NL_SET_ERR_MSG(extack, "this kernel has no dynamic interrupt moderation");
		return -EOPNOTSUPP;
	}
	err = coalesce_set(v, c->rx_coalesce_usecs, c->rx_max_coalesced_frames,
			   c->use_adaptive_rx_coalesce);
	if (err)
		coalesce_set(v, usecs, frames, adaptive);
	return err;
}
