// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of ring/evq.h. */

#include "unit.h"
#include <ring/evq.h>

#define SLOTS	VBUS_EVQ_SLOTS_MIN

struct pair {
	struct vbus_evq *q;
	struct vbus_evq_prod prod;
	struct vbus_evq_cons cons;
	u64 *last;
};

static struct pair t;

/* A queue on which @pos entries were produced and consumed already. */
static void start_at(u64 pos)
{
	u32 i;

	for (i = 1; i <= SLOTS && i <= pos; i++)
		t.q->slot[(pos - i) % SLOTS] = (u32)(pos - i) & SLOTS ? 0 : VBUS_EVQ_PHASE;
	t.prod.pos = pos;
	t.prod.cons = pos;
	t.cons.pos = (u32)pos;
	t.q->cons = (u32)pos;
	/* behind, as of a consumer that is awake */
	t.q->arm = (u32)pos - 1;
}

static int setup(void **state)
{
	(void)state;
	peer = NULL;
	t.q = zeroed(VBUS_EVQ_BYTES(SLOTS));
	t.last = calloc(SLOTS, sizeof(*t.last));
	assert_non_null(t.last);
	vbus_evq_prod_init(&t.prod, t.q, SLOTS, t.last);
	vbus_evq_cons_init(&t.cons, t.q, SLOTS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	peer = NULL;
	free(t.q);
	free(t.last);
	return 0;
}

static bool take_is(u16 want)
{
	u16 sig[1];

	return vbus_evq_take(&t.cons, sig, 1) == 1 && sig[0] == want;
}

static void awake(void)
{
	start_at(SLOTS);
}

/* --- what the queue does between honest sides --- */

static void slot_counts_that_are_not_allowed(void **state)
{
	(void)state;
	assert_false(vbus_evq_slots_valid(0));
	assert_false(vbus_evq_slots_valid(VBUS_EVQ_SLOTS_MIN / 2));
	assert_false(vbus_evq_slots_valid(VBUS_EVQ_SLOTS_MIN + 1));
	assert_false(vbus_evq_slots_valid(VBUS_EVQ_SLOTS_MAX * 2));
	assert_false(vbus_evq_slots_valid(0xffffffffu));
	assert_true(vbus_evq_slots_valid(VBUS_EVQ_SLOTS_MIN));
	assert_true(vbus_evq_slots_valid(VBUS_EVQ_SLOTS_MAX));
}

static void zeroed_memory_has_no_entry(void **state)
{
	u16 sig[4];

	(void)state;
	assert_false(vbus_evq_ready(&t.cons));
	assert_int_equal(vbus_evq_take(&t.cons, sig, 4), 0);
}

static void zeroed_memory_is_armed(void **state)
{
	(void)state;
	assert_int_equal(vbus_evq_push(&t.prod, 7), VBUS_EVQ_SIGNAL);
}

static void what_is_pushed_is_taken(void **state)
{
	(void)state;
	vbus_evq_push(&t.prod, 7);
	assert_true(vbus_evq_ready(&t.cons));
	assert_true(take_is(7));
	assert_false(vbus_evq_ready(&t.cons));
}

static void order_is_kept(void **state)
{
	u16 sig[SLOTS];
	u32 i;

	(void)state;
	for (i = 0; i < SLOTS; i++)
		vbus_evq_push(&t.prod, (i * 37) % SLOTS);
	assert_int_equal(vbus_evq_take(&t.cons, sig, SLOTS), SLOTS);
	for (i = 0; i < SLOTS; i++)
		assert_int_equal(sig[i], (i * 37) % SLOTS);
}

static void take_stops_at_its_limit(void **state)
{
	u16 sig[3] = { 0, 0, 0xffff };
	u32 i;

	(void)state;
	for (i = 0; i < 5; i++)
		vbus_evq_push(&t.prod, i);
	assert_int_equal(vbus_evq_take(&t.cons, sig, 2), 2);
	assert_int_equal(sig[2], 0xffff);
	assert_int_equal(t.q->cons, 2);
	assert_int_equal(vbus_evq_take(&t.cons, sig, 0), 0);
	assert_true(take_is(2));
}

static void laps(u64 start, u32 count)
{
	u32 i, burst, n, done = 0;
	u16 sig[SLOTS];

	start_at(start);
	while (done < count) {
		burst = 1 + rnd() % SLOTS;
		for (i = 0; i < burst; i++)
			assert_int_equal(vbus_evq_push(&t.prod, i), VBUS_EVQ_QUEUED);
		assert_int_equal((u32)t.prod.pos - t.cons.pos, burst);
		n = vbus_evq_take(&t.cons, sig, SLOTS);
		assert_int_equal(n, burst);
		for (i = 0; i < n; i++)
			assert_int_equal(sig[i], i);
		assert_false(vbus_evq_ready(&t.cons));
		done += n;
	}
	assert_int_equal(t.prod.lies, 0);
}

static void phases_flip_over_many_laps(void **state)
{
	(void)state;
	laps(SLOTS, 1000 * SLOTS);
}

static void first_laps_start_from_zeroed_memory(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 10 * SLOTS; i++) {
		assert_int_not_equal(vbus_evq_push(&t.prod, i % 3), VBUS_EVQ_COALESCED);
		assert_true(take_is(i % 3));
		assert_false(vbus_evq_ready(&t.cons));
	}
}

