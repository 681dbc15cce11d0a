// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of ring/active.h. */

#include "unit.h"
#include <ring/active.h>

static struct vbus_active words[VBUS_ACTIVE_WORDS];

static void *all_words(u32 value)
{
	u32 i;

	for (i = 0; i < VBUS_ACTIVE_WORDS; i++)
		words[i].active = value;
	return words;
}

static void an_idle_cpu_is_interrupted(void **state)
{
	__le32 which;
	u32 p;

	(void)state;
	all_words(0);
	for (which = 0; which <= VBUS_ACTIVE_WORDS; which++)
		for (p = 0; p <= VBUS_PRIORITY_MAX; p++)
			assert_false(vbus_active_outranks(words, &which, p));
}

static void only_lanes_above_interrupt(void **state)
{
	__le32 which = 7;
	u32 active, p;

	(void)state;
	for (active = 0; active <= VBUS_PRIORITY_MAX; active++) {
		all_words(0);
		vbus_active_raise(&words[6], active + 1);
		for (p = 0; p <= VBUS_PRIORITY_MAX; p++)
			assert_int_equal(vbus_active_outranks(words, &which, p),
					 p <= active);
	}
}

static void a_lane_looks_at_its_own_word_only(void **state)
{
	__le32 which;

	(void)state;
	all_words(0);
	vbus_active_raise(&words[3], 8);
	for (which = 0; which <= VBUS_ACTIVE_WORDS; which++)
		assert_int_equal(vbus_active_outranks(words, &which, 0),
				 which == 4);
}

static void lowering_ends_it(void **state)
{
	__le32 which = 1;

	(void)state;
	all_words(8);
	assert_true(vbus_active_outranks(words, &which, 4));
	vbus_active_lower(&words[0], 5);
	assert_true(vbus_active_outranks(words, &which, 4));
	vbus_active_lower(&words[0], 4);
	assert_false(vbus_active_outranks(words, &which, 4));
}

/* The sanitizer would see a look outside of the words. */
static void words_that_there_are_not_do_not_matter(void **state)
{
	static const u32 bad[] = { VBUS_ACTIVE_WORDS + 1, 0x7fffffff,
				   0x80000000, 0xffffffff };
	struct vbus_active *mem = zeroed(sizeof(words));
	__le32 which;
	u32 i;

	(void)state;
	memset(mem, 0xff, sizeof(words));
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		which = bad[i];
		assert_false(vbus_active_outranks(mem, &which, 0));
	}
	which = VBUS_ACTIVE_WORDS;
	assert_true(vbus_active_outranks(mem, &which, VBUS_PRIORITY_MAX));
	free(mem);
}

static __le32 changing;

static void change(void)
{
	changing = 0xffffffff;
}

/* Whatever it becomes after it was looked at. */
static void the_name_of_the_word_is_read_once(void **state)
{
	(void)state;
	all_words(8);
	changing = 2;
	steps = 0;
	assert_true(vbus_active_outranks(words, &changing, 0));
	peer = change;
	vbus_active_outranks(words, &changing, 0);
	peer = NULL;
	assert_int_equal(changing, 0xffffffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_cpu_is_interrupted),
		cmocka_unit_test(only_lanes_above_interrupt),
		cmocka_unit_test(a_lane_looks_at_its_own_word_only),
		cmocka_unit_test(lowering_ends_it),
		cmocka_unit_test(words_that_there_are_not_do_not_matter),
		cmocka_unit_test(the_name_of_the_word_is_read_once),
	};

	return cmocka_run_group_tests_name("active", tests, NULL, NULL);
}
