// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of ring/ioq.h. */

#include "unit.h"
#include <ring/ioq.h>

#define LOG2	VBUS_IOQ_LOG2_MIN
#define SIZE	(1u << LOG2)

struct pair {
	struct vbus_desc *desc;
	struct vbus_ioq_line *line;
	struct vbus_ioq_prod prod;
	struct vbus_ioq_cons cons;
};

static struct pair t;

/* A ring on which @pos descriptors were produced and consumed already. */
static void start_at(u32 pos)
{
	u32 i;

	for (i = 1; i <= SIZE; i++)
		t.desc[(pos - i) % SIZE].flags = (pos - i) & SIZE ? 0 : VBUS_DESC_F_PHASE;
	t.prod.pos = pos;
	t.prod.next = pos;
	t.cons.pos = pos;
	t.line->event = pos - 1;
}

static int setup(void **state)
{
	(void)state;
	peer = NULL;
	t.desc = zeroed(SIZE * sizeof(*t.desc));
	t.line = zeroed(sizeof(*t.line));
	vbus_ioq_prod_init(&t.prod, t.desc, t.line, SIZE);
	vbus_ioq_cons_init(&t.cons, t.desc, t.line, SIZE);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	peer = NULL;
	free(t.desc);
	free(t.line);
	return 0;
}

static void put(u32 n, u16 flags)
{
	struct vbus_ioq_desc d = {
		.addr = 0x1122334400000000ull + n,
		.len = n,
		.id = (u16)n,
		.flags = flags,
	};

	vbus_ioq_put(&t.prod, &d);
}

static bool get_is(u32 n)
{
	struct vbus_ioq_desc d;

	if (!vbus_ioq_peek(&t.cons, 0, &d))
		return false;
	vbus_ioq_advance(&t.cons, 1);
	return d.addr == 0x1122334400000000ull + n && d.len == n && d.id == (u16)n;
}

static bool visible(void)
{
	struct vbus_ioq_desc d;
	bool ready = vbus_ioq_ready(&t.cons);

	assert_int_equal(vbus_ioq_peek(&t.cons, 0, &d), ready);
	return ready;
}

static void layout_is_what_the_abi_says(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct vbus_desc), 16);
	assert_int_equal(offsetof(struct vbus_desc, addr), 0);
	assert_int_equal(offsetof(struct vbus_desc, len), 8);
	assert_int_equal(offsetof(struct vbus_desc, id), 12);
	assert_int_equal(offsetof(struct vbus_desc, flags), 14);
	assert_int_equal(sizeof(struct vbus_ioq_line), 64);
	assert_int_equal(VBUS_IOQ_COMP_DESC(4), 128 + 256);
	assert_int_equal(VBUS_IOQ_INLINE(4), 128 + 512);
	assert_int_equal(VBUS_IOQ_BYTES(4, 64), 128 + 512 + 1024);
}

static void sizes_that_are_not_allowed(void **state)
{
	(void)state;
	assert_false(vbus_ioq_log2_valid(VBUS_IOQ_LOG2_MIN - 1));
	assert_false(vbus_ioq_log2_valid(VBUS_IOQ_LOG2_MAX + 1));
	assert_false(vbus_ioq_log2_valid(0xffffffffu));
	assert_true(vbus_ioq_log2_valid(VBUS_IOQ_LOG2_MIN));
	assert_true(vbus_ioq_log2_valid(VBUS_IOQ_LOG2_MAX));
	assert_true(vbus_ioq_inline_valid(0));
	assert_true(vbus_ioq_inline_valid(64));
	assert_true(vbus_ioq_inline_valid(VBUS_IOQ_INLINE_MAX));
	assert_false(vbus_ioq_inline_valid(32));
	assert_false(vbus_ioq_inline_valid(VBUS_IOQ_INLINE_MAX + 64));
}

static void zeroed_memory_has_no_descriptor(void **state)
{
	(void)state;
	assert_false(visible());
}

