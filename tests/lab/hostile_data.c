// SPDX-License-Identifier: GPL-2.0-only
/* A guest side that does not behave: its packets, good and bad. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "hostile.h"

void open_venet(void)
{
	memset(at(RXQ), 0, VBUS_IOQ_BYTES(LOG2, INLINE));
	memset(at(TXQ), 0, VBUS_IOQ_BYTES(LOG2, INLINE));
	tx_pos = tx_done = rx_pos = rx_done = 0;
	must(verb(VBUS_VERB_OPEN, 0), "open");
	must(shm(shm_req(VENET_SHM_RX(0), 1, IOVA + RXQ)), "rx queue");
	must(shm(shm_req(VENET_SHM_TX(0), 2, IOVA + TXQ)), "tx queue");
}

static void go_live(uint64_t features)
{
	attach();
	open_venet();
	must(start_with(features, 1), "start");
}

void signal_host(unsigned int sig)
{
	struct vbus_evq *q = at(G2H);
	uint32_t phase = evq_pos / SLOTS & 1 ? 0 : VBUS_EVQ_PHASE;

	__atomic_store_n(&q->slot[evq_pos % SLOTS], phase | sig,
			 __ATOMIC_SEQ_CST);
	evq_pos++;
	ring(1);
}

static uint16_t phase_of(unsigned int pos)
{
	return pos / RING & 1 ? 0 : VBUS_DESC_F_PHASE;
}

/* Write a descriptor; it is the host's at once. */
void put(unsigned int region, unsigned int *pos, uint64_t addr,
	 uint32_t len, uint16_t id, uint16_t flags)
{
	struct vbus_desc *d = at(region + VBUS_IOQ_SUB_DESC);

	d += *pos % RING;
	d->addr = addr;
	d->len = len;
	d->id = id;
	__atomic_store_n(&d->flags, (uint16_t)(flags | phase_of(*pos)),
			 __ATOMIC_SEQ_CST);
	(*pos)++;
}

void tx(uint64_t addr, uint32_t len, uint16_t flags)
{
	put(TXQ, &tx_pos, addr, len, tx_pos, flags);
}

/* The next completion: its flags without the phase, -1: none comes. */
int completion(unsigned int region, unsigned int *pos, int patience)
{
	volatile struct vbus_desc *d = at(region + VBUS_IOQ_COMP_DESC(LOG2));
	long end = now_ms() + patience;

	d += *pos % RING;
	while ((d->flags & VBUS_DESC_F_PHASE) != phase_of(*pos)) {
		if (now_ms() >= end)
			return -1;
		wait_ms(2);
	}
	(*pos)++;
	return d->flags & ~VBUS_DESC_F_PHASE;
}

/* What became of the chain that was just put. */
const char *tx_result(void)
{
	int flags;

	signal_host(2);
	flags = completion(TXQ, &tx_done, PATIENCE_MS);
	return flags < 0 ? "silence" : flags & VBUS_DESC_F_ERROR ? "error" : "done";
}

void packet_open(void)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htobe16(ETHERTYPE),
		.sll_ifindex = if_nametoindex(ifname),
	};

	packet = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htobe16(ETHERTYPE));
	if (packet < 0 || bind(packet, (struct sockaddr *)&ll, sizeof(ll)))
		die("listen on %s", ifname);
}

/* A frame that differs each time. */
void frame(uint8_t *f, unsigned int len)
{
	static uint32_t seed = 1;
	unsigned int i;

	memset(f, 0xff, 6);
	memcpy(f + 6, "\x02\0\0\0\0\x01\x88\xb5", 8);
	for (i = 14; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		f[i] = seed >> 24;
	}
}

/* A good packet passes with the right bytes: "passed". */
const char *tx_good(void)
{
	uint8_t *f = at(BUF), got[2048];
	struct pollfd p = { .fd = packet, .events = POLLIN };
	const char *result;

	frame(f, 1000);
	tx(IOVA + BUF, 600, VBUS_DESC_F_NEXT);
	tx(IOVA + BUF + 600, 400, 0);
	result = tx_result();
	if (strcmp(result, "done"))
		return result;
	if (poll(&p, 1, PATIENCE_MS) != 1 || p.revents != POLLIN)
		return "lost";
	return recv(packet, got, sizeof(got), 0) == 1000 &&
	       !memcmp(got, f, 1000) ? "passed" : "changed";
}

/* Buffers for the host, then a packet from it. */
const char *rx_result(void)
{
	uint8_t f[1000];
	int flags;

	signal_host(1);
	frame(f, sizeof(f));
	if (send(packet, f, sizeof(f), 0) != sizeof(f))
		return strerror(errno);
	flags = completion(RXQ, &rx_done, PATIENCE_MS);
	return flags < 0 ? "silence" : flags & VBUS_DESC_F_ERROR ? "error" :
	       memcmp(at(BUF + 0x8000), f, sizeof(f)) ? "changed" : "passed";
}

void rx_buffer(uint64_t addr, uint32_t len)
{
	put(RXQ, &rx_pos, addr, len, rx_pos, 0);
}

const char *rx_good(void)
{
	memset(at(BUF + 0x8000), 0, 2048);
	rx_buffer(IOVA + BUF + 0x8000, 2048);
	return rx_result();
}

void live_with_packets(uint64_t features)
{
	packet_open();
	go_live(features);
}

/* What becomes of a packet of @len bytes with that packet descriptor. */
const char *tx_meta(uint64_t meta, unsigned int len)
{
	frame(at(BUF), len);
	tx(meta, 0, VBUS_DESC_F_META | VBUS_DESC_F_NEXT);
	tx(IOVA + BUF, len, 0);
	return tx_result();
}
