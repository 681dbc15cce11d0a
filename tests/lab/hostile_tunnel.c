// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that sends tunnels and tags, and not as it should.
 */
#define _GNU_SOURCE
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "hostile.h"

#define MANY		(VENET_F_TX_CSUM | VENET_F_TX_TSO4 | VENET_F_TX_TSO6 | \
			 VENET_F_TX_USO)
#define MORE		(MANY | VENET_F_TX_TUNNEL | VENET_F_TX_VLAN | \
			 VENET_F_TX_SVLAN)
#define LEN		8000u	/* of a frame; too short to be lent */
#define LONG		30000u	/* ... and long enough */
#define SEGMENT		1000u
#define BATCH		24u
#define HEADERS		200u	/* bytes in which the headers are */
#define RANDOM_MS	8000

/* A frame: VXLAN with TCP in it, and what the host is told of it. */
struct tunnel {
	uint8_t *f;
	unsigned int len, outer_ip, outer, inner, tcp;
	unsigned int type, csum_off, size, flags;
};

static int tap = -1;

static void put16(uint8_t *p, unsigned int value)
{
	p[0] = value >> 8;
	p[1] = value;
}

/* An IP header; returns what comes after it. */
static uint8_t *ip_header(uint8_t *p, int six, unsigned int proto,
			  unsigned int payload)
{
	static const uint8_t from[4] = { 10, 84, 0, 2 }, to[4] = { 10, 84, 0, 1 };

	if (six) {
		memset(p, 0, 40);
		p[0] = 0x60;
		put16(p + 4, payload);
		p[6] = proto;
		p[7] = 64;
		memcpy(p + 8, "\xfd\x84\0\0\0\0\0\0\0\0\0\0\0\0\0\2", 16);
		memcpy(p + 24, "\xfd\x84\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
		return p + 40;
	}
	memset(p, 0, 20);
	p[0] = 0x45;
	put16(p + 2, payload + 20);
	p[8] = 64;
	p[9] = proto;
	memcpy(p + 12, from, 4);
	memcpy(p + 16, to, 4);
	{
		uint32_t sum = 0;
		unsigned int i;

		for (i = 0; i < 20; i += 2)
			sum += p[i] << 8 | p[i + 1];
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		put16(p + 10, ~sum);
	}
	return p + 20;
}

static struct tunnel tunnel(int outer_six, int inner_six, unsigned int len)
{
	struct tunnel t = { .f = at(BUF), .len = len, .csum_off = 16,
			    .size = SEGMENT, .flags = VENET_PKT_F_TUNNEL };
	uint8_t *p = t.f, *end = t.f + len;

	frame(p, len);
	put16(p + 12, outer_six ? 0x86dd : 0x0800);
	p += 14;
	t.outer_ip = p - t.f;
	p = ip_header(p, outer_six, IPPROTO_UDP,
		      end - p - (outer_six ? 40 : 20));
	t.outer = p - t.f;
	put16(p, 5555);
	put16(p + 2, 4789);
	put16(p + 4, end - p);
	put16(p + 6, outer_six ? 0x1234 : 0);
	memcpy(p + 8, "\x08\0\0\0\0\0\7\0", 8);
	p += 16;
	memset(p, 0xff, 6);
	memcpy(p + 6, "\x02\0\0\0\0\x03", 6);
	put16(p + 12, inner_six ? 0x86dd : 0x0800);
	p += 14;
	t.inner = p - t.f;
	p = ip_header(p, inner_six, IPPROTO_TCP,
		      end - p - (inner_six ? 40 : 20));
	t.tcp = p - t.f;
	p[12] = 0x50;
	p[13] = 0x10;
	t.type = inner_six ? VENET_GSO_TCPV6 : VENET_GSO_TCPV4;
	return t;
}

static void put_told(uint64_t meta, uint32_t extra, unsigned int len)
{
	tx(meta, extra, VBUS_DESC_F_META | VBUS_DESC_F_NEXT);
	tx(IOVA + BUF, len, 0);
}

static void put_tunnel(const struct tunnel *t)
{
	put_told(META(t->type, t->csum_off, t->tcp, t->size) |
		 (uint64_t)t->flags << 48,
		 (t->outer & 0xff) << 16 | (t->inner - t->outer) << 24, t->len);
}

static const char *tunnel_result(const struct tunnel *t)
{
	put_tunnel(t);
	return tx_result();
}

/* ------------------------------------------------- what arrives at the host */

static void tap_open(void)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htobe16(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(ifname),
	};
	int one = 1;

	tap = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (tap < 0 ||
	    setsockopt(tap, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) ||
	    bind(tap, (struct sockaddr *)&ll, sizeof(ll)))
		die("listen on %s", ifname);
}