static void zeroed_memory_is_armed(void **state)
{
	(void)state;
	put(1, 0);
	assert_true(vbus_ioq_publish(&t.prod));
}

static void every_field_arrives(void **state)
{
	struct vbus_ioq_desc d = {
		.addr = 0xfedcba9876543210ull,
		.len = 0xffffffffu,
		.id = 0xffff,
		.flags = VBUS_DESC_F_INLINE | VBUS_DESC_F_META | VBUS_DESC_F_BATCH,
	}, got;

	(void)state;
	vbus_ioq_put(&t.prod, &d);
	vbus_ioq_publish(&t.prod);
	assert_true(vbus_ioq_peek(&t.cons, 0, &got));
	assert_true(got.addr == d.addr);
	assert_int_equal(got.len, d.len);
	assert_int_equal(got.id, d.id);
	assert_int_equal(got.flags, d.flags);
}

static void phase_is_not_shown_to_the_consumer(void **state)
{
	struct vbus_ioq_desc d;
	u32 i;

	(void)state;
	for (i = 0; i < 3 * SIZE; i++) {
		put(i, 0);
		vbus_ioq_publish(&t.prod);
		assert_true(vbus_ioq_peek(&t.cons, 0, &d));
		assert_int_equal(d.flags, 0);
		vbus_ioq_advance(&t.cons, 1);
	}
}

static void batch_is_invisible_before_publication(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < SIZE; i++) {
		put(i, 0);
		assert_false(visible());
	}
	vbus_ioq_publish(&t.prod);
	for (i = 0; i < SIZE; i++)
		assert_true(get_is(i));
	assert_false(visible());
}

static void second_batch_is_invisible_behind_the_first(void **state)
{
	(void)state;
	put(0, 0);
	vbus_ioq_publish(&t.prod);
	put(1, 0);
	put(2, 0);
	assert_true(get_is(0));
	assert_false(visible());
	vbus_ioq_publish(&t.prod);
	assert_true(get_is(1));
	assert_true(get_is(2));
}

/* At each step of a publication: if the first one is there, all are. */
static void chain_is_whole(void)
{
	struct vbus_ioq_desc d;
	void (*self)(void) = peer;
	u32 i;

	peer = NULL;
	if (vbus_ioq_peek(&t.cons, 0, &d)) {
		for (i = 0; i < 4; i++) {
			assert_true(vbus_ioq_peek(&t.cons, i, &d));
			assert_int_equal(d.len, 50 + i);
			assert_int_equal(d.flags, i < 3 ? VBUS_DESC_F_NEXT : 0);
		}
	}
	peer = self;
}

static void chain_is_visible_at_once(void **state)
{
	u32 start;

	(void)state;
	for (start = 0; start < 2 * SIZE; start++) {
		start_at(0xfffffff0u + start);
		peer = chain_is_whole;
		put(50, VBUS_DESC_F_NEXT);
		put(51, VBUS_DESC_F_NEXT);
		put(52, VBUS_DESC_F_NEXT);
		put(53, 0);
		vbus_ioq_publish(&t.prod);
		peer = NULL;
		assert_true(visible());
	}
}

static void laps(u32 start, u32 count)
{
	u32 sent = 0, got = 0, n;

	start_at(start);
	while (got < count) {
		for (n = rnd() % (SIZE - (sent - got) + 1); n; n--)
			put(sent++, 0);
		assert_false(vbus_ioq_publish(&t.prod));
		for (n = rnd() % (SIZE + 1); n && got != sent; n--) {
			assert_true(get_is(got));
			got++;
		}
		assert_int_equal(visible(), got != sent);
	}
}

static void phases_flip_over_many_laps(void **state)
{
	(void)state;
	laps(SIZE, 2000 * SIZE);
}

static void positions_wrap(void **state)
{
	(void)state;
	laps(0u - 10 * SIZE - 3, 20 * SIZE);
	assert_true(t.cons.pos < 12 * SIZE);
}

