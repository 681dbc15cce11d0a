/* SPDX-License-Identifier: GPL-2.0-only */
/* What fuzzers share: the input, taken piece by piece, and checks. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(cond) do {						\
	if (!(cond)) {							\
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
		abort();						\
	}								\
} while (0)

static const uint8_t *input;
static size_t input_left;

/* After the end of the input there are zeros. */
static inline uint8_t next8(void)
{
	if (!input_left)
		return 0;
	input_left--;
	return *input++;
}

static inline uint16_t next16(void)
{
	uint16_t v = next8();

	return v | (uint16_t)(next8() << 8);
}

static inline uint32_t next32(void)
{
	uint32_t v = next16();

	return v | (uint32_t)next16() << 16;
}

#endif /* FUZZ_H */
