// SPDX-License-Identifier: GPL-2.0-only
/* Scenarios of the rings, the event queues and the doorbell. */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostile.h"

/* ---- transmit */

/* A chain ends: say what becomes of it. */
static void tx_says(uint64_t addr, uint32_t len, uint16_t flags)
{
	tx(addr, len, flags);
	say(tx_result());
}

static void s_tx_addresses(void)
{
	live_with_packets(0);
	tx_says(OUTSIDE, 100, 0);
	tx_says(IOVA + MEM_SIZE - 50, 100, 0);
	tx_says(~0ull - 49, 100, 0);		/* wraps */
	tx_says(IOVA - 50, 100, 0);
	tx(IOVA + BUF, 100, VBUS_DESC_F_NEXT);
	tx_says(OUTSIDE, 100, 0);
	say(tx_good());
}

static void s_tx_lengths(void)
{
	live_with_packets(0);
	tx_says(IOVA + BUF, 0, 0);
	tx_says(IOVA + BUF, 13, 0);
	tx_says(IOVA + BUF, VENET_FRAME_MAX + 1, 0);
	tx_says(IOVA + BUF, 0xffffffff, 0);
	tx(IOVA + BUF, 60, VBUS_DESC_F_NEXT);	/* the sum wraps */
	tx_says(IOVA + BUF, 0xffffffff - 20, 0);
	tx(IOVA + BUF, 0x80000000, VBUS_DESC_F_NEXT);
	tx_says(IOVA + BUF, 0x80000000 + 60, 0);
	say(tx_good());
}

/* So many pieces of a chain that goes on. */
static void tx_pieces(unsigned int n)
{
	while (n--)
		tx(IOVA + BUF, 20, VBUS_DESC_F_NEXT);
}

static void s_tx_chains(void)
{
	live_with_packets(0);
	/* one piece more than allowed */
	tx_pieces(VENET_CHAIN_MAX);
	tx_says(IOVA + BUF, 20, 0);
	/* goes on in a descriptor that is not there */
	tx_says(IOVA + BUF, 100, VBUS_DESC_F_NEXT);
	say(tx_good());
}

/* The whole ring is one chain without an end. */
static void s_tx_endless(void)
{
	live_with_packets(0);
	tx_pieces(RING);
	say(tx_result());
	say(tx_good());
}

static void s_tx_inline(void)
{
	live_with_packets(0);
	tx_says(0, INLINE + 1, VBUS_DESC_F_INLINE);
	tx_says(0, 0xffffffff, VBUS_DESC_F_INLINE);
	tx_says(0, 0, VBUS_DESC_F_INLINE | VBUS_DESC_F_META);
	/* what fits is fine, wherever its address points */
	frame(at(TXQ + VBUS_IOQ_INLINE(LOG2) + tx_pos * INLINE), INLINE);
	tx_says(OUTSIDE, INLINE, VBUS_DESC_F_INLINE);
	packet_open();
	say(tx_good());
}

static void s_tx_meta(void)
{
	live_with_packets(VENET_F_TX_CSUM | VENET_F_TX_TSO4 | VENET_F_TX_TSO6);
	say(tx_meta(META(VENET_GSO_TCPV4, 0, 0, 1000), 4000));	/* no checksum */
	say(tx_meta(META(VENET_GSO_TCPV4, 16, 34, 0), 4000));	/* no size */
	say(tx_meta(META(VENET_GSO_UDP_L4, 6, 34, 1000), 4000));	/* not agreed */
	say(tx_meta(META(5, 16, 34, 1000), 4000));		/* no such type */
	say(tx_meta(META(0x7f, 16, 34, 1000), 4000));
	say(tx_meta(META(0, 16, 1000, 0), 1000));		/* behind the end */
	say(tx_meta(META(0, 16, 0xffff, 0), 1000));
	say(tx_meta(META(0, 255, 900, 0), 1000));
	tx(IOVA + BUF, 100, VBUS_DESC_F_NEXT);			/* not the first */
	tx_says(0, 0, VBUS_DESC_F_META);
	tx_says(0, 0, VBUS_DESC_F_META);			/* and no frame */
	packet_open();
	say(tx_good());
}

static void s_tx_meta_not_agreed(void)
{
	live_with_packets(0);
	say(tx_meta(META(0, 16, 34, 0), 1000));
	say(tx_meta(META(VENET_GSO_TCPV4, 16, 34, 1000), 4000));
	packet_open();
	say(tx_good());
}

/* ---- receive */

static void s_rx_buffers(void)
{
	live_with_packets(0);
	rx_buffer(OUTSIDE, 2048);
	say(rx_result());
	rx_buffer(IOVA + MEM_SIZE - 100, 2048);
	say(rx_result());
	rx_buffer(~0ull - 99, 2048);
	say(rx_result());
	/* two that are too small: each looks like the smallest allowed */
	rx_buffer(IOVA + BUF, 0);
	rx_buffer(IOVA + BUF, 100);
	say(rx_result());
	rx_buffer(IOVA + BUF + 0x8000, 0xffffffff);	/* longer than memory */
	say(rx_result());
	/* of the two small ones the second was left; now comes the long one */
	rx_buffer(IOVA + BUF, 100);
	say(rx_result());
	say("then");
	while (completion(RXQ, &rx_done, SILENCE_MS) >= 0)
		;
	say(tx_good());
}