static void peek_ahead_up_to_the_last(void **state)
{
	struct vbus_ioq_desc d;
	u32 i, start;

	(void)state;
	for (start = 0u - SIZE - 2; start != 3; start++) {
		start_at(start);
		for (i = 0; i < SIZE; i++)
			assert_false(vbus_ioq_peek(&t.cons, i, &d));
		for (i = 0; i < SIZE; i++)
			put(i, 0);
		vbus_ioq_publish(&t.prod);
		for (i = 0; i < SIZE; i++) {
			assert_true(vbus_ioq_peek(&t.cons, i, &d));
			assert_int_equal(d.len, i);
		}
	}
}

static void peek_ahead_ends_where_the_batch_ends(void **state)
{
	struct vbus_ioq_desc d;
	u32 i;

	(void)state;
	start_at(SIZE - 2);
	for (i = 0; i < 5; i++)
		put(i, 0);
	vbus_ioq_publish(&t.prod);
	for (i = 0; i < SIZE; i++)
		assert_int_equal(vbus_ioq_peek(&t.cons, i, &d), i < 5);
}

static void cancelled_descriptors_never_show_up(void **state)
{
	u32 n, start;

	(void)state;
	for (start = 0u - 2 * SIZE; start != 2 * SIZE; start++) {
		for (n = 1; n <= SIZE; n++) {
			u32 i;

			start_at(start);
			for (i = 0; i < n; i++)
				put(i, 0);
			vbus_ioq_cancel(&t.prod);
			assert_false(visible());
			put(77, 0);
			vbus_ioq_publish(&t.prod);
			assert_true(get_is(77));
			assert_false(visible());
		}
	}
}

static void cancelled_slots_can_be_put_again(void **state)
{
	u32 i;

	(void)state;
	start_at(SIZE - 3);
	for (i = 0; i < SIZE; i++)
		put(1000 + i, VBUS_DESC_F_NEXT);
	vbus_ioq_cancel(&t.prod);
	for (i = 0; i < SIZE; i++)
		put(i, 0);
	assert_false(visible());
	vbus_ioq_publish(&t.prod);
	for (i = 0; i < SIZE; i++)
		assert_true(get_is(i));
	assert_false(visible());
}

static void cancel_leaves_what_is_published(void **state)
{
	(void)state;
	put(1, 0);
	put(2, 0);
	vbus_ioq_publish(&t.prod);
	put(3, 0);
	put(4, 0);
	vbus_ioq_cancel(&t.prod);
	assert_true(get_is(1));
	assert_true(get_is(2));
	assert_false(visible());
}

static void arm_ahead_is_not_fooled_by_cancelled_descriptors(void **state)
{
	(void)state;
	start_at(SIZE);
	put(1, 0);
	put(2, 0);
	put(3, 0);
	vbus_ioq_cancel(&t.prod);
	assert_true(vbus_ioq_arm(&t.cons, 1));
	assert_true(vbus_ioq_arm(&t.cons, 2));
}

static void empty_publication_is_never_due(void **state)
{
	(void)state;
	start_at(3);
	assert_true(vbus_ioq_arm(&t.cons, 0));
	assert_false(vbus_ioq_publish(&t.prod));
	assert_false(visible());
}

static void arm_before_the_publication_signals(void **state)
{
	(void)state;
	start_at(3);
	assert_true(vbus_ioq_arm(&t.cons, 0));
	put(1, 0);
	assert_true(vbus_ioq_publish(&t.prod));
}

static void arm_after_the_publication_must_not_wait(void **state)
{
	(void)state;
	start_at(3);
	put(1, 0);
	assert_false(vbus_ioq_publish(&t.prod));
	assert_false(vbus_ioq_arm(&t.cons, 0));
}

static void one_arm_makes_one_signal(void **state)
{
	u32 i;

	(void)state;
	start_at(0u - SIZE);
	assert_true(vbus_ioq_arm(&t.cons, 0));
	put(0, 0);
	assert_true(vbus_ioq_publish(&t.prod));
	assert_true(get_is(0));
	for (i = 1; i < 100 * SIZE; i++) {
		put(i, 0);
		assert_false(vbus_ioq_publish(&t.prod));
		assert_true(get_is(i));
	}
}

