/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * What ring code needs of the world it is compiled into.
 *
 * ring_load32(), ring_load32_acquire()    read a shared little-endian word once
 * ring_store32(), ring_store32_release()  write one
 * ring_load16(), ring_load16_acquire(), ring_store16(), ring_store16_release()
 * ring_load64(), ring_store64()           likewise for 16 and 64 bits
 * ring_mb()                               full barrier against another CPU,
 *                                         also in a kernel built for one CPU
 * ring_likely(), ring_unlikely()          branch hints
 */
#ifndef VBUS_RING_PORT_H
#define VBUS_RING_PORT_H

#ifdef __KERNEL__
#include "port_kernel.h"
#else
#include "port_user.h"
#endif

#endif /* VBUS_RING_PORT_H */
