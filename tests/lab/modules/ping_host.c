// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test device class "ping": answers what a guest submits, for the test that no
 * wakeup is ever lost (tests/lab/l1/wakeup.sh).  Never shipped.
 *
 * A queue's submission carries a number, its completion what ping_answer() makes
 * of it.  Most queues are answered by the owner of their lane; every fourth one
 * by a thread of the device, as when a sender of the host fills a guest's receive
 * ring, so that signals are pushed from elsewhere too.
 *
 * Locking: ping_queue.lock protects the completion ring and what is owed.
 */
#define pr_fmt(fmt) "vbus_ping_host: " fmt

#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "vbus_host.h"
#include "ping.h"

static unsigned int bulk_one_in;
module_param(bulk_one_in, uint, 0644);
MODULE_PARM_DESC(bulk_one_in, "one ping in that many counts as bulk data; 0: none");

struct ping_queue {
	spinlock_t lock;
	struct vbus_queue *q;
	bool defer;
	u32 owed;
	u64 ping[1 << PING_LOG2];
	u64 count;
};

struct ping_host {
	struct vbus_device dev;
	struct task_struct *thread;
	DECLARE_BITMAP(pending, PING_QUEUES);
	struct ping_queue queue[PING_QUEUES];
};

static struct ping_host *to_ping(struct vbus_device *dev)
{
	return container_of(dev, struct ping_host, dev);
}

static void ping_put(struct vbus_queue *q, u64 ping)
{
	struct vbus_ioq_desc d = { .addr = ping_answer(ping) };

	vbus_ioq_put(&q->comp, &d);
}

static void ping_publish(struct vbus_queue *q)
{
	if (vbus_ioq_publish(&q->comp))
		vbus_queue_signal(q);
}

/* By the device's thread. */
static void ping_pay(struct ping_queue *pq)
{
	u32 i;

	spin_lock_bh(&pq->lock);
	if (pq->q && READ_ONCE(pq->q->live)) {
		for (i = 0; i < pq->owed; i++)
			ping_put(pq->q, pq->ping[i]);
		pq->owed = 0;
		ping_publish(pq->q);
	}
	spin_unlock_bh(&pq->lock);
}

static int ping_thread(void *arg)
{
	struct ping_host *ping = arg;
	unsigned long i;

	while (!kthread_should_stop()) {
		for_each_set_bit(i, ping->pending, PING_QUEUES) {
			if (!test_and_clear_bit(i, ping->pending))
				continue;
			ping_pay(&ping->queue[i]);
			cond_resched();
		}
		set_current_state(TASK_INTERRUPTIBLE);
		if (bitmap_empty(ping->pending, PING_QUEUES) &&
		    !kthread_should_stop())
			schedule();
		__set_current_state(TASK_RUNNING);
	}
	return 0;
}

static bool ping_take(struct ping_queue *pq, struct vbus_queue *q)
{
	u32 one_in = READ_ONCE(bulk_one_in);
	struct vbus_ioq_desc d;

	if (!vbus_ioq_peek(&q->sub, 0, &d))
		return false;
	vbus_ioq_advance(&q->sub, 1);
	if (one_in && !(++pq->count % one_in))
		vbus_lane_note_bulk(q->lane, U32_MAX);
	if (!pq->defer)
		ping_put(q, d.addr);
	else if (pq->owed < ARRAY_SIZE(pq->ping))
		pq->ping[pq->owed++] = d.addr;
	return true;
}

static int ping_service(struct vbus_queue *q, int budget)
{
	struct ping_host *ping = to_ping(q->dev);
	struct ping_queue *pq = q->priv;
	int done = 0;

	spin_lock(&pq->lock);
	while (done < budget && ping_take(pq, q))
		done++;
	if (!pq->defer)
		ping_publish(q);
	spin_unlock(&pq->lock);
	if (done && pq->defer) {
		set_bit(pq - ping->queue, ping->pending);
		wake_up_process(ping->thread);
	}
	if (done < budget && !vbus_ioq_arm(&q->sub, 0))
		return budget;
	return done;
}

static const struct vbus_queue_ops ping_queue_ops = {
	.service = ping_service,
};

static struct vbus_device *ping_alloc(const char *name)
{
	struct ping_host *ping = kzalloc(sizeof(*ping), GFP_KERNEL);
	u32 i;

	if (!ping)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < PING_QUEUES; i++) {
		spin_lock_init(&ping->queue[i].lock);
		ping->queue[i].defer = i % 4 == 3;
	}
	return &ping->dev;
}

static void ping_free(struct vbus_device *dev)
{
	kfree(to_ping(dev));
}

static int ping_enable(struct vbus_device *dev)
{
	struct ping_host *ping = to_ping(dev);

	ping->thread = kthread_run(ping_thread, ping, "vbus-ping");
	return PTR_ERR_OR_ZERO(ping->thread);
}

static void ping_disable(struct vbus_device *dev)
{
	kthread_stop(to_ping(dev)->thread);
}

static int ping_open(struct vbus_device *dev)
{
	return 0;
}

static void ping_close(struct vbus_device *dev)
{
}

static u32 ping_call(struct vbus_device *dev, u32 func, const void *in,
		     size_t inlen, void *out, size_t *outlen)
{
	*outlen = 0;
	return VBUS_ENOSYS;
}

static u32 ping_queue_add(struct vbus_device *dev, struct vbus_queue *q)
{
	struct ping_queue *pq = &to_ping(dev)->queue[q->shm];

	if (q->shm >= PING_QUEUES || q->log2 > PING_LOG2)
		return VBUS_EINVAL;
	q->ops = &ping_queue_ops;
	q->priv = pq;
	spin_lock_bh(&pq->lock);
	pq->q = q;
	pq->owed = 0;
	spin_unlock_bh(&pq->lock);
	return VBUS_OK;
}

static void ping_queue_remove(struct vbus_device *dev, struct vbus_queue *q)
{
	struct ping_queue *pq = q->priv;

	spin_lock_bh(&pq->lock);
	pq->q = NULL;
	spin_unlock_bh(&pq->lock);
}

static const struct vbus_class_ops ping_class = {
	.owner = THIS_MODULE,
	.name = "ping",
	.type = PING_TYPE,
	.alloc = ping_alloc,
	.free = ping_free,
	.enable = ping_enable,
	.disable = ping_disable,
	.open = ping_open,
	.close = ping_close,
	.call = ping_call,
	.queue_add = ping_queue_add,
	.queue_remove = ping_queue_remove,
};

static int __init ping_init(void)
{
	return vbus_class_register(&ping_class);
}
module_init(ping_init);

static void __exit ping_exit(void)
{
	vbus_class_unregister(&ping_class);
}
module_exit(ping_exit);

MODULE_DESCRIPTION("VBUS test device class: ping");
MODULE_LICENSE("GPL");
