// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stress, mode ioq: one ring alone.
 *
 * Its doorbell is rung directly, so E, F, G and H are all there is.  The payload
 * lies in plain memory.
 */
#include "stress.h"

static void ioq_start(struct vbus_ioq_prod *p, struct vbus_ioq_line *line, u32 pos)
{
	u32 i;

	for (i = 1; i <= SIZE && pos; i++)
		p->desc[(pos - i) % SIZE].flags = vbus_ioq_phase(pos - i, SIZE);
	line->event = pos;
	p->pos = pos;
	p->next = pos;
}

static u64 ioq_sleeps;
static u64 ioq_payload[SIZE];

static void *ioq_consume(void *arg)
{
	struct shared *m = arg;
	struct vbus_ioq_cons c;
	struct vbus_ioq_desc d;
	u32 done = 0, bell, i, idle = 0;

	rnd_seed(100);
	vbus_ioq_cons_init(&c, sub_desc(m, 0), sub_line(m, 0), SIZE);
	c.pos = start_pos();
	while (!finished(done)) {
		for (i = 0; i < SIZE && vbus_ioq_peek(&c, i, &d); i++) {
			if (d.addr != (done + 1) * 3ull || d.len != done + 1 ||
			    d.id != (u16)(done + 1))
				wrong("descriptor %u: addr %llu len %u id %u", done + 1,
				      (unsigned long long)d.addr, d.len, d.id);
			if (ioq_payload[vbus_ioq_peek_index(&c, i)] != done + 1)
				wrong("payload of descriptor %u", done + 1);
			done++;
		}
		vbus_ioq_advance(&c, i);
		if (i) {
			__atomic_store_n(&m->done, done, __ATOMIC_RELEASE);
			idle = 0;
			continue;
		}
		/* poll a little at times, so that not everything is a wake-up */
		if (idle++ < rnd() % 16)
			continue;
		bell = bell_look(&m->bell);
		if (vbus_ioq_arm(&c, 0)) {
			ioq_sleeps++;
			bell_wait(&m->bell, bell, "the consumer of descriptors");
		}
	}
	return NULL;
}

void ioq_mode(void)
{
	struct shared *m = shm_map();
	struct vbus_ioq_prod p;
	struct vbus_ioq_desc d;
	u32 i, burst;
	pthread_t t;

	rnd_seed(1);
	vbus_ioq_prod_init(&p, sub_desc(m, 0), sub_line(m, 0), SIZE);
	ioq_start(&p, sub_line(m, 0), start_pos());
	start_thread(&t, ioq_consume, m);
	for (i = 0; i != opt_count && !out_of_time(i);) {
		burst = 1 + rnd() % 4;
		while (i - __atomic_load_n(&m->done, __ATOMIC_ACQUIRE) > SIZE - burst)
			catch_up(m, i);
		while (burst-- && i != opt_count) {
			i++;
			ioq_payload[vbus_ioq_put_index(&p)] = i;
			d = (struct vbus_ioq_desc){ .addr = i * 3ull, .len = i, .id = (u16)i };
			vbus_ioq_put(&p, &d);
		}
		m->pushed++;
		if (vbus_ioq_publish(&p)) {
			m->signalled++;
			bell_ring(&m->bell);
		}
		if (rnd() % 8)
			catch_up(m, i);
		spin(rnd() % 64);
	}
	end_at(m, i, t);
	if (opt_wrap && p.pos >= start_pos())
		wrong("positions did not wrap");
	m->sleeps = ioq_sleeps;
}
