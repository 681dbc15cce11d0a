// SPDX-License-Identifier: GPL-2.0-only
/* The delays of hook.h, for the test builds of all modules.  Never shipped. */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include "ping.h"

/* Any context, interrupts off included: short, but long enough for the peer. */
void vbus_test_step(u32 random)
{
	u32 r = (random ^ (u32)get_cycles()) * 0x9e3779b1u;

	switch (r & 31) {
	case 0:
		udelay(10 + (r >> 16 & 31));
		break;
	case 1:
	case 2:
		if (preemptible() && !rcu_preempt_depth()) {
			cond_resched();
			break;
		}
		fallthrough;
	default:
		ndelay(r >> 16 & 1023);
	}
}
EXPORT_SYMBOL_GPL(vbus_test_step);

MODULE_DESCRIPTION("VBUS test: delays at the steps of the protocols");
MODULE_LICENSE("GPL");
