/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Port of the ring code to a test build of the modules: port_kernel.h, with a
 * delay now and then around every access to shared memory, that is, at each step
 * of the protocols.  ./build puts it in the place of port_kernel.h, which it
 * renames.  The kernel's counterpart of tests/ring/port_hook.h; never shipped.
 */
#ifndef VBUS_TESTS_HOOK_H
#define VBUS_TESTS_HOOK_H

#define ring_load16	plain_ring_load16
#define ring_load16_acquire	plain_ring_load16_acquire
#define ring_load32	plain_ring_load32
#define ring_load32_acquire	plain_ring_load32_acquire
#define ring_load64	plain_ring_load64
#define ring_store16	plain_ring_store16
#define ring_store16_release	plain_ring_store16_release
#define ring_store32	plain_ring_store32
#define ring_store32_release	plain_ring_store32_release
#define ring_store64	plain_ring_store64
#include "port_plain.h"
#undef ring_load16
#undef ring_load16_acquire
#undef ring_load32
#undef ring_load32_acquire
#undef ring_load64
#undef ring_store16
#undef ring_store16_release
#undef ring_store32
#undef ring_store32_release
#undef ring_store64

/* hook.c */
void vbus_test_step(u32 random);

#define RING_STEP_SHIFT	26	/* one step in 2^(32 - that) is delayed */

static inline void ring_step(void)
{
	/* a race for it only makes it more random */
	static u32 seed;
	u32 r = READ_ONCE(seed) * 1664525u + 1013904223u;

	WRITE_ONCE(seed, r);
	if (unlikely(!(r >> RING_STEP_SHIFT)))
		vbus_test_step(r);
}

#define HOOK_LOAD(name, word, be)				\
static inline word name(const be *p)				\
{								\
	ring_step();						\
	return plain_##name(p);					\
}

#define HOOK_STORE(name, word, be)				\
static inline void name(be *p, word v)				\
{								\
	ring_step();						\
	plain_##name(p, v);					\
	ring_step();						\
}

HOOK_LOAD(ring_load16, u16, __le16)
HOOK_LOAD(ring_load16_acquire, u16, __le16)
HOOK_LOAD(ring_load32, u32, __le32)
HOOK_LOAD(ring_load32_acquire, u32, __le32)
HOOK_LOAD(ring_load64, u64, __le64)
HOOK_STORE(ring_store16, u16, __le16)
HOOK_STORE(ring_store16_release, u16, __le16)
HOOK_STORE(ring_store32, u32, __le32)
HOOK_STORE(ring_store32_release, u32, __le32)
HOOK_STORE(ring_store64, u64, __le64)

#endif /* VBUS_TESTS_HOOK_H */