/* The next frame of ours: its tag, "whole" without one, or what is wrong. */
static const char *arrives(const uint8_t *f, unsigned int len)
{
	static uint8_t got[65600];
	static char tag[16];
	union {
		struct cmsghdr align;
		uint8_t b[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct iovec iov = { got, sizeof(got) };
	struct pollfd p = { .fd = tap, .events = POLLIN };
	struct tpacket_auxdata aux;
	struct msghdr m;
	ssize_t n;

	do {
		m = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1,
				     .msg_control = &control,
				     .msg_controllen = sizeof(control) };
		if (poll(&p, 1, PATIENCE_MS) != 1)
			return "lost";
		n = recvmsg(tap, &m, 0);
	} while (n < 12 || memcmp(got + 6, f + 6, 6));
	if (n != (ssize_t)len || memcmp(got, f, len))
		return "changed";
	memcpy(&aux, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(aux));
	if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
		return "whole";
	snprintf(tag, sizeof(tag), "%04x:%04x", aux.tp_vlan_tpid,
		 aux.tp_vlan_tci);
	return tag;
}

/* -------------------------------------------------------------- scenarios */

static void s_tunnel(void)
{
	unsigned int six;

	live_with_packets(MORE);
	tap_open();
	for (six = 0; six < 2; six++) {
		struct tunnel t = tunnel(six, six, LEN);

		put_tunnel(&t);
		say(strcmp(tx_result(), "done") ? "refused" :
						  arrives(t.f, t.len));
	}
	packet_open();
	say(tx_good());
}

static void s_not_agreed(void)
{
	struct tunnel t;

	live_with_packets(MANY);
	t = tunnel(0, 0, LEN);
	say(tunnel_result(&t));
	put_told((uint64_t)VENET_PKT_F_VLAN << 48, 5, 1000);
	say(tx_result());
	put_told((uint64_t)VENET_PKT_F_SVLAN << 48, 5, 1000);
	say(tx_result());
	say(tx_good());
}

static void s_flags(void)
{
	static const unsigned int flags[] = { VENET_PKT_F_CSUM_OK, 0x20, 0x80,
		0x100, 0x8000, VENET_PKT_F_VLAN | VENET_PKT_F_SVLAN };
	unsigned int i;

	live_with_packets(MORE);
	frame(at(BUF), 1000);
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		put_told((uint64_t)flags[i] << 48, 5, 1000);
		say(tx_result());
	}
	say(tx_good());
}

static unsigned int chains, accepted, refused;
static uint16_t last_id;

/* Have the host take what was put, and count. */
static void run_batch(void)
{
	const struct vbus_desc *d = at(TXQ + VBUS_IOQ_COMP_DESC(LOG2));
	unsigned int bad = 0;
	uint16_t id;
	int flags;

	signal_host(2);
	do {
		flags = completion(TXQ, &tx_done, PATIENCE_MS);
		id = d[(tx_done - 1) % RING].id;
		bad += flags >= 0 && flags & VBUS_DESC_F_ERROR;
	} while (flags >= 0 && id != last_id);
	refused += bad;
	accepted += chains - bad;
	chains = 0;
}

static void put_batch(const struct tunnel *t)
{
	last_id = tx_pos;
	put_tunnel(t);
	if (++chains == BATCH)
		run_batch();
}

static void say_refused(void)
{
	if (chains)
		run_batch();
	if (accepted)
		printf("%u of %u accepted, ", accepted, accepted + refused);
	else
		printf("all refused, ");
}

static void s_offsets(void)
{
	unsigned int six, i;

	live_with_packets(MORE);
	for (six = 0; six < 2; six++) {
		const struct tunnel right = tunnel(six, six, LEN);
		struct tunnel t;

		for (i = 0; i < 256; i++) {
			t = right;
			t.outer = i;
			if (i != right.outer)
				put_batch(&t);
			t = right;
			t.inner = t.outer + i;
			if (t.inner != right.inner)
				put_batch(&t);
			t = right;
			t.tcp = i < 240 ? i : LEN - 256 + i;
			if (t.tcp != right.tcp)
				put_batch(&t);
		}
		t = right;
		t.tcp = 0xffff;
		put_batch(&t);
	}
	say_refused();
	say(tx_good());
}

/* One byte of @right is another one. */
static void put_changed(const struct tunnel *right, unsigned int off,
			uint8_t value)
{
	uint8_t was = right->f[off];

	right->f[off] = value;
	put_batch(right);
	run_batch();
	right->f[off] = was;
}

