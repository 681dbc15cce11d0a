// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a packet costs in the rings: cache lines of shared memory that each side
 * touches, and instructions.  Both sides are awake, as under load: no signals.
 *
 *   ring_cost WAY PIECES BATCH
 *
 * WAY is tx (the guest sends) or rx.  A packet has PIECES descriptors, and BATCH of
 * them are published at a time.  Prints the number of packets, and lines that the guest
 * and the host touch for each: 0 unless compiled with RING_TOUCH, as ring_lines is.  Of
 * ring_cost, without it, callgrind counts the instructions (bench/ring-cost).
 *
 * What a driver does beside that (its own tables, the payload, the network stack) is
 * not in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ring/ioq.h>

#define LOG2		8u	/* as venet's rings */
#define SIZE		(1u << LOG2)
#define PACKETS		(SIZE * 64u)
#define LINES		(VBUS_IOQ_BYTES(LOG2, 0) / 64)

static u8 *shared;
static struct vbus_ioq_prod guest_prod, host_prod;
static struct vbus_ioq_cons guest_cons, host_cons;
static u32 pieces, batch;

enum { GUEST, HOST };
static int side;
static u32 turn;	/* batch */
static u64 lines[2];

#ifdef RING_TOUCH
static inline void ring_step(void)
{
}

static inline void ring_touch(const volatile void *p)
{
	/* a side is charged for a line once for each batch */
	static u32 seen[2][LINES];
	u32 line = ((const volatile u8 *)p - shared) / 64;

	if (seen[side][line] == turn)
		return;
	seen[side][line] = turn;
	lines[side]++;
}
#endif

/* The guest's half: buffers or packets go out, answers come back. */
static __attribute__((noinline)) void guest(u32 chain)
{
	struct vbus_ioq_desc d = {};
	u32 i, n;

	while (vbus_ioq_peek(&guest_cons, 0, &d))
		vbus_ioq_advance(&guest_cons, 1);
	for (i = 0; i < batch; i++)
		for (n = 0; n < pieces; n++) {
			d.addr = n;
			d.len = 4096;
			d.id = n;
			d.flags = chain && n < pieces - 1 ? VBUS_DESC_F_NEXT : 0;
			vbus_ioq_put(&guest_prod, &d);
		}
	vbus_ioq_publish(&guest_prod);
}

/* The host's half of tx: take chains, answer a batch at once. */
static __attribute__((noinline)) void host_tx(void)
{
	struct vbus_ioq_desc d;
	u16 id = 0;

	while (vbus_ioq_peek(&host_cons, 0, &d)) {
		vbus_ioq_advance(&host_cons, 1);
		id = d.id;
	}
	d = (struct vbus_ioq_desc){ .id = id, .flags = VBUS_DESC_F_BATCH };
	vbus_ioq_put(&host_prod, &d);
	vbus_ioq_publish(&host_prod);
}

/* ... and of rx: each packet looks for its buffers and fills them. */
static __attribute__((noinline)) void host_rx(void)
{
	struct vbus_ioq_desc d;
	u32 i, n;

	for (i = 0; i < batch; i++) {
		for (n = 0; n < pieces && vbus_ioq_peek(&host_cons, n, &d); n++)
			;
		for (n = 0; n < pieces && vbus_ioq_peek(&host_cons, n, &d); n++) {
			d.flags = n < pieces - 1 ? VBUS_DESC_F_NEXT : 0;
			vbus_ioq_put(&host_prod, &d);
		}
		vbus_ioq_advance(&host_cons, n);
	}
	vbus_ioq_publish(&host_prod);
}

static void init(void)
{
	shared = aligned_alloc(64, LINES * 64);
	if (!shared)
		exit(1);
	memset(shared, 0, LINES * 64);
	vbus_ioq_prod_init(&guest_prod, (void *)(shared + VBUS_IOQ_SUB_DESC),
			   (void *)(shared + VBUS_IOQ_SUB_LINE), SIZE);
	vbus_ioq_cons_init(&host_cons, (void *)(shared + VBUS_IOQ_SUB_DESC),
			   (void *)(shared + VBUS_IOQ_SUB_LINE), SIZE);
	vbus_ioq_prod_init(&host_prod, (void *)(shared + VBUS_IOQ_COMP_DESC(LOG2)),
			   (void *)(shared + VBUS_IOQ_COMP_LINE), SIZE);
	vbus_ioq_cons_init(&guest_cons, (void *)(shared + VBUS_IOQ_COMP_DESC(LOG2)),
			   (void *)(shared + VBUS_IOQ_COMP_LINE), SIZE);
}

int main(int argc, char **argv)
{
	void (*host)(void) = host_rx;
	bool tx;
	u32 i;

	if (argc != 4)
		return 2;
	tx = !strcmp(argv[1], "tx");
	if (tx)
		host = host_tx;
	pieces = atoi(argv[2]);
	batch = atoi(argv[3]);
	if (!pieces || !batch || pieces * batch > SIZE)
		return 2;
	init();
	for (i = 0; i < PACKETS; i += batch) {
		turn++;
		side = GUEST;
		guest(tx);
		side = HOST;
		host();
	}
	if (host_cons.pos != i * pieces)
		return 1;
	printf("%u %.2f %.2f\n", i, (double)lines[GUEST] / i, (double)lines[HOST] / i);
	return 0;
}
