// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio connector, guest half: a bus behind a virtio device.  See
 * uapi/vbus/virtio.h for what the queues mean.
 *
 * The device carries the id of virtio-fs.  The stock driver may have tried it
 * before us, or get what we decline; either order works.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <vbus/virtio.h>
#include "vbus_guest.h"
#include "compat/guest.h"

#define VIRTIO_TIMEOUT	(10 * HZ)	/* for the host to answer a request */
#define VIRTIO_SLICE	(HZ / 4)	/* how often to look whether it is gone */
#define VIRTIO_RETRY_MS	10		/* how often to look for memory */
#define VIRTIO_REQ_MAX	(sizeof(struct vbus_call_req) + VBUS_CALL_MAX)
#define VIRTIO_QUEUES	(1 + VBUS_LANES_MAX)
#define VIRTIO_NAME	32

/**
 * struct vbus_virtio - a virtio device that is a bus
 * @vdev:	virtio device
 * @guest:	the bus
 * @nlanes:	lanes in use
 * @up:		queues exist
 * @failed:	the bus could not be brought back and stays detached
 * @reset_work:	the device asked to be reset
 * @vq:		queues: control, lanes
 * @name:	their names
 * @answered:	control queue's interrupt
 * @sticky:	a cache line per lane for the host to complete, never reaped
 * @req:	the request, shared with the host
 * @rsp:	the response, shared with the host
 *
 * @req and @rsp belong to the one who may call vbus_virtio_request(): the core
 * lets in one at a time.  After a timeout they are the host's until the device is reset.
 */
struct vbus_virtio {
	struct virtio_device *vdev;
	struct vbus_guest *guest;
	u32 nlanes;
	bool up;
	bool failed;
	struct work_struct reset_work;
	struct virtqueue *vq[VIRTIO_QUEUES];
	char name[VIRTIO_QUEUES][VIRTIO_NAME];
	struct completion answered;
	u8 *sticky;
	void *req;
	void *rsp;
};

static void vbus_virtio_control_done(struct virtqueue *vq)
{
	struct vbus_virtio *vv = vq->vdev->priv;

	complete(&vv->answered);
}

static void vbus_virtio_lane_interrupt(struct virtqueue *vq)
{
	struct vbus_virtio *vv = vq->vdev->priv;

	/*
	 * The queue's one buffer is used and never reaped, so that each
	 * interrupt gets here.
	 */
	vbus_guest_interrupt(vv->guest, vq->index - 1);
}

static int vbus_virtio_request(struct vbus_guest *guest, const void *req,
			       u32 reqlen, void *rsp, u32 rsplen)
{
	struct vbus_virtio *vv = guest->priv;
	struct virtqueue *vq = vv->vq[0];
	unsigned long end = jiffies + VIRTIO_TIMEOUT;
	struct scatterlist out, in, *sgs[] = { &out, &in };
	u32 len;
	int err;

	if (!vv->up || virtqueue_is_broken(vq))
		return -EIO;
	if (reqlen > VIRTIO_REQ_MAX || rsplen > VBUS_CTL_RSP_MAX)
		return -EINVAL;
	memcpy(vv->req, req, reqlen);
	sg_init_one(&out, vv->req, reqlen);
	sg_init_one(&in, vv->rsp, VBUS_CTL_RSP_MAX);
	reinit_completion(&vv->answered);
	/*
	 * All bounce buffers may be in use for a moment.  The bus need not be given up
	 * for that: the host has not seen anything yet.
	 */
	while ((err = virtqueue_add_sgs(vq, sgs, 1, 1, vv, GFP_KERNEL)) == -ENOMEM &&
	       time_before(jiffies, end))
		msleep(VIRTIO_RETRY_MS);
	if (err)
		return err;
	if (!virtqueue_kick(vq))
		return -EIO;
	end = jiffies + VIRTIO_TIMEOUT;

	/* an interrupt proves nothing, the used ring does */
	while (!virtqueue_get_buf(vq, &len)) {
		if (virtqueue_is_broken(vq))
			return -EIO;
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		wait_for_completion_timeout(&vv->answered, VIRTIO_SLICE);
	}
	len = min3(len, rsplen, VBUS_CTL_RSP_MAX);
	memcpy(rsp, vv->rsp, len);
	return len;
}

static void vbus_virtio_doorbell(struct vbus_guest *guest, u32 lane)
{
	struct vbus_virtio *vv = guest->priv;

	virtqueue_notify(vv->vq[1 + lane]);
}

/* Transports without affinity refuse it. */
static void vbus_virtio_aim(struct vbus_guest *guest, u32 lane,
			    unsigned int cpu)
{
	struct vbus_virtio *vv = guest->priv;

	virtqueue_set_affinity(vv->vq[1 + lane], cpumask_of(cpu));
}

static void vbus_virtio_reset(struct vbus_guest *guest)
{
	struct vbus_virtio *vv = guest->priv;

	virtio_break_device(vv->vdev);	/* no more doorbells */
	virtio_reset_device(vv->vdev);
}

