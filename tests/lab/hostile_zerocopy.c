// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that sends by reference, and not as it should.
 *
 * "out" and "stop" need an interface that keeps what it is to send, and its
 * address: they send to 02:00:00:00:00:99.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostile.h"

#define FRAME_MAX	20000u

/* A frame that lies in the pieces as they were put: what the receiver is to get. */
static uint8_t whole[FRAME_MAX];
static unsigned int whole_len;

static void piece(unsigned int off, unsigned int len, uint16_t flags)
{
	memcpy(whole + whole_len, at(BUF + off), len);
	whole_len += len;
	tx(IOVA + BUF + off, len, flags);
}

/* The packet that was put arrives with the right bytes. */
static const char *arrives(void)
{
	struct pollfd p = { .fd = packet, .events = POLLIN };
	static uint8_t got[FRAME_MAX];
	const char *result = tx_result();
	unsigned int len = whole_len;

	whole_len = 0;
	if (strcmp(result, "done"))
		return result;
	if (poll(&p, 1, PATIENCE_MS) != 1 || p.revents != POLLIN)
		return "lost";
	return recv(packet, got, sizeof(got), 0) == (ssize_t)len &&
	       !memcmp(got, whole, len) ? "passed" : "changed";
}

/* Pieces of odd length at odd addresses, across pages, one of them twice. */
static void s_pieces(void)
{
	live_with_packets(0);
	frame(at(BUF), 3 * 4096);
	piece(0, 257, VBUS_DESC_F_NEXT);		/* one byte of it is lent */
	piece(4095, 3, VBUS_DESC_F_NEXT);
	piece(4097, 4097, VBUS_DESC_F_NEXT);
	piece(4097, 4097, VBUS_DESC_F_NEXT);
	piece(8191, 1, 0);
	say(arrives());
	piece(0, 14, VBUS_DESC_F_NEXT);
	piece(1, 1, VBUS_DESC_F_NEXT);
	piece(100, 8001, 0);
	say(arrives());
}

/* More pages than a packet has fragments: it is copied. */
static void s_many(void)
{
	unsigned int i;

	live_with_packets(0);
	frame(at(BUF), 0x8000);
	piece(0, 400, VBUS_DESC_F_NEXT);
	for (i = 0; i < 30; i++)
		piece(301 + i % 7 * 4096, 501, i < 29 ? VBUS_DESC_F_NEXT : 0);
	say(arrives());
}

/* The beginning of a frame is its guest's, the rest is not. */
static void s_ends(void)
{
	live_with_packets(0);
	frame(at(BUF), 4096);
	frame(at(MEM_SIZE - 4096), 4096);
	tx(IOVA + MEM_SIZE - 4096, 4097, 0);
	say(tx_result());
	tx(IOVA + BUF, 300, VBUS_DESC_F_NEXT);
	tx(OUTSIDE, 8000, 0);
	say(tx_result());
	tx(IOVA + BUF, 300, VBUS_DESC_F_NEXT);
	tx(IOVA + BUF, 4000, VBUS_DESC_F_NEXT);
	tx(~0ull - 49, 100, 0);
	say(tx_result());
	tx(IOVA + BUF, 300, VBUS_DESC_F_NEXT);
	tx(IOVA - 4096, 4097, 0);
	say(tx_result());
	/* inline, but not at the beginning */
	tx(IOVA + BUF, 300, VBUS_DESC_F_NEXT);
	tx(0, INLINE + 1, VBUS_DESC_F_INLINE);
	say(tx_result());
	say(tx_good());
}

/* Offload information that is wrong, of frames that would be lent. */
static void s_meta(void)
{
	live_with_packets(VENET_F_TX_CSUM | VENET_F_TX_TSO4);
	say(tx_meta(META(VENET_GSO_TCPV4, 0, 0, 1000), 4000));
	say(tx_meta(META(VENET_GSO_TCPV4, 16, 34, 0), 4000));
	say(tx_meta(META(0, 16, 3999, 0), 4000));
	say(tx_meta(META(0, 255, 3900, 0), 4000));
	packet_open();
	say(tx_good());
}

/* Headers of IPv6 that go on and on: they have to be copied. */
static void s_headers(void)
{
	uint8_t *f = at(BUF);
	unsigned int i;

	live_with_packets(0);
	frame(f, 2000);
	memcpy(f + 12, "\x86\xdd", 2);
	memset(f + 14, 0, 40);
	f[14] = 0x60;
	f[14 + 4] = (2000 - 54) >> 8;
	f[14 + 5] = (2000 - 54) & 0xff;
	f[14 + 6] = 60;					/* destination options */
	f[14 + 7] = 64;
	for (i = 54; i < 1000; i += 64)
		memcpy(f + i, "\x3c\x07", 2);		/* and more of them */
	tx(IOVA + BUF, 2000, 0);
	say(tx_result());
	for (i = 54; i < 1000; i += 8)			/* many short ones */
		memcpy(f + i, "\x3c\0\1\4\0\0\0\0", 8);
	tx(IOVA + BUF, 2000, 0);
	say(tx_result());
}

/* The bridge takes a moment to notice the carrier, and drops before that. */
static void await_forwarding(void)
{
	char path[80], state = 0;
	int file, ms;

	snprintf(path, sizeof(path), "/sys/class/net/%s/brport/state", ifname);
	for (ms = 0; state != '3' && ms < PATIENCE_MS; ms += 10) {
		poll(NULL, 0, 10);
		file = open(path, O_RDONLY);
		if (file < 0 || read(file, &state, 1) != 1)
			say("no bridge");
		close(file);
	}
}

/* Frames for an interface that keeps them. */
static void send_out(unsigned int n)
{
	static const uint8_t to[6] = { 2, 0, 0, 0, 0, 0x99 };

	await_forwarding();
	frame(at(BUF), 4000);
	memcpy(at(BUF), to, sizeof(to));
	while (n--)
		tx(IOVA + BUF, 4000, 0);
	signal_host(2);
}

/* A chain that is refused, and so answered: all before it were taken then. */
static const char *all_taken(void)
{
	int flags;

	tx(IOVA + BUF, 13, 0);
	signal_host(2);
	do {
		flags = completion(TXQ, &tx_done, PATIENCE_MS);
	} while (flags >= 0 && !(flags & VBUS_DESC_F_ERROR));
	return flags < 0 ? "silence" : "error";
}

/* Frames are out, then the process ends. */
static void s_out(void)
{
	live_with_packets(0);
	send_out(10);
	say(all_taken());
}

/* Frames are out: STOP does not say that the memory is free. */
static void s_stop(void)
{
	live_with_packets(0);
	send_out(10);
	say(all_taken());
	say(call_len(VENET_CALL_STOP, NULL, 0, 0));
	say(call_len(VENET_CALL_STOP, NULL, 0, 0));
	say(start_with(0, 1));
	say(all_taken());
	/* more than may be out */
	send_out(50);
	say(all_taken());
	say(call_len(VENET_CALL_STOP, NULL, 0, 0));
}

const struct scenario zerocopy_scenarios[] = {
	{ "pieces", s_pieces }, { "many", s_many }, { "ends", s_ends },
	{ "meta", s_meta }, { "headers", s_headers }, { "out", s_out },
	{ "stop", s_stop },
	{ NULL, NULL },
};
