/* SPDX-License-Identifier: GPL-2.0-only */
/* What the unit tests of the rings share. */
#ifndef VBUS_TESTS_UNIT_H
#define VBUS_TESTS_UNIT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

/* What the peer does at each step of the ring code, and how often it did. */
static void (*peer)(void);
static unsigned long steps;

static inline void ring_step(void)
{
	steps++;
	if (peer)
		peer();
}

/* xorshift: the same numbers in each run, so a failure repeats itself */
static uint64_t rnd_state = 0x9e3779b97f4a7c15;

static inline uint32_t rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return rnd_state >> 32;
}

/* Memory that ends where the sanitizer looks, so an overrun of one is seen. */
static inline void *zeroed(size_t bytes)
{
	void *mem = aligned_alloc(64, bytes);

	assert_non_null(mem);
	memset(mem, 0, bytes);
	return mem;
}

#endif /* VBUS_TESTS_UNIT_H */
