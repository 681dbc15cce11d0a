// SPDX-License-Identifier: GPL-2.0-only
/*
 * One control call of a device, as its driver would never make it.  Never
 * shipped.
 *
 *	insmod vbus_call.ko nic=IFNAME func=N req=HEX
 *
 * calls the device behind a guest's interface of the caller's network namespace.
 * The module never stays: insmod fails with what the call returned, or with
 * EEXIST if that was no error.
 */
#include <linux/hex.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/rtnetlink.h>
#include <vbus/bus.h>
#include "vbus_guest.h"

static char *nic = "";
module_param(nic, charp, 0);
MODULE_PARM_DESC(nic, "interface of the guest's end");

static uint func;
module_param(func, uint, 0);
MODULE_PARM_DESC(func, "function");

static char *req = "";
module_param(req, charp, 0);
MODULE_PARM_DESC(req, "request in hexadecimal digits");

static int __init call_init(void)
{
	u8 data[VBUS_CALL_MAX], rsp[VBUS_CALL_MAX];
	size_t len = strlen(req) / 2;
	struct net_device *dev;
	int ret = -ENODEV;

	if (len > sizeof(data) || hex2bin(data, req, len))
		return -E2BIG;
	rtnl_lock();
	dev = __dev_get_by_name(current->nsproxy->net_ns, nic);
	if (dev && dev->dev.parent)
		ret = vbus_guest_call(to_vbus_device(dev->dev.parent), func,
				      data, len, rsp, sizeof(rsp));
	rtnl_unlock();
	return ret < 0 ? ret : -EEXIST;
}
module_init(call_init);

MODULE_DESCRIPTION("VBUS test: a control call");
MODULE_LICENSE("GPL");
