// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of ring/shm_signal.h. */

#include "unit.h"
#include <ring/shm_signal.h>

/* Is the armed position one of old, old + 1, ... new - 1?  By counting. */
static bool passes(u32 armed, u32 old, u32 new)
{
	u32 pos;

	for (pos = old; pos != new; pos++)
		if (pos == armed)
			return true;
	return false;
}

static void check_around(u32 base)
{
	__le32 event;
	int old, new, armed;

	for (old = -20; old <= 20; old++)
		for (new = old; new <= 20; new++)
			for (armed = -40; armed <= 40; armed++) {
				event = base + armed;
				if (shm_signal_due(&event, base + old, base + new) !=
				    passes(base + armed, base + old, base + new))
					fail_msg("armed %u old %u new %u", base + armed,
						 base + old, base + new);
			}
}

static void due_equals_brute_force(void **state)
{
	(void)state;
	check_around(1000);
}

static void due_equals_brute_force_at_the_wrap(void **state)
{
	(void)state;
	check_around(0);
}

static void due_equals_brute_force_at_half_the_range(void **state)
{
	(void)state;
	check_around(0x80000000u);
}

static void due_equals_brute_force_at_random(void **state)
{
	__le32 event;
	u32 old, new;
	int i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		old = rnd();
		new = old + rnd() % 100;
		event = i & 1 ? rnd() : old + rnd() % 200 - 50;
		assert_int_equal(shm_signal_due(&event, old, new), passes(event, old, new));
	}
}

static void nothing_published_is_never_due(void **state)
{
	__le32 event;
	u32 pos;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		pos = rnd();
		event = i & 1 ? pos : rnd();
		assert_false(shm_signal_due(&event, pos, pos));
	}
}

static void each_position_is_due_in_one_batch_only(void **state)
{
	__le32 event = 0x80;
	u32 pos = 0xffffff00u, step;
	int due = 0;

	(void)state;
	while ((int32_t)(pos - 0x200) < 0) {
		step = rnd() % 7;
		due += shm_signal_due(&event, pos, pos + step);
		pos += step;
	}
	assert_int_equal(due, 1);
}

static void the_armed_word_is_read_once(void **state)
{
	__le32 event = 5;

	(void)state;
	steps = 0;
	shm_signal_due(&event, 0, 10);
	assert_int_equal(steps, 1);
}

static void arm_stores_the_position(void **state)
{
	__le32 event = 0;

	(void)state;
	shm_signal_arm(&event, 0xfffffffeu);
	assert_int_equal(event, 0xfffffffeu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(due_equals_brute_force),
		cmocka_unit_test(due_equals_brute_force_at_the_wrap),
		cmocka_unit_test(due_equals_brute_force_at_half_the_range),
		cmocka_unit_test(due_equals_brute_force_at_random),
		cmocka_unit_test(nothing_published_is_never_due),
		cmocka_unit_test(each_position_is_due_in_one_batch_only),
		cmocka_unit_test(the_armed_word_is_read_once),
		cmocka_unit_test(arm_stores_the_position),
	};

	return cmocka_run_group_tests_name("shm_signal", tests, NULL, NULL);
}