static void drained_once_all_is_taken_and_more_awaited(void **state)
{
	(void)state;
	start_at(0u - 1);
	assert_true(vbus_ioq_arm(&t.cons, 0));
	assert_true(vbus_ioq_drained(&t.prod));
	put(1, 0);
	assert_true(vbus_ioq_drained(&t.prod));	/* not published */
	assert_true(vbus_ioq_publish(&t.prod));
	assert_false(vbus_ioq_drained(&t.prod));
	assert_true(get_is(1));
	assert_false(vbus_ioq_drained(&t.prod));
	assert_true(vbus_ioq_arm(&t.cons, 0));
	assert_true(vbus_ioq_drained(&t.prod));
	vbus_ioq_disarm(&t.cons);
	assert_false(vbus_ioq_drained(&t.prod));
}

/* Every distance to arm at, every split into batches of one size. */
static void arm_ahead_signals_when_it_is_passed(void **state)
{
	u32 ahead, batch, i, n, start;

	(void)state;
	for (start = 0u - SIZE; start != SIZE; start++)
		for (ahead = 0; ahead < SIZE; ahead++)
			for (batch = 1; batch <= SIZE; batch++) {
				start_at(start);
				assert_true(vbus_ioq_arm(&t.cons, ahead));
				for (n = 0; n + batch <= SIZE; n += batch) {
					for (i = 0; i < batch; i++)
						put(i, 0);
					assert_int_equal(vbus_ioq_publish(&t.prod),
							 ahead >= n && ahead < n + batch);
				}
			}
}

static void arm_ahead_sees_what_is_there(void **state)
{
	u32 ahead, i;

	(void)state;
	start_at(SIZE + 5);
	for (i = 0; i < 4; i++)
		put(i, 0);
	vbus_ioq_publish(&t.prod);
	for (ahead = 0; ahead < SIZE; ahead++)
		assert_int_equal(vbus_ioq_arm(&t.cons, ahead), ahead >= 4);
}

static void disarmed_consumer_is_not_signalled(void **state)
{
	u32 i;

	(void)state;
	start_at(0u - 3 * SIZE);
	assert_true(vbus_ioq_arm(&t.cons, 4));
	vbus_ioq_disarm(&t.cons);
	for (i = 0; i < 10 * SIZE; i++) {
		put(i, 0);
		assert_false(vbus_ioq_publish(&t.prod));
		assert_true(get_is(i));
	}
}

static void disarm_with_descriptors_waiting(void **state)
{
	u32 i;

	(void)state;
	start_at(7);
	for (i = 0; i < 5; i++)
		put(i, 0);
	vbus_ioq_publish(&t.prod);
	vbus_ioq_disarm(&t.cons);
	for (; i < SIZE; i++) {
		put(i, 0);
		assert_false(vbus_ioq_publish(&t.prod));
	}
}

static void disarm_at_the_very_start(void **state)
{
	(void)state;
	vbus_ioq_disarm(&t.cons);
	put(1, 0);
	assert_false(vbus_ioq_publish(&t.prod));
}

static void inline_indices_agree(void **state)
{
	u32 i, j, idx[3];

	(void)state;
	start_at(0u - SIZE - 1);
	for (i = 0; i < 4 * SIZE; i++) {
		for (j = 0; j < 3; j++) {
			idx[j] = vbus_ioq_put_index(&t.prod);
			assert_true(idx[j] < SIZE);
			put(j, j < 2 ? VBUS_DESC_F_NEXT : 0);
		}
		vbus_ioq_publish(&t.prod);
		for (j = 0; j < 3; j++)
			assert_int_equal(vbus_ioq_peek_index(&t.cons, j), idx[j]);
		vbus_ioq_advance(&t.cons, 3);
	}
}