static void positions_wrap(void **state)
{
	(void)state;
	laps((1ull << 32) - 5 * SLOTS - 3, 20 * SLOTS);
	assert_true(t.prod.pos > 1ull << 32);
	assert_true(t.cons.pos < 16 * SLOTS);
}

static void positions_wrap_a_second_time(void **state)
{
	(void)state;
	laps((2ull << 32) - 5 * SLOTS - 3, 20 * SLOTS);
	assert_true(t.prod.pos > 2ull << 32);
}

static void queued_signal_is_coalesced(void **state)
{
	(void)state;
	awake();
	assert_int_equal(vbus_evq_push(&t.prod, 3), VBUS_EVQ_QUEUED);
	assert_int_equal(vbus_evq_push(&t.prod, 3), VBUS_EVQ_COALESCED);
	assert_int_equal(vbus_evq_push(&t.prod, 3), VBUS_EVQ_COALESCED);
	assert_true(take_is(3));
	assert_false(vbus_evq_ready(&t.cons));
}

static void consumed_signal_is_queued_again(void **state)
{
	(void)state;
	awake();
	vbus_evq_push(&t.prod, 3);
	assert_true(take_is(3));
	assert_int_equal(vbus_evq_push(&t.prod, 3), VBUS_EVQ_QUEUED);
	assert_true(take_is(3));
}

static void coalesced_across_the_wrap(void **state)
{
	(void)state;
	start_at((1ull << 32) - 1);
	assert_int_equal(vbus_evq_push(&t.prod, 3), VBUS_EVQ_QUEUED);
	assert_int_equal(vbus_evq_push(&t.prod, 4), VBUS_EVQ_QUEUED);
	assert_int_equal(vbus_evq_push(&t.prod, 3), VBUS_EVQ_COALESCED);
	assert_true(take_is(3));
	assert_int_equal(vbus_evq_push(&t.prod, 4), VBUS_EVQ_COALESCED);
	assert_int_equal(vbus_evq_push(&t.prod, 3), VBUS_EVQ_QUEUED);
	assert_true(take_is(4));
	assert_true(take_is(3));
}

static void signals_do_not_coalesce_each_other(void **state)
{
	(void)state;
	awake();
	vbus_evq_push(&t.prod, 3);
	assert_int_equal(vbus_evq_push(&t.prod, 4), VBUS_EVQ_QUEUED);
}

static void as_many_signals_as_slots_never_overflow(void **state)
{
	enum vbus_evq_push res;
	u32 i, sig;
	u16 out[SLOTS];

	(void)state;
	awake();
	for (i = 0; i < 200000; i++) {
		sig = rnd() % SLOTS;
		res = vbus_evq_push(&t.prod, sig);
		assert_int_not_equal(res, VBUS_EVQ_FULL);
		assert_true((u32)t.prod.pos - t.cons.pos <= SLOTS);
		if (rnd() % SLOTS == 0)
			vbus_evq_take(&t.cons, out, 1 + rnd() % SLOTS);
	}
	assert_int_equal(t.prod.lies, 0);
}

static void full_queue_coalesces_everything(void **state)
{
	u32 i;

	(void)state;
	awake();
	for (i = 0; i < SLOTS; i++)
		assert_int_equal(vbus_evq_push(&t.prod, i), VBUS_EVQ_QUEUED);
	for (i = 0; i < SLOTS; i++)
		assert_int_equal(vbus_evq_push(&t.prod, i), VBUS_EVQ_COALESCED);
}

static void unconsumed_follows_the_consumer(void **state)
{
	(void)state;
	awake();
	assert_false(vbus_evq_unconsumed(&t.prod));
	vbus_evq_push(&t.prod, 1);
	vbus_evq_push(&t.prod, 2);
	assert_true(vbus_evq_unconsumed(&t.prod));
	assert_true(take_is(1));
	assert_true(vbus_evq_unconsumed(&t.prod));
	assert_true(take_is(2));
	assert_false(vbus_evq_unconsumed(&t.prod));
}

