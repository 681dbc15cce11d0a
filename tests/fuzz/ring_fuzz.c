// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fuzzer is the peer of all four sides of the rings: it chooses what the ring
 * code is asked to do, and what is written to the shared memory before each
 * access of the ring code to it.
 *
 * Checked: no access out of bounds (the shared memory is an allocation of its
 * exact size), signal ids below the number of slots, positions that move as the
 * calls say and only forward, a queue that never overflows, private copies that
 * do not change.
 */

#include <stdbool.h>
#include <string.h>

#include <ring/evq.h>
#include <ring/ioq.h>

#include "fuzz.h"

#define CALLS_MAX	512

static uint8_t *shared;
static size_t shared_bytes;
/* Where the consumer's line is. */
static size_t line_at;
/* What the ring code knows and the peer wants to come close to. */
static u32 hint;

/* The peer writes to the shared memory, or not. */
static inline void ring_step(void)
{
	uint8_t op = next8();
	u32 at, v;

	if (op < 128)
		return;
	at = next8() | (u32)next8() << 8;
	switch (op & 7) {
	case 0:
	case 1:
		/* a position near that of the ring code */
		v = hint + (int8_t)next8();
		break;
	case 2:
		v = next32();
		break;
	case 3:
		v = 0x80000000u | next8();
		break;
	case 4:
		v = 0x8000u << 16 | (u32)next8() << 8;
		break;
	case 5:
		v = 0;
		break;
	default:
		v = 0xffffffffu;
		break;
	}
	/* Few words matter most: @cons and @arm, or @event. */
	at = op & 8 ? line_at + (at & 1) * 4 : at % (shared_bytes / 4) * 4;
	memcpy(shared + at, &v, sizeof(v));
}

static void shared_alloc(size_t bytes, size_t line)
{
	line_at = line;
	shared = aligned_alloc(64, bytes);
	CHECK(shared);
	memset(shared, 0, bytes);
	shared_bytes = bytes;
}

/* Somewhere in the first lap, in the middle, or before the wrap. */
static u64 start_pos(void)
{
	switch (next8() % 4) {
	case 0:
		return 0;
	case 1:
		return next8();
	case 2:
		return (1ull << 31) - next8();
	default:
		return (1ull << 32) - next8();
	}
}

static void fuzz_evq_prod(void)
{
	u32 slots = VBUS_EVQ_SLOTS_MIN << next8() % 2, i, sig, lies;
	struct vbus_evq_prod p;
	enum vbus_evq_push res;
	u64 cons, pos, *last;

	shared_alloc(VBUS_EVQ_BYTES(slots), offsetof(struct vbus_evq, cons));
	last = calloc(slots, sizeof(*last));
	CHECK(last);
	vbus_evq_prod_init(&p, (struct vbus_evq *)shared, slots, last);
	p.pos = start_pos();
	p.cons = p.pos;
	for (i = 0; i < CALLS_MAX && input_left; i++) {
		pos = p.pos;
		cons = p.cons;
		lies = p.lies;
		hint = (u32)pos;
		sig = next8() % slots;
		if (next8() % 8) {
			res = vbus_evq_push(&p, sig);
			CHECK(res != VBUS_EVQ_FULL);
			CHECK(p.pos == pos + (res != VBUS_EVQ_COALESCED));
			if (res != VBUS_EVQ_COALESCED)
				CHECK(last[sig] == p.pos);
		} else {
			CHECK(vbus_evq_unconsumed(&p) == (p.pos != p.cons));
			CHECK(p.pos == pos);
		}
		CHECK(p.cons >= cons && p.cons <= p.pos && p.pos - p.cons <= slots);
		CHECK(p.lies - lies <= 1);
	}
	free(last);
}