static void hostile_descriptors(void)
{
	u32 i = rnd() % SIZE;

	t.desc[i].addr = rnd();
	t.desc[i].len = rnd();
	t.desc[i].id = rnd();
	t.desc[i].flags = rnd();
}

static void hostile_producer_cannot_change_a_copy(void **state)
{
	struct vbus_ioq_desc d, copy;
	u32 i, ahead, pos;

	(void)state;
	peer = hostile_descriptors;
	for (i = 0; i < 200000; i++) {
		pos = t.cons.pos;
		ahead = rnd() % SIZE;
		if (vbus_ioq_peek(&t.cons, ahead, &d)) {
			assert_int_equal(d.flags & VBUS_DESC_F_PHASE, 0);
			copy = d;
			hostile_descriptors();
			assert_memory_equal(&copy, &d, sizeof(d));
		}
		assert_true(vbus_ioq_peek_index(&t.cons, ahead) < SIZE);
		vbus_ioq_arm(&t.cons, ahead);
		vbus_ioq_disarm(&t.cons);
		assert_int_equal(t.cons.pos, pos);
		vbus_ioq_advance(&t.cons, 1);
	}
}

static void each_field_is_read_once(void **state)
{
	struct vbus_ioq_desc d;

	(void)state;
	put(1, 0);
	vbus_ioq_publish(&t.prod);
	steps = 0;
	assert_true(vbus_ioq_peek(&t.cons, 0, &d));
	assert_int_equal(steps, 4);
}

static void hostile_consumer(void)
{
	u32 i = rnd() % SIZE;

	/* A consumer may have the descriptors mapped for writing as well. */
	t.line->event = rnd() % 2 ? rnd() : t.prod.pos + rnd() % 4 - 2;
	t.desc[i].flags = rnd();
}

static void hostile_consumer_gets_nowhere(void **state)
{
	u32 i, n, pos;

	(void)state;
	start_at(0u - 100 * SIZE);
	peer = hostile_consumer;
	for (i = 0; i < 50000; i++) {
		pos = t.prod.pos;
		n = rnd() % (SIZE + 1);
		while (t.prod.next - pos < n) {
			assert_true(vbus_ioq_put_index(&t.prod) < SIZE);
			put(n, 0);
		}
		if (rnd() & 1) {
			vbus_ioq_cancel(&t.prod);
			n = 0;
		}
		vbus_ioq_publish(&t.prod);
		assert_int_equal(t.prod.pos, pos + n);
		assert_int_equal(t.prod.next, pos + n);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(layout_is_what_the_abi_says),
		T(sizes_that_are_not_allowed),
		T(zeroed_memory_has_no_descriptor),
		T(zeroed_memory_is_armed),
		T(every_field_arrives),
		T(phase_is_not_shown_to_the_consumer),
		T(batch_is_invisible_before_publication),
		T(second_batch_is_invisible_behind_the_first),
		T(chain_is_visible_at_once),
		T(phases_flip_over_many_laps),
		T(positions_wrap),
		T(peek_ahead_up_to_the_last),
		T(peek_ahead_ends_where_the_batch_ends),
		T(cancelled_descriptors_never_show_up),
		T(cancelled_slots_can_be_put_again),
		T(cancel_leaves_what_is_published),
		T(arm_ahead_is_not_fooled_by_cancelled_descriptors),
		T(empty_publication_is_never_due),
		T(arm_before_the_publication_signals),
		T(arm_after_the_publication_must_not_wait),
		T(one_arm_makes_one_signal),
		T(drained_once_all_is_taken_and_more_awaited),
		T(arm_ahead_signals_when_it_is_passed),
		T(arm_ahead_sees_what_is_there),
		T(disarmed_consumer_is_not_signalled),
		T(disarm_with_descriptors_waiting),
		T(disarm_at_the_very_start),
		T(inline_indices_agree),
		T(hostile_producer_cannot_change_a_copy),
		T(each_field_is_read_once),
		T(hostile_consumer_gets_nowhere),
	};

	return cmocka_run_group_tests_name("ioq", tests, NULL, NULL);
}