/* --- arming --- */

static void arm_before_the_push_signals(void **state)
{
	(void)state;
	awake();
	assert_true(vbus_evq_arm(&t.cons));
	assert_int_equal(vbus_evq_push(&t.prod, 1), VBUS_EVQ_SIGNAL);
}

static void arm_after_the_push_must_not_sleep(void **state)
{
	(void)state;
	awake();
	assert_int_equal(vbus_evq_push(&t.prod, 1), VBUS_EVQ_QUEUED);
	assert_false(vbus_evq_arm(&t.cons));
}

static void awake_consumer_is_not_signalled(void **state)
{
	u32 i;

	(void)state;
	awake();
	for (i = 0; i < 3 * SLOTS; i++) {
		assert_int_equal(vbus_evq_push(&t.prod, i % SLOTS), VBUS_EVQ_QUEUED);
		assert_true(take_is(i % SLOTS));
	}
}

static void one_arm_makes_one_signal(void **state)
{
	u32 i, signals = 0;

	(void)state;
	awake();
	assert_true(vbus_evq_arm(&t.cons));
	for (i = 0; i < SLOTS; i++)
		signals += vbus_evq_push(&t.prod, i) == VBUS_EVQ_SIGNAL;
	assert_int_equal(signals, 1);
}

static void arming_twice_makes_one_signal(void **state)
{
	(void)state;
	awake();
	assert_true(vbus_evq_arm(&t.cons));
	assert_true(vbus_evq_arm(&t.cons));
	assert_int_equal(vbus_evq_push(&t.prod, 1), VBUS_EVQ_SIGNAL);
	assert_int_equal(vbus_evq_push(&t.prod, 2), VBUS_EVQ_QUEUED);
}

static void stale_arm_never_signals(void **state)
{
	u32 i;

	(void)state;
	awake();
	assert_true(vbus_evq_arm(&t.cons));
	vbus_evq_push(&t.prod, 0);
	assert_true(take_is(0));
	for (i = 0; i < 100 * SLOTS; i++) {
		assert_int_equal(vbus_evq_push(&t.prod, i % SLOTS), VBUS_EVQ_QUEUED);
		assert_true(take_is(i % SLOTS));
	}
}

static void arm_works_at_the_wrap(void **state)
{
	int i;

	(void)state;
	start_at((1ull << 32) - 4);
	for (i = 0; i < 8; i++) {
		assert_true(vbus_evq_arm(&t.cons));
		assert_int_equal(vbus_evq_push(&t.prod, 1), VBUS_EVQ_SIGNAL);
		assert_false(vbus_evq_arm(&t.cons));
		assert_true(take_is(1));
	}
}

static void zeroed_memory_is_asleep(void **state)
{
	(void)state;
	assert_int_equal(vbus_evq_push(&t.prod, 1), VBUS_EVQ_SIGNAL);
	assert_false(vbus_evq_awake(&t.prod));
}

static void awake_until_it_dozes(void **state)
{
	(void)state;
	awake();
	vbus_evq_stay_awake(&t.cons, true);
	assert_true(vbus_evq_arm(&t.cons));
	assert_true(vbus_evq_awake(&t.prod));
	assert_true(vbus_evq_doze(&t.cons));
	assert_int_equal(vbus_evq_push(&t.prod, 1), VBUS_EVQ_SIGNAL);
	assert_false(vbus_evq_awake(&t.prod));
}

static void entry_kept_back_must_not_be_slept_on(void **state)
{
	(void)state;
	awake();
	vbus_evq_stay_awake(&t.cons, true);
	assert_true(vbus_evq_arm(&t.cons));
	assert_int_equal(vbus_evq_push(&t.prod, 1), VBUS_EVQ_SIGNAL);
	assert_true(vbus_evq_awake(&t.prod));
	assert_false(vbus_evq_doze(&t.cons));
}

static void arming_asleep_needs_no_doze(void **state)
{
	(void)state;
	awake();
	vbus_evq_stay_awake(&t.cons, true);
	vbus_evq_stay_awake(&t.cons, false);
	assert_true(vbus_evq_arm(&t.cons));
	assert_int_equal(vbus_evq_push(&t.prod, 1), VBUS_EVQ_SIGNAL);
	assert_false(vbus_evq_awake(&t.prod));
}

/* The consumer consumes and arms between any two accesses of a push. */
static unsigned long act_at;
static bool slept;