/* Takes nothing that the host sends, and answers no event. */
static void s_rx_never(void)
{
	uint8_t f[1000];
	unsigned int i, sent = 0;

	live_with_packets(0);
	for (i = 0; i < 5000; i++) {
		frame(f, sizeof(f));
		sent += send(packet, f, sizeof(f), MSG_DONTWAIT) > 0;
	}
	say(sent < 5000 ? "held" : "swallowed");
	say(tx_good());
	/* the driver wakes up: what was held comes, and new packets too */
	for (i = 0; i < RING; i++)
		rx_buffer(IOVA + BUF + 0x8000, 2048);
	signal_host(1);
	say(completion(RXQ, &rx_done, PATIENCE_MS) == 0 ? "goes on" : "stuck");
}

/* ---- event queues and doorbells */

static void s_evq_ids(void)
{
	struct vbus_evq *q = at(G2H);
	unsigned int i;

	live_with_packets(0);
	for (i = 0; i < 200; i++) {
		static const uint32_t ids[] = { 0, 3, SLOTS, 0xffff, 0x7fff };

		signal_host(ids[i % 5]);
		if (i % 32 == 0)
			wait_ms(2);
	}
	/* let it be consumed before the queue is used again */
	for (i = 0; i < 1000 && __atomic_load_n(&q->cons, __ATOMIC_SEQ_CST) != evq_pos; i++)
		wait_ms(10);
	say(q->cons == evq_pos ? "consumed" : "stuck");
	say(tx_good());
}

/* A bad packet is refused, and the guest is told; else it says so. */
static bool bad_is_answered(void)
{
	tx(OUTSIDE, 100, 0);
	if (!strcmp(tx_result(), "error"))
		return true;
	say("silence");
	return false;
}

/* Words that outrank everything, and names of words that there are not. */
static void s_active_words(void)
{
	struct vbus_evq *q = at(H2G);
	static const uint32_t which[] = { 1, VBUS_ACTIVE_WORDS, 0xffffffff,
		VBUS_ACTIVE_WORDS + 1, 0x80000000 };
	unsigned int i;

	active = IOVA + ACTIVE;
	memset(at(ACTIVE), 0xff, VBUS_ACTIVE_WORDS * sizeof(struct vbus_active));
	live_with_packets(0);
	for (i = 0; i < 40; i++) {
		q->active = which[i % 5];
		q->arm = q->cons + i % 3;
		if (!bad_is_answered())
			return;
	}
	say("answered");
	say(verb(VBUS_VERB_LIST, 0));
}

static void s_evq_positions(void)
{
	struct vbus_evq *q = at(H2G);
	static const uint32_t bad[] = { 0xdeadbeef, 0x80000000, 0xffffffff, 1000 };
	unsigned int i;

	live_with_packets(0);
	for (i = 0; i < 40; i++) {
		q->cons = bad[i % 4];
		q->arm = bad[(i + 1) % 4];
		if (!bad_is_answered())
			return;
	}
	say("answered");
	say(verb(VBUS_VERB_LIST, 0));
}

static void s_flood(void)
{
	unsigned int n;
	long end;

	live_with_packets(0);
	end = now_ms() + 5000;
	for (n = 0; now_ms() < end; n++)
		ring(n & 1);
	say(n > 10000 ? "flooded" : "too slow");
	say(tx_good());
	say_alive();
}

/* Everything shared is overwritten at random while all of it is in use. */
static void s_scribble(void)
{
	static const unsigned int where[] = { H2G, G2H, RXQ, TXQ };
	uint64_t r = 88172645463325252ull;
	long end = now_ms() + 8000;
	uint8_t f[1000];
	unsigned int n;

	live_with_packets(VENET_F_ALL);
	frame(f, sizeof(f));
	for (n = 0; n % 64 || now_ms() < end; n++) {
		unsigned int region = where[r % 4];
		unsigned int size = region < RXQ ? VBUS_EVQ_BYTES(SLOTS) :
						   VBUS_IOQ_BYTES(LOG2, INLINE);

		r ^= r << 13;
		r ^= r >> 7;
		r ^= r << 17;
		/* mostly small numbers, so that some of it makes sense */
		*(uint16_t *)at(region + (r >> 8) % (size / 2) * 2) =
			r >> 62 ? (r >> 40) % 64 | (r >> 20 & 0x8000) : r >> 32;
		if (n % 8 == 0)
			ring(1);
		if (n % 64 == 0)
			send(packet, f, sizeof(f), MSG_DONTWAIT);
	}
	/* nothing is left that could work, but the bus answers */
	say_alive();
	say(verb(VBUS_VERB_CLOSE, 0));
	bus_page();
	say(hello());
	close(packet);
	packet_open();
	open_venet();
	must(start_with(0, 1), "start");
	say(tx_good());
	say(rx_good());
}

const struct scenario queue_scenarios[] = {
#define S(name) { #name, s_##name }
	S(tx_addresses), S(tx_lengths), S(tx_chains), S(tx_endless),
	S(tx_inline), S(tx_meta), S(tx_meta_not_agreed), S(rx_buffers),
	S(rx_never), S(evq_ids), S(active_words), S(evq_positions), S(flood),
	S(scribble),
#undef S
	{ NULL, NULL },
};