static void s_headers(void)
{
	struct tunnel r, t;
	unsigned int i;

	live_with_packets(MORE);
	r = tunnel(0, 0, LEN);
	for (i = 0; i < 2; i++) {
		unsigned int ip = i ? r.inner : r.outer_ip;

		put_changed(&r, ip, 0x44);		/* too short */
		put_changed(&r, ip, 0x46);		/* options */
		put_changed(&r, ip, 0x4f);
		put_changed(&r, ip, 0x65);		/* version 6 */
		put_changed(&r, ip + 6, 0x20);		/* more fragments */
		put_changed(&r, ip + 6, 0x01);		/* a later one */
		put_changed(&r, ip + 7, 0x01);
		put_changed(&r, ip + 9, i ? IPPROTO_UDP : IPPROTO_TCP);
		put_changed(&r, ip + 9, 0);
	}
	put_changed(&r, 12, 0x86);			/* types of Ethernet */
	put_changed(&r, 13, 0x06);
	put_changed(&r, r.tcp + 12, 0x00);		/* headers of TCP */
	put_changed(&r, r.tcp + 12, 0x40);
	for (i = 0; i < 9; i++) {
		t = r;
		switch (i) {
		case 0:
			t.type = VENET_GSO_NONE;
			break;
		case 1:
			t.type = VENET_GSO_TCPV6;
			break;
		case 2:
			t.type = VENET_GSO_UDP_L4;
			t.csum_off = 6;
			break;
		case 3:
			t.csum_off = 14;
			break;
		case 4:
			t.size = 0;
			break;
		case 5:
			t.size = 0xffff;
			break;
		case 6:					/* one segment */
			t.size = t.len - t.tcp - 20;
			break;
		case 7:
			t.len = t.tcp + 20;
			break;
		case 8:
			t.len = t.tcp + 10;
			break;
		}
		put_batch(&t);
	}
	run_batch();
	r = tunnel(1, 1, LEN);
	for (i = 0; i < 2; i++) {
		unsigned int ip = i ? r.inner : r.outer_ip;

		put_changed(&r, ip, 0x45);		/* version 4 */
		put_changed(&r, ip + 6, 0);		/* extension headers */
		put_changed(&r, ip + 6, 44);
		put_changed(&r, ip + 6, i ? IPPROTO_UDP : IPPROTO_TCP);
	}
	t = r;
	t.type = VENET_GSO_TCPV4;
	put_batch(&t);
	say_refused();
	say(tx_good());
}

static void s_tags(void)
{
	live_with_packets(MORE);
	tap_open();
	frame(at(BUF), 1000);
	put_told((uint64_t)VENET_PKT_F_VLAN << 48, 0xdeada005, 1000);
	say(strcmp(tx_result(), "done") ? "refused" : arrives(at(BUF), 1000));
	put_told((uint64_t)VENET_PKT_F_SVLAN << 48, 0xffff, 1000);
	say(strcmp(tx_result(), "done") ? "refused" : arrives(at(BUF), 1000));
	packet_open();
	say(tx_good());
}

/* Tunnels that are almost right, for whoever is behind the host's interface. */
static void s_random(void)
{
	long end;
	unsigned int i, n;

	live_with_packets(MORE);
	srand(1);
	for (end = now_ms() + RANDOM_MS; now_ms() < end; ) {
		static const unsigned int lens[] = { LEN, LONG, HEADERS, 1500 };
		struct tunnel t = tunnel(rand() & 1, rand() & 1,
					 lens[rand() % 4]);

		/* some headers are the same for all of a batch */
		for (n = rand() % 3; n--; )
			t.f[rand() % HEADERS] = rand();
		for (i = 0; i < BATCH; i++) {
			struct tunnel s = t;

			if (rand() % 4 == 0)
				s.len = rand() % t.len + 14;
			if (rand() % 4 == 0)
				s.size = 1 << rand() % 16;
			if (rand() % 4 == 0)
				s.flags |= rand() % 2 ? VENET_PKT_F_VLAN :
							VENET_PKT_F_SVLAN;
			if (rand() % 8 == 0)
				s.type = rand() % 4;
			if (rand() % 8 == 0)
				s.outer += rand() % 8 - 4;
			if (rand() % 8 == 0)
				s.tcp = rand() % HEADERS;
			put_tunnel(&s);
			/* whatever it is, while the host looks at it */
			if (rand() % 4 == 0)
				t.f[rand() % HEADERS] ^= 1 << rand() % 8;
		}
		signal_host(2);
		while (completion(TXQ, &tx_done, 20) >= 0)
			;
	}
	say(strcmp(verb(VBUS_VERB_LIST, 0), "OK") ? "dead" : "survived");
}

const struct scenario tunnel_scenarios[] = {
	{ "tunnel", s_tunnel }, { "not_agreed", s_not_agreed },
	{ "flags", s_flags }, { "offsets", s_offsets },
	{ "tunnel_headers", s_headers }, { "tags", s_tags }, { "random", s_random },
	{ NULL, NULL },
};
