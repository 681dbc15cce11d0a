/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Port of the ring code to tests: port_user.h, with a call of ring_step() around
 * every access to shared memory.  There a test delays a thread, or plays a peer
 * that changes the memory under the ring code.  Who wants to know what is accessed
 * defines ring_touch().  Given to the compiler by -include
 * before the ring code, whose own #include of port_user.h is void then.
 */
#ifndef VBUS_TESTS_PORT_HOOK_H
#define VBUS_TESTS_PORT_HOOK_H

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
#include <ring/port_user.h>
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

/* What ./mutant leaves of a full barrier: the compiler still keeps the order. */
#define ring_no_mb()	__asm__ volatile("" ::: "memory")

/* Defined by the test. */
static inline void ring_step(void);
#ifdef RING_TOUCH
static inline void ring_touch(const volatile void *p);
#else
#define ring_touch(p)	((void)0)
#endif

#define HOOK_LOAD(name, word, be)				\
static inline word name(const be *p)				\
{								\
	ring_touch(p);						\
	ring_step();						\
	return plain_##name(p);					\
}

#define HOOK_STORE(name, word, be)				\
static inline void name(be *p, word v)				\
{								\
	ring_touch(p);						\
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

#endif /* VBUS_TESTS_PORT_HOOK_H */
