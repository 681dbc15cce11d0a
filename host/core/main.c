// SPDX-License-Identifier: GPL-2.0-only
/* VBUS host core: module init and exit, ABI layout checks. */
#define pr_fmt(fmt) "vbus: " fmt

#include <linux/module.h>

#include "core.h"
#include <vbus/venet.h>

static_assert(sizeof(struct vbus_evq) == 128);
static_assert(offsetof(struct vbus_evq, cons) == 64);
static_assert(offsetof(struct vbus_evq, arm) == 68);
static_assert(offsetof(struct vbus_evq, active) == 72);
static_assert(offsetof(struct vbus_evq, awake) == 76);
static_assert(offsetof(struct vbus_evq, slot) == 128);
static_assert(sizeof(struct vbus_desc) == 16);
static_assert(offsetof(struct vbus_desc, flags) == 14);
static_assert(sizeof(struct vbus_ioq_line) == 64);
static_assert(sizeof(struct vbus_req) == 8);
static_assert(sizeof(struct vbus_rsp) == 8);
static_assert(sizeof(struct vbus_lane_desc) == 32);
static_assert(offsetof(struct vbus_lane_desc, priority) == 20);
static_assert(sizeof(struct vbus_active) == 64);
static_assert(offsetof(struct vbus_bus_page, active) == 16);
static_assert(offsetof(struct vbus_bus_page, lane) == 64);
static_assert(sizeof(struct vbus_bus_page) <= 4096);
static_assert(sizeof(struct vbus_hello_req) == 32);
static_assert(sizeof(struct vbus_hello_rsp) == 32);
static_assert(sizeof(struct vbus_list_rsp) == 64);
static_assert(sizeof(struct vbus_call_req) == 16);
static_assert(sizeof(struct vbus_shm_req) == 32);
static_assert(sizeof(struct vbus_virtio_config) == 16);
static_assert(sizeof(struct venet_info) == 32);
static_assert(offsetof(struct venet_info, priority) == 30);
static_assert(sizeof(struct venet_start) == 16);
static_assert(sizeof(struct venet_mac) == 8);
static_assert(sizeof(struct venet_coalesce) == 16);

static int __init vbus_init(void)
{
	int err;

	vbus_debugfs_init();
	err = vbus_configfs_init();
	if (err)
		vbus_debugfs_exit();
	return err;
}
module_init(vbus_init);

static void __exit vbus_exit(void)
{
	vbus_configfs_exit();
	vbus_debugfs_exit();
}
module_exit(vbus_exit);

MODULE_DESCRIPTION("VBUS host core: buses, devices and lanes");
MODULE_LICENSE("GPL");
