// SPDX-License-Identifier: GPL-2.0-only
/*
 * Driver of the test device "ping": keeps pings in flight on many queues and
 * counts what comes back.  Never shipped.  It polls, arms and claims its lane as
 * venet does.  The queues are spread over the lanes; every fourth one is polled
 * by a thread.
 *
 * /sys/kernel/debug/vbus-ping/run	write "FIRST QUEUES INFLIGHT PINGS THREADED",
 *					while nothing is in flight
 * /sys/kernel/debug/vbus-ping/status	"done|running SENT SEEN WRONG IDLE-MS"
 *
 * IDLE-MS is for how long the queue that has waited longest for an answer has
 * waited.  With THREADED the lanes are polled by threads too: in one kernel an
 * interrupt is a function call, and where it is raised it would be served, so that
 * the two sides would take turns on one CPU.  There is one device.
 */
#include <linux/debugfs.h>
#include <linux/jiffies.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "vbus_guest.h"
#include "compat/guest.h"
#include "ping.h"

struct ping_queue {
	struct vbus_queue *q;
	struct napi_struct napi;
	struct vbus_poll poll;
	u32 inflight;
	u64 target;
	u64 sent;
	u64 seen;
	u64 wrong;
	unsigned long moved;
};

struct ping {
	struct vbus_device *vdev;
	struct net_device *dummy[2];
	struct dentry *dir;
	struct ping_queue queue[PING_QUEUES];
};

static int ping_poll(struct napi_struct *napi, int budget)
{
	struct ping_queue *pq = container_of(napi, struct ping_queue, napi);
	struct vbus_queue *q = pq->q;
	struct vbus_ioq_desc d = {};
	int work = 0;

	vbus_guest_poll_begin(&pq->poll);
	if (!budget)
		return 0;
	while (work < budget && vbus_ioq_peek(&q->comp, 0, &d)) {
		vbus_ioq_advance(&q->comp, 1);
		pq->wrong += d.addr != ping_answer(pq->seen);
		WRITE_ONCE(pq->seen, pq->seen + 1);
		WRITE_ONCE(pq->moved, jiffies);
		work++;
	}
	while (pq->sent < READ_ONCE(pq->target) &&
	       pq->sent - pq->seen < READ_ONCE(pq->inflight)) {
		d = (struct vbus_ioq_desc){ .addr = pq->sent };
		vbus_ioq_put(&q->sub, &d);
		WRITE_ONCE(pq->sent, pq->sent + 1);
	}
	if (vbus_ioq_publish(&q->sub))
		vbus_guest_queue_kick(q);
	if (work == budget)
		return budget;
	if (!vbus_ioq_arm(&q->comp, 0))
		return budget;
	if (napi_complete_done(napi, work))
		vbus_guest_poll_end(&pq->poll);
	return work;
}

static void ping_schedule(struct ping_queue *pq)
{
	local_bh_disable();
	vbus_guest_poll_schedule(&pq->poll, &pq->napi);
	local_bh_enable();
}

static void ping_notify(struct vbus_queue *q)
{
	struct ping_queue *pq = q->priv;

	vbus_guest_poll_schedule(&pq->poll, &pq->napi);
}

static ssize_t ping_run_write(struct file *file, const char __user *buf,
			      size_t count, loff_t *pos)
{
	struct ping *ping = file->private_data;
	u32 i, first, queues, inflight, threaded;
	struct ping_queue *pq;
	char text[64] = {};
	u64 pings;
	int err;

	if (count >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, buf, count))
		return -EFAULT;
	if (sscanf(text, "%u %u %u %llu %u", &first, &queues, &inflight,
		   &pings, &threaded) != 5 ||
	    !queues || queues > PING_QUEUES || first > PING_QUEUES - queues ||
	    !inflight || inflight > 1u << PING_LOG2)
		return -EINVAL;
	rtnl_lock();
	err = dev_set_threaded(ping->vdev->guest->dummy, threaded);
	rtnl_unlock();
	if (err)
		return err;
	for (i = first; i < first + queues; i++) {
		pq = &ping->queue[i];
		WRITE_ONCE(pq->moved, jiffies);
		WRITE_ONCE(pq->inflight, inflight);
		WRITE_ONCE(pq->target, pq->target + div_u64(pings, queues));
		ping_schedule(pq);
	}
	return count;
}