static const struct vbus_transport_ops vbus_virtio_ops = {
	.request = vbus_virtio_request,
	.doorbell = vbus_virtio_doorbell,
	.aim = vbus_virtio_aim,
	.reset = vbus_virtio_reset,
};

/* The host lets go of everything.  No request is under way. */
static void vbus_virtio_down(struct vbus_virtio *vv)
{
	u32 i;

	virtio_reset_device(vv->vdev);
	if (!vv->up)
		return;
	vv->up = false;
	for (i = 0; i <= vv->nlanes; i++) {
		if (i)
			virtqueue_set_affinity(vv->vq[i], NULL);
		/* the lanes' buffers, and a request that was never answered */
		while (virtqueue_detach_unused_buf(vv->vq[i]))
			;
	}
	vv->vdev->config->del_vqs(vv->vdev);
}

/* Make the queues, give each lane its buffer, and start the device. */
static int vbus_virtio_up(struct vbus_virtio *vv)
{
	struct virtqueue_info info[VIRTIO_QUEUES] = {};
	struct scatterlist sg;
	u32 i;
	int err;

	for (i = 0; i <= vv->nlanes; i++) {
		info[i].name = vv->name[i];
		info[i].callback = i ? vbus_virtio_lane_interrupt :
				       vbus_virtio_control_done;
	}
	err = vbus_compat_find_vqs(vv->vdev, 1 + vv->nlanes, vv->vq, info);
	if (err)
		return err;
	vv->up = true;
	for (i = 0; i < vv->nlanes; i++) {
		sg_init_one(&sg, vv->sticky + i * L1_CACHE_BYTES,
			    sizeof(__le32));
		err = virtqueue_add_inbuf(vv->vq[1 + i], &sg, 1, vv, GFP_KERNEL);
		if (err)
			goto down;
	}
	/* the host heeds queue 0 from now on, and may interrupt */
	virtio_device_ready(vv->vdev);
	return 0;

down:
	vbus_virtio_down(vv);
	return err;
}

