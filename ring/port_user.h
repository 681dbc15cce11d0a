/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * Port of the ring code to user space: C11 atomics of the compiler, which the
 * thread sanitizer understands (a bare fence it does not, so the full barrier is
 * a read-modify-write there).  See port.h.
 */
#ifndef VBUS_RING_PORT_USER_H
#define VBUS_RING_PORT_USER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the user-space port knows little-endian machines only"
#endif

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#if defined(__SANITIZE_THREAD__)
#define RING_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RING_TSAN 1
#endif
#endif

#ifdef RING_TSAN
static inline void ring_mb(void)
{
	static int fence;

	__atomic_fetch_add(&fence, 1, __ATOMIC_SEQ_CST);
}
#else
#define ring_mb()	__atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif
#define ring_likely(x)	__builtin_expect(!!(x), 1)
#define ring_unlikely(x) __builtin_expect(!!(x), 0)

static inline u32 ring_load32(const __le32 *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline u32 ring_load32_acquire(const __le32 *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void ring_store32(__le32 *p, u32 v)
{
	__atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static inline void ring_store32_release(__le32 *p, u32 v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline u16 ring_load16(const __le16 *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline u16 ring_load16_acquire(const __le16 *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void ring_store16(__le16 *p, u16 v)
{
	__atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static inline void ring_store16_release(__le16 *p, u16 v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline u64 ring_load64(const __le64 *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void ring_store64(__le64 *p, u64 v)
{
	__atomic_store_n(p, v, __ATOMIC_RELAXED);
}

#endif /* VBUS_RING_PORT_USER_H */