static const struct file_operations ping_run_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = ping_run_write,
};

static int ping_status_show(struct seq_file *s, void *unused)
{
	u64 sent = 0, seen = 0, wrong = 0;
	struct ping *ping = s->private;
	unsigned long idle = 0;
	bool done = true;
	u32 i;

	for (i = 0; i < PING_QUEUES; i++) {
		struct ping_queue *pq = &ping->queue[i];
		u64 got = READ_ONCE(pq->seen);

		sent += READ_ONCE(pq->sent);
		seen += got;
		wrong += READ_ONCE(pq->wrong);
		if (got == READ_ONCE(pq->target))
			continue;
		done = false;
		idle = max(idle, jiffies - READ_ONCE(pq->moved));
	}
	seq_printf(s, "%s %llu %llu %llu %u\n", done ? "done" : "running", sent,
		   seen, wrong, jiffies_to_msecs(idle));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(ping_status);

static void ping_destroy(struct ping *ping)
{
	struct ping_queue *pq;
	u32 i;

	debugfs_remove(ping->dir);
	for (i = 0; i < PING_QUEUES; i++) {
		pq = &ping->queue[i];
		if (!pq->q)
			continue;
		napi_disable(&pq->napi);
		vbus_guest_poll_end(&pq->poll);
		vbus_guest_queue_destroy(pq->q);
		netif_napi_del(&pq->napi);
	}
	for (i = 0; i < ARRAY_SIZE(ping->dummy); i++)
		if (ping->dummy[i])
			vbus_compat_dummy_free(ping->dummy[i]);
	kfree(ping);
}

static int ping_queue_create(struct ping *ping, u32 i)
{
	struct vbus_guest *guest = ping->vdev->guest;
	struct ping_queue *pq = &ping->queue[i];
	struct vbus_queue_config config = {
		.shm = i,
		.lane = i % guest->nlanes,
		.log2 = PING_LOG2,
		.notify = ping_notify,
		.priv = pq,
	};
	struct vbus_queue *q;

	pq->poll.lane = &guest->lane[config.lane];
	netif_napi_add(ping->dummy[i % 4 == 0], &pq->napi, ping_poll);
	q = vbus_guest_queue_create(ping->vdev, &config);
	if (IS_ERR(q)) {
		netif_napi_del(&pq->napi);
		return PTR_ERR(q);
	}
	pq->q = q;
	napi_enable(&pq->napi);
	return 0;
}

static int ping_probe(struct vbus_device *vdev)
{
	struct ping *ping = kzalloc(sizeof(*ping), GFP_KERNEL);
	int err = -ENOMEM;
	u32 i;

	if (!ping)
		return -ENOMEM;
	ping->vdev = vdev;
	for (i = 0; i < ARRAY_SIZE(ping->dummy); i++) {
		ping->dummy[i] = vbus_compat_dummy_alloc();
		if (!ping->dummy[i])
			goto err_destroy;
	}
	/* its NAPI instances get threads */
	ping->dummy[1]->threaded = true;
	for (i = 0; i < PING_QUEUES; i++) {
		err = ping_queue_create(ping, i);
		if (err)
			goto err_destroy;
	}
	vbus_device_set_drvdata(vdev, ping);
	ping->dir = debugfs_create_dir("vbus-ping", NULL);
	debugfs_create_file("run", 0200, ping->dir, ping, &ping_run_fops);
	debugfs_create_file("status", 0400, ping->dir, ping, &ping_status_fops);
	return 0;

err_destroy:
	ping_destroy(ping);
	return err;
}

static void ping_remove(struct vbus_device *vdev)
{
	ping_destroy(vbus_device_get_drvdata(vdev));
}

static const struct vbus_device_id ping_ids[] = {
	{ PING_TYPE },
	{ "" },
};
MODULE_ALIAS_VBUS(PING_TYPE);

static struct vbus_driver ping_driver = {
	.driver.name = "ping",
	.id_table = ping_ids,
	.probe = ping_probe,
	.remove = ping_remove,
};
module_vbus_driver(ping_driver);

MODULE_DESCRIPTION("VBUS test driver: ping");
MODULE_LICENSE("GPL");
