/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-3-Clause */
/* Port of the ring code to the Linux kernel, host and guest.  See port.h. */
#ifndef VBUS_RING_PORT_KERNEL_H
#define VBUS_RING_PORT_KERNEL_H

#include <linux/compiler.h>
#include <linux/types.h>
#include <asm/barrier.h>
#include <asm/byteorder.h>

/* virt_*: the peer runs on another CPU even if this kernel has only one */
#define ring_mb()	virt_mb()
#define ring_likely(x)	likely(x)
#define ring_unlikely(x) unlikely(x)

static inline u32 ring_load32(const __le32 *p)
{
	return le32_to_cpu(READ_ONCE(*p));
}

static inline u32 ring_load32_acquire(const __le32 *p)
{
	return le32_to_cpu(virt_load_acquire(p));
}

static inline void ring_store32(__le32 *p, u32 v)
{
	WRITE_ONCE(*p, cpu_to_le32(v));
}

static inline void ring_store32_release(__le32 *p, u32 v)
{
	virt_store_release(p, cpu_to_le32(v));
}

static inline u16 ring_load16(const __le16 *p)
{
	return le16_to_cpu(READ_ONCE(*p));
}

static inline u16 ring_load16_acquire(const __le16 *p)
{
	return le16_to_cpu(virt_load_acquire(p));
}

static inline void ring_store16(__le16 *p, u16 v)
{
	WRITE_ONCE(*p, cpu_to_le16(v));
}

static inline void ring_store16_release(__le16 *p, u16 v)
{
	virt_store_release(p, cpu_to_le16(v));
}

static inline u64 ring_load64(const __le64 *p)
{
	return le64_to_cpu(READ_ONCE(*p));
}

static inline void ring_store64(__le64 *p, u64 v)
{
	WRITE_ONCE(*p, cpu_to_le64(v));
}

#endif /* VBUS_RING_PORT_KERNEL_H */