static void act_once(void)
{
	u16 sig[SLOTS];
	void (*self)(void) = peer;

	if (steps != act_at)
		return;
	peer = NULL;
	vbus_evq_take(&t.cons, sig, SLOTS);
	slept = vbus_evq_arm(&t.cons);
	peer = self;
	steps = act_at + 1;
}

static void consumer_interleaved_with_push_at_each_step(void **state)
{
	enum vbus_evq_push res;
	u32 coalesced_and_slept = 0, signals = 0, at;

	(void)state;
	for (at = 1; at <= 8; at++) {
		teardown(NULL);
		setup(NULL);
		awake();
		vbus_evq_push(&t.prod, 5);	/* so there is something to coalesce with */
		slept = false;
		steps = 0;
		act_at = at;
		peer = act_once;
		res = vbus_evq_push(&t.prod, 5);
		peer = NULL;
		/* asleep with an entry in the queue, and not woken? */
		if (slept && vbus_evq_ready(&t.cons))
			assert_int_equal(res, VBUS_EVQ_SIGNAL);
		signals += res == VBUS_EVQ_SIGNAL;
		coalesced_and_slept += slept && res == VBUS_EVQ_COALESCED;
	}
	/* before the look at @cons; only there a signal can result */
	assert_true(signals > 0);
	/*
	 * After it.  No harm: the consumer looks at the ring after it has
	 * consumed, and the ring was filled before.
	 */
	assert_true(coalesced_and_slept <= 1);
}

/* --- hostile peers --- */

static void impossible_positions_are_lies(void **state)
{
	static const u32 off[] = { 1, 2, SLOTS, 0x7fffffff, 0x80000000, 0xffff0000 };
	u32 i;

	(void)state;
	start_at(10 * SLOTS);
	for (i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
		t.q->cons = (u32)t.prod.pos + off[i];
		assert_false(vbus_evq_unconsumed(&t.prod));
		assert_int_equal(t.prod.lies, i + 1);
		assert_int_equal(t.prod.cons, t.prod.pos);
	}
}

static void position_before_the_first_is_a_lie(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 3; i++)
		vbus_evq_push(&t.prod, i);
	t.q->cons = 0xffffffffu;
	assert_int_equal(vbus_evq_push(&t.prod, 0), VBUS_EVQ_COALESCED);
	assert_int_equal(t.prod.lies, 1);
	assert_int_equal(t.prod.cons, 0);
}

static void position_that_goes_back_is_a_lie(void **state)
{
	u32 i;

	(void)state;
	start_at(10 * SLOTS);
	for (i = 0; i < 10; i++)
		vbus_evq_push(&t.prod, i);
	t.q->cons += 6;
	vbus_evq_unconsumed(&t.prod);
	assert_int_equal(t.prod.lies, 0);
	t.q->cons -= 1;
	vbus_evq_unconsumed(&t.prod);
	assert_int_equal(t.prod.lies, 1);
	assert_int_equal(t.prod.cons, 10 * SLOTS + 6);
}

static void position_far_behind_is_a_lie(void **state)
{
	(void)state;
	start_at(10 * SLOTS);
	vbus_evq_push(&t.prod, 1);
	t.q->cons -= SLOTS;
	vbus_evq_unconsumed(&t.prod);
	assert_int_equal(t.prod.lies, 1);
}

static void liar_that_turns_honest_is_believed(void **state)
{
	(void)state;
	start_at(10 * SLOTS);
	vbus_evq_push(&t.prod, 1);
	assert_true(take_is(1));
	t.q->cons = 0x12345678;
	assert_int_equal(vbus_evq_push(&t.prod, 1), VBUS_EVQ_COALESCED);
	t.q->cons = t.cons.pos;
	assert_int_equal(vbus_evq_push(&t.prod, 1), VBUS_EVQ_QUEUED);
}

static void lie_in_the_first_lap_does_no_lasting_harm(void **state)
{
	u32 i;

	(void)state;
	vbus_evq_push(&t.prod, 0);
	assert_true(take_is(0));
	t.q->cons = 0xfffffff0u;
	vbus_evq_push(&t.prod, 0);
	t.q->cons = t.cons.pos;
	for (i = 0; i < 4 * SLOTS; i++) {
		assert_int_not_equal(vbus_evq_push(&t.prod, 0), VBUS_EVQ_COALESCED);
		assert_true(take_is(0));
	}
	assert_int_equal(t.prod.lies, 1);
}