/* Start over as after a reset of the device. */
static int vbus_virtio_replay(struct virtio_device *vdev)
{
	int err;

	virtio_reset_device(vdev);
	virtio_add_status(vdev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	virtio_add_status(vdev, VIRTIO_CONFIG_S_DRIVER);
	err = vdev->config->finalize_features(vdev);
	if (err)
		return err;
	virtio_add_status(vdev, VIRTIO_CONFIG_S_FEATURES_OK);
	if (!(vdev->config->get_status(vdev) & VIRTIO_CONFIG_S_FEATURES_OK))
		return -ENODEV;
	return 0;
}

static void vbus_virtio_reset_work(struct work_struct *work)
{
	struct vbus_virtio *vv =
		container_of(work, struct vbus_virtio, reset_work);
	struct virtio_device *vdev = vv->vdev;
	int err;

	if (vv->failed || !(vdev->config->get_status(vdev) &
			    VIRTIO_CONFIG_S_NEEDS_RESET))
		return;
	dev_info_ratelimited(&vdev->dev, "the host asks for a reset\n");
	vbus_guest_detach(vv->guest, true);
	vbus_virtio_down(vv);
	err = vbus_virtio_replay(vdev);
	if (!err)
		err = vbus_virtio_up(vv);
	if (!err)
		err = vbus_guest_attach(vv->guest);
	if (err) {
		/* leaves nothing that could ask again: no unbounded retries */
		vv->failed = true;
		dev_err(&vdev->dev, "cannot attach again: %d\n", err);
	}
}

static void vbus_virtio_config_changed(struct virtio_device *vdev)
{
	struct vbus_virtio *vv = vdev->priv;

	schedule_work(&vv->reset_work);
}

/* One word of struct vbus_virtio_config: transports read no more at once. */
static u32 vbus_virtio_config_word(struct virtio_device *vdev, u32 offset)
{
	__le32 word = 0;

	vdev->config->get(vdev, VBUS_VIRTIO_CONFIG + offset, &word,
			  sizeof(word));
	return le32_to_cpu(word);
}

#define vbus_virtio_config_get(vdev, field) \
	vbus_virtio_config_word(vdev, offsetof(struct vbus_virtio_config, field))

static int vbus_virtio_validate(struct virtio_device *vdev)
{
	if (!vdev->config->get ||
	    vbus_virtio_config_get(vdev, magic) != VBUS_BUS_MAGIC)
		return -ENODEV;
	/* the buffer that is never reaped is a trick of the split ring */
	__virtio_clear_bit(vdev, VIRTIO_F_RING_PACKED);
	return 0;
}

/*
 * How many of the lanes on offer to use.  Lanes of one priority are for as many
 * CPUs: no two CPUs share an interrupt or a doorbell, and there is none that no
 * CPU would serve.  With several priorities all of them are.
 */
static u32 vbus_virtio_lanes(struct virtio_device *vdev, u32 offered)
{
	u32 lanes = min(offered, VBUS_LANES_MAX);

	if (vbus_virtio_config_get(vdev, priorities) <= 1)
		lanes = min(lanes, num_online_cpus());
	return lanes;
}

static int vbus_virtio_probe(struct virtio_device *vdev)
{
	struct device *dma_dev = NULL;
	struct vbus_virtio *vv;
	u32 i, lanes;
	int err;

	lanes = vbus_virtio_config_get(vdev, lanes);
	if (!lanes || !vbus_virtio_config_get(vdev, version)) {
		dev_err(&vdev->dev, "a bus without lanes or version\n");
		return -EINVAL;
	}
	/* virtio-fs may have been here and left its mark */
	if (vdev->config->get_status(vdev) & VIRTIO_CONFIG_S_FAILED) {
		err = vbus_virtio_replay(vdev);
		if (err)
			return err;
	}
	if (virtio_has_feature(vdev, VIRTIO_F_ACCESS_PLATFORM))
		dma_dev = vdev->dev.parent;

	vv = kzalloc(sizeof(*vv), GFP_KERNEL);
	if (!vv)
		return -ENOMEM;
	vv->vdev = vdev;
	vv->nlanes = vbus_virtio_lanes(vdev, lanes);
	init_completion(&vv->answered);
	INIT_WORK(&vv->reset_work, vbus_virtio_reset_work);
	vdev->priv = vv;

	err = -ENOMEM;
	vv->sticky = kcalloc(vv->nlanes, L1_CACHE_BYTES, GFP_KERNEL);
	vv->req = kzalloc(VIRTIO_REQ_MAX, GFP_KERNEL);
	vv->rsp = kzalloc(VBUS_CTL_RSP_MAX, GFP_KERNEL);
	if (!vv->sticky || !vv->req || !vv->rsp)
		goto free_buffers;

	vv->guest = vbus_guest_alloc(&vdev->dev, &vbus_virtio_ops, vv, dma_dev,
				     vv->nlanes);
	if (IS_ERR(vv->guest)) {
		err = PTR_ERR(vv->guest);
		goto free_buffers;
	}
	snprintf(vv->name[0], VIRTIO_NAME, "vbus.%d-ctl", vv->guest->id);
	for (i = 0; i < vv->nlanes; i++)
		snprintf(vv->name[1 + i], VIRTIO_NAME, "vbus.%d-lane%u",
			 vv->guest->id, i);
	err = vbus_virtio_up(vv);
	if (err)
		goto free_guest;
	err = vbus_guest_register(vv->guest);
	if (err)
		goto down;
	return 0;

down:
	vbus_virtio_down(vv);
	cancel_work_sync(&vv->reset_work);
free_guest:
	vbus_guest_free(vv->guest);
free_buffers:
	kfree(vv->rsp);
	kfree(vv->req);
	kfree(vv->sticky);
	vdev->priv = NULL;
	kfree(vv);
	return err;
}

static void vbus_virtio_remove(struct virtio_device *vdev)
{
	struct vbus_virtio *vv = vdev->priv;

	/* the virtio core has disabled config_changed() */
	cancel_work_sync(&vv->reset_work);
	vbus_guest_unregister(vv->guest);
	vbus_virtio_down(vv);
	vbus_guest_free(vv->guest);
	kfree(vv->rsp);
	kfree(vv->req);
	kfree(vv->sticky);
	vdev->priv = NULL;
	kfree(vv);
}

#ifdef CONFIG_PM_SLEEP
static int vbus_virtio_freeze(struct virtio_device *vdev)
{
	struct vbus_virtio *vv = vdev->priv;

	cancel_work_sync(&vv->reset_work);
	if (!vv->failed)
		vbus_guest_detach(vv->guest, false);
	vbus_virtio_down(vv);
	return 0;
}

static int vbus_virtio_restore(struct virtio_device *vdev)
{
	struct vbus_virtio *vv = vdev->priv;
	int err;

	err = vbus_virtio_up(vv);
	if (!err)
		err = vbus_guest_attach(vv->guest);
	vv->failed = err;
	return err;
}
#endif

static const struct virtio_device_id vbus_virtio_ids[] = {
	{ VBUS_VIRTIO_ID, VIRTIO_DEV_ANY_ID },
	{ 0 },
};
MODULE_DEVICE_TABLE(virtio, vbus_virtio_ids);

static struct virtio_driver vbus_virtio_driver = {
	.driver.name = "vbus_virtio",
	.driver.owner = THIS_MODULE,
	.id_table = vbus_virtio_ids,
	.validate = vbus_virtio_validate,
	.probe = vbus_virtio_probe,
	.remove = vbus_virtio_remove,
	.config_changed = vbus_virtio_config_changed,
#ifdef CONFIG_PM_SLEEP
	.freeze = vbus_virtio_freeze,
	.restore = vbus_virtio_restore,
#endif
};
module_virtio_driver(vbus_virtio_driver);

MODULE_DESCRIPTION("VBUS guest: virtio connector");
MODULE_LICENSE("GPL");
