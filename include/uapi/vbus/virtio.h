/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * virtio connector: a bus as a virtio device.
 *
 * Stock QEMU shows only nine virtio ids for a generic vDPA device, so a bus
 * carries the id of virtio-fs with an empty tag, which the virtio-fs driver
 * declines before it touches a queue, and identifies itself by what stands at
 * VBUS_VIRTIO_CONFIG in the configuration space.  A driver must decline a
 * device without the magic.
 *
 * Queue 0 is the control channel: one buffer with a request (device-readable)
 * followed by room for its response (device-writable, VBUS_CTL_RSP_MAX bytes
 * suffice), split ring.
 * Queue 1 + i belongs to lane i.  Its notification is the lane's doorbell.  To
 * receive interrupts the driver makes one device-writable buffer of at least
 * four bytes available before it sends HELLO, and never reaps it: the host
 * completes it once, without touching its content, and from then on every
 * interrupt of the queue finds it used.
 *
 * A doorbell carries no data.  The device ignores doorbells until DRIVER_OK,
 * and the driver must tolerate interrupts that have no cause.
 */
#ifndef _UAPI_VBUS_VIRTIO_H
#define _UAPI_VBUS_VIRTIO_H

#include <linux/types.h>

#define VBUS_VIRTIO_ID		26u	/* VIRTIO_ID_FS */
#define VBUS_VIRTIO_CONFIG	48u	/* offset of struct vbus_virtio_config */
#define VBUS_VIRTIO_CONFIG_SIZE	64u	/* size of the whole configuration space */
#define VBUS_CTL_RSP_MAX	512u	/* no response is longer, bytes */

/**
 * struct vbus_virtio_config - identity of a bus in the configuration space
 * @magic:	VBUS_BUS_MAGIC
 * @version:	highest ABI version of the host
 * @lanes:	lanes on offer, one queue each after the control queue
 * @priorities:	how many different priorities they have; 0 or 1: all are alike.
 *		If there are several the driver should use all lanes, if not it
 *		needs no more than it has CPUs
 */
struct vbus_virtio_config {
	__le32 magic;
	__le32 version;
	__le32 lanes;
	__le32 priorities;
};

#endif /* _UAPI_VBUS_VIRTIO_H */
