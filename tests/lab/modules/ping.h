/* SPDX-License-Identifier: GPL-2.0-only */
/* What the test modules share.  See ping_host.c, ping_guest.c and hook.h. */
#ifndef VBUS_TESTS_PING_H
#define VBUS_TESTS_PING_H

void vbus_test_step(u32 random);	/* hook.c */

#define PING_TYPE	"test-ping"
#define PING_QUEUES	62u	/* queues of the device */
#define PING_LOG2	5u	/* descriptors of a ring */

/* What the answer to a ping carries. */
static inline u64 ping_answer(u64 ping)
{
	return ~ping * 0x9e3779b97f4a7c15ull;
}

#endif /* VBUS_TESTS_PING_H */
