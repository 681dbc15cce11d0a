// SPDX-License-Identifier: GPL-2.0-only
/*
 * venet: life of the data path.
 *
 * venet_up() registers the queues and says START, venet_down() says STOP and
 * unregisters them; both under rtnl.  Whatever changes a ring or a receive feature
 * goes down and up.  In between venet_poll() does the work of a pair.
 */
#include <linux/cpumask.h>
#include <linux/rtnetlink.h>
#include "venet.h"

#define VENET_DRAIN_TRIES	400	/* looks, each 0.5 to 1 ms after the last */
#define VENET_DRAIN_STILL	100	/* ... in a row that see no progress */
#define VENET_STOP_TRIES	20	/* of 100 ms: frames of ours are on their way */

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
	venet_tx_await(pair);
}

/*
 * The last packets of a burst may have pages that somebody wants back, like those of a
 * page pool that they were received in, and pktgen waits for its last packet.  There is
 * no hurry: the timer does not wake up a CPU that sleeps.
 */
static void venet_reap_work(struct work_struct *work)
{
	struct venet_pair *pair = container_of(to_delayed_work(work),
					       struct venet_pair, reap);

	venet_pair_schedule(pair);
	if (!list_empty(&pair->tx.sent))
		schedule_delayed_work(&pair->reap, VENET_TX_REAP);
}

/**
 * venet_setup_pairs() - initialise the queue pairs
 * @v:		device that is being probed
 */
void venet_setup_pairs(struct venet *v)
{
	struct venet_pair *pair;
	u32 i;

	for (i = 0; i < v->npairs; i++) {
		pair = &v->pair[i];
		pair->venet = v;
		pair->index = i;
		INIT_DELAYED_WORK(&pair->refill, venet_refill_work);
		INIT_DEFERRABLE_WORK(&pair->reap, venet_reap_work);
		venet_coalesce_init(pair);
		u64_stats_init(&pair->tx.sync);
		u64_stats_init(&pair->rx.sync);
		netif_napi_add(v->dev, &pair->napi, venet_poll);
	}
}

static int venet_start(struct venet *v)
{
	u64 features = venet_start_features(v);
	struct venet_start start = { .pairs = cpu_to_le32(v->active) };
	struct venet_rx *rx;
	int ret;
	u32 i;

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

/* Nobody sends or polls.  False: the host may still use what it was given. */
static bool venet_unregister(struct vbus_queue **q)
{
	bool released = !*q || vbus_guest_queue_destroy(*q);

	*q = NULL;
	return released;
}

/*
 * Unregister all queues that exist and free what is behind them.  Nobody sends
 * or polls.
 */
static void venet_release(struct venet *v)
{
	bool rx[VENET_PAIRS_MAX], tx[VENET_PAIRS_MAX], pages = true;
	struct venet_pair *pair;
	u32 i;

	for (i = 0; i < v->npairs; i++) {
		pair = &v->pair[i];
		tx[i] = venet_unregister(&pair->tx.q) && !v->lent;
		rx[i] = venet_unregister(&pair->rx.q);
		/* XDP sends pages of a receive half's pool, which may be another pair's */
		if (!tx[i] && pair->tx.frames)
			pages = false;
	}
	for (i = 0; i < v->npairs; i++) {
		pair = &v->pair[i];
		venet_tx_free(pair, tx[i]);
		venet_rx_free(pair, rx[i] && pages);
		if ((!tx[i] || !rx[i]) && net_ratelimit())
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

/**
 * venet_setup_xps() - a CPU transmits on the pair whose lane interrupts it
 * @v:		registered device; rtnl held
 */
void venet_setup_xps(struct venet *v)
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
 * Nobody sends any more: give the host time to take what was sent, so that it is not
 * lost, as long as it takes any.  One that is known to be gone is not waited for.
 */
static void venet_drain(struct venet *v)
{
	u32 left, last = 0, i;
	int tries, still = 0;

	for (tries = 0; tries < VENET_DRAIN_TRIES; tries++) {
		left = 0;
		for (i = 0; i < v->active; i++)
			left += venet_tx_unanswered(&v->pair[i]);
		still = left == last ? still + 1 : 0;
		if (!left || still == VENET_DRAIN_STILL ||
		    !vbus_device_host_live(v->vdev))
			return;
		last = left;
		usleep_range(500, 1000);
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
		cancel_delayed_work_sync(&v->pair[i].reap);
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