static void fuzz_evq_cons(void)
{
	u32 slots = VBUS_EVQ_SLOTS_MIN << next8() % 2, i, j, n, max, pos;
	struct vbus_evq_cons c;
	u16 *sig;

	shared_alloc(VBUS_EVQ_BYTES(slots), offsetof(struct vbus_evq, cons));
	vbus_evq_cons_init(&c, (struct vbus_evq *)shared, slots);
	c.pos = (u32)start_pos();
	for (i = 0; i < CALLS_MAX && input_left; i++) {
		pos = c.pos;
		hint = vbus_evq_phase(pos, slots);
		max = next8() % 32;
		if (next8() % 4 == 0) {
			vbus_evq_arm(&c);
			vbus_evq_ready(&c);
			CHECK(c.pos == pos);
			continue;
		}
		/* exactly as long as it is said to be */
		sig = malloc(max ? max * sizeof(*sig) : 1);
		CHECK(sig);
		n = vbus_evq_take(&c, sig, max);
		CHECK(n <= max);
		CHECK(c.pos == pos + n);
		for (j = 0; j < n; j++)
			CHECK(sig[j] < slots);
		free(sig);
	}
}

static void fuzz_ioq_prod(void)
{
	u32 size = 1u << (VBUS_IOQ_LOG2_MIN + next8() % 2), i, n, pos;
	struct vbus_ioq_desc d;
	struct vbus_ioq_prod p;

	shared_alloc(16 * size + 64, 16 * size);
	vbus_ioq_prod_init(&p, (struct vbus_desc *)shared,
			   (struct vbus_ioq_line *)(shared + line_at), size);
	p.pos = (u32)start_pos();
	p.next = p.pos;
	for (i = 0; i < CALLS_MAX && input_left; i++) {
		pos = p.pos;
		hint = pos;
		n = next8() % (size + 1);
		while (p.next - pos < n) {
			CHECK(vbus_ioq_put_index(&p) < size);
			d = (struct vbus_ioq_desc){ .addr = i, .len = n, .flags = next8() };
			vbus_ioq_put(&p, &d);
		}
		if (next8() % 4 == 0) {
			vbus_ioq_cancel(&p);
			n = 0;
		}
		if (vbus_ioq_publish(&p))
			CHECK(n);
		CHECK(p.pos == pos + n && p.next == p.pos);
	}
}

static void fuzz_ioq_cons(void)
{
	u32 size = 1u << (VBUS_IOQ_LOG2_MIN + next8() % 2), i, ahead, pos;
	struct vbus_ioq_cons c;
	struct vbus_ioq_desc d, copy;

	shared_alloc(64 + 16 * size, 0);
	vbus_ioq_cons_init(&c, (struct vbus_desc *)(shared + 64),
			   (struct vbus_ioq_line *)shared, size);
	c.pos = (u32)start_pos();
	for (i = 0; i < CALLS_MAX && input_left; i++) {
		pos = c.pos;
		hint = (u32)vbus_ioq_phase(pos, size) << 16;
		ahead = next8() % size;
		CHECK(vbus_ioq_peek_index(&c, ahead) < size);
		switch (next8() % 4) {
		case 0:
			vbus_ioq_arm(&c, ahead);
			break;
		case 1:
			vbus_ioq_disarm(&c);
			break;
		default:
			if (!vbus_ioq_peek(&c, ahead, &d))
				break;
			CHECK(!(d.flags & VBUS_DESC_F_PHASE));
			copy = d;
			ring_step();
			CHECK(copy.addr == d.addr && copy.len == d.len && copy.id == d.id &&
			      copy.flags == d.flags);
			vbus_ioq_advance(&c, ahead + 1);
			pos += ahead + 1;
			break;
		}
		CHECK(c.pos == pos);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input = data;
	input_left = size;
	hint = 0;
	switch (next8() % 4) {
	case 0:
		fuzz_evq_prod();
		break;
	case 1:
		fuzz_evq_cons();
		break;
	case 2:
		fuzz_ioq_prod();
		break;
	default:
		fuzz_ioq_cons();
		break;
	}
	free(shared);
	shared = NULL;
	return 0;
}