static void hostile_consumer_line(void)
{
	switch (rnd() % 8) {
	case 0:
		t.q->cons = rnd();
		break;
	case 1:
		t.q->cons = (u32)t.prod.pos + rnd() % (4 * SLOTS) - 2 * SLOTS;
		break;
	case 2:
		t.q->cons = (u32)t.prod.pos - rnd() % SLOTS;
		break;
	case 3:
		t.q->cons--;
		break;
	case 4:
		t.q->arm = rnd();
		break;
	case 5:
		t.q->arm = (u32)t.prod.pos + rnd() % 4 - 2;
		break;
	default:
		break;
	}
}

static void hostile_consumer_from(u64 start)
{
	enum vbus_evq_push res;
	u64 cons, pos;
	u32 i;

	if (start)
		start_at(start);
	peer = hostile_consumer_line;
	for (i = 0; i < 300000; i++) {
		cons = t.prod.cons;
		pos = t.prod.pos;
		res = vbus_evq_push(&t.prod, rnd() % SLOTS);
		assert_int_not_equal(res, VBUS_EVQ_FULL);
		assert_true(t.prod.cons >= cons);
		assert_true(t.prod.cons <= t.prod.pos);
		assert_true(t.prod.pos - t.prod.cons <= SLOTS);
		assert_int_equal(t.prod.pos, pos + (res != VBUS_EVQ_COALESCED));
	}
	assert_true(t.prod.lies > 0);
	assert_true(t.prod.lies <= i);
}

static void hostile_consumer_gets_nowhere(void **state)
{
	(void)state;
	hostile_consumer_from(0);
}

static void hostile_consumer_gets_nowhere_at_the_wrap(void **state)
{
	(void)state;
	hostile_consumer_from((1ull << 32) - 1000);
}

static void hostile_words(void)
{
	t.q->slot[rnd() % SLOTS] = rnd();
}

static void hostile_producer_makes_possible_ids_only(void **state)
{
	u16 sig[16 + 1];
	u32 i, j, n, max, pos;

	(void)state;
	start_at((1ull << 32) - 10 * SLOTS);
	peer = hostile_words;
	for (i = 0; i < 200000; i++) {
		pos = t.cons.pos;
		max = rnd() % 17;
		sig[max] = 0xabcd;
		n = vbus_evq_take(&t.cons, sig, max);
		assert_true(n <= max);
		assert_int_equal(t.cons.pos, pos + n);
		assert_int_equal(sig[max], 0xabcd);
		for (j = 0; j < n; j++)
			assert_true(sig[j] < SLOTS);
		vbus_evq_arm(&t.cons);
	}
}

static void each_word_is_read_once(void **state)
{
	u16 sig[4];

	(void)state;
	vbus_evq_push(&t.prod, 1);
	vbus_evq_push(&t.prod, 2);
	steps = 0;
	assert_int_equal(vbus_evq_take(&t.cons, sig, 2), 2);
	/* two words read, @cons written once with a step on either side */
	assert_int_equal(steps, 4);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(slot_counts_that_are_not_allowed),
		T(zeroed_memory_has_no_entry),
		T(zeroed_memory_is_armed),
		T(what_is_pushed_is_taken),
		T(order_is_kept),
		T(take_stops_at_its_limit),
		T(phases_flip_over_many_laps),
		T(first_laps_start_from_zeroed_memory),
		T(positions_wrap),
		T(positions_wrap_a_second_time),
		T(queued_signal_is_coalesced),
		T(consumed_signal_is_queued_again),
		T(coalesced_across_the_wrap),
		T(signals_do_not_coalesce_each_other),
		T(as_many_signals_as_slots_never_overflow),
		T(full_queue_coalesces_everything),
		T(unconsumed_follows_the_consumer),
		T(arm_before_the_push_signals),
		T(arm_after_the_push_must_not_sleep),
		T(awake_consumer_is_not_signalled),
		T(one_arm_makes_one_signal),
		T(arming_twice_makes_one_signal),
		T(stale_arm_never_signals),
		T(arm_works_at_the_wrap),
		T(zeroed_memory_is_asleep),
		T(awake_until_it_dozes),
		T(entry_kept_back_must_not_be_slept_on),
		T(arming_asleep_needs_no_doze),
		T(consumer_interleaved_with_push_at_each_step),
		T(impossible_positions_are_lies),
		T(position_before_the_first_is_a_lie),
		T(position_that_goes_back_is_a_lie),
		T(position_far_behind_is_a_lie),
		T(liar_that_turns_honest_is_believed),
		T(lie_in_the_first_lap_does_no_lasting_harm),
		T(hostile_consumer_gets_nowhere),
		T(hostile_consumer_gets_nowhere_at_the_wrap),
		T(hostile_producer_makes_possible_ids_only),
		T(each_word_is_read_once),
	};

	return cmocka_run_group_tests_name("evq", tests, NULL, NULL);
}
