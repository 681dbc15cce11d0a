// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fuzzer is the other side of a venet that says where a tunnel's headers are, and
 * the stack that hands over packets of which that is to be said.
 *
 * Checked: nothing beyond the head of a packet is read (it is an allocation of its
 * exact size); what is accepted has headers where the stack will look for them, by a
 * second look that shares no code with the first one; and what a sender describes its
 * receiver accepts, and understands in the same way.
 */

#include <net/venet_tunnel.h>

#include "fuzz.h"

#define HEAD_MAX	256u
#define EDITS_MAX	6
#define TCP_MIN		20u

/* Where the headers of a frame are. */
struct layout {
	u32 outer;	/* UDP */
	u32 inner;	/* IP */
	u32 tcp;
	bool six;	/* the inner one */
};

/* An IP header with @proto at @at, with options if it can have some. */
static u32 make_ip(u8 *f, u32 at, bool six, u8 proto)
{
	u32 options = six ? 0 : next8() & 1;

	if (six) {
		f[at] = 0x60;
		f[at + 6] = proto;
		return at + 40;
	}
	f[at] = 0x45 + options;
	f[at + 9] = proto;
	return at + 20 + 4 * options;
}

/* A frame of TCP in a tunnel, as it should be. */
static u32 make(u8 *f, struct layout *l)
{
	u8 how = next8();
	bool six = how & 1;
	u32 tags = how >> 1 & 3, at = 12, i;

	l->six = how & 8;
	for (i = 0; i < tags; i++, at += 4) {
		f[at] = 0x81;
		f[at + 1] = 0;
	}
	f[at] = six ? 0x86 : 0x08;
	f[at + 1] = six ? 0xdd : 0x00;
	l->outer = make_ip(f, at + 2, six, IPPROTO_UDP);
	f[l->outer + 6] = how & 16 ? 0x12 : 0;	/* checksum */
	l->inner = l->outer + 8 + (next8() & 31);
	l->tcp = make_ip(f, l->inner, l->six, IPPROTO_TCP);
	f[l->tcp + 12] = (next8() & 3) ? 0x50 : 0x80;
	return l->tcp + TCP_MIN;
}

/* The second look at an IP header at @at that is to end at @end. */
static void check_ip(const u8 *f, u32 at, u32 end, bool six, u8 proto)
{
	if (six) {
		CHECK(f[at] >> 4 == 6 && f[at + 6] == proto && end == at + 40);
		return;
	}
	CHECK(f[at] >> 4 == 4 && (f[at] & 15) >= 5);
	CHECK(end == at + (f[at] & 15) * 4u && f[at + 9] == proto);
	CHECK(!(f[at + 6] & 0x3f) && !f[at + 7]);
}

/* What the stack relies on when it segments a packet that was accepted. */
static void check_accepted(const struct sk_buff *skb)
{
	u32 outer = skb->transport_header, tcp = skb->inner_transport_header;
	u32 inner = skb->inner_network_header, at = 12, doff;
	const u8 *f = skb->data;
	bool six = skb->info.gso_type & SKB_GSO_TCPV6;
	u32 tunnel = skb->info.gso_type & VENET_TUNNEL_GSO;

	CHECK(skb->encapsulation && outer + 8 <= inner && inner < tcp);
	CHECK(tcp == (u32)skb->csum_start && tcp + TCP_MIN <= skb->headlen);
	while (f[at] == 0x81 || f[at] == 0x88)
		at += 4;
	check_ip(f, at + 2, outer, f[at] == 0x86, IPPROTO_UDP);
	CHECK(f[at] == 0x86 ? f[at + 1] == 0xdd : !f[at + 1]);
	check_ip(f, inner, tcp, six, IPPROTO_TCP);
	CHECK(tunnel == (f[outer + 6] || f[outer + 7] ? SKB_GSO_UDP_TUNNEL_CSUM :
						      SKB_GSO_UDP_TUNNEL));
	CHECK(skb->inner_protocol == htons(six ? ETH_P_IPV6 : ETH_P_IP));
	CHECK(skb->inner_mac_header == (int)inner);
	doff = (f[tcp + 12] >> 4) * 4;
	/* two segments at least */
	CHECK(doff >= TCP_MIN && skb->len > tcp + doff + skb->info.gso_size);
}

/* The receiver, when virtio_net_hdr_to_skb() has let the packet pass. */
static void receive(struct sk_buff *skb, u32 extra)
{
	/* which knows no tunnels */
	skb->info.gso_type &= ~VENET_TUNNEL_GSO;
	/* it sees to it that the TCP header, without options, is in the head */
	if (skb->csum_start + TCP_MIN > skb->headlen)
		return;
	if (venet_tunnel_accept(skb, extra))
		check_accepted(skb);
}

/* The sender, and the receiver of what it says. */
static void transmit(const struct sk_buff *skb)
{
	struct sk_buff there = *skb;
	u32 tci = next16(), extra = tci;
	const u32 tunnel = skb->info.gso_type & VENET_TUNNEL_GSO;

	/* its callers look for that first */
	if (!skb_is_gso(skb) || !venet_tunnel_describe(skb, &extra))
		return;
	CHECK(VENET_EXTRA_TCI(extra) == tci);
	there.encapsulation = 0;
	there.info.gso_type &= ~VENET_TUNNEL_GSO;
	there.transport_header = there.inner_network_header = -1;
	CHECK(venet_tunnel_accept(&there, extra));
	check_accepted(&there);
	CHECK(there.transport_header == skb->transport_header);
	CHECK(there.inner_network_header == skb->inner_network_header);
	/* the sender cannot have meant another kind of checksum */
	CHECK(!(tunnel & SKB_GSO_UDP_TUNNEL_CSUM) ==
	      !(there.info.gso_type & SKB_GSO_UDP_TUNNEL_CSUM));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u8 frame[HEAD_MAX] = {}, how, edits;
	struct sk_buff skb = {};
	struct layout l;
	u32 head;

	input = data;
	input_left = size;
	how = next8();
	head = make(frame, &l);
	CHECK(head <= HEAD_MAX);
	/* some of it is wrong, or it is not as long as it should be */
	for (edits = next8() % (EDITS_MAX + 1); edits; edits--) {
		u8 at = next8();

		frame[at % head] = next8();
	}
	if (how & 1)
		head = next8() % (head + 1);
	skb.headlen = head;
	skb.len = head + next16();
	skb.csum_start = how & 2 ? next16() : l.tcp;
	skb.csum_offset = how & 4 ? next8() : 16;
	skb.ip_summed = how & 8 ? next8() & 3 : CHECKSUM_PARTIAL;
	skb.info.gso_size = next16();
	skb.info.gso_type = how & 16 ? next16() :
			    l.six ? SKB_GSO_TCPV6 : SKB_GSO_TCPV4;
	skb.transport_header = how & 32 ? (int16_t)next16() : (int)l.outer;
	skb.inner_network_header = how & 64 ? (int16_t)next16() : (int)l.inner;
	skb.data = malloc(head);
	CHECK(skb.data);
	memcpy(skb.data, frame, head);
	if (how & 128) {
		skb.encapsulation = next8() != 1;
		if (!(how & 16))
			skb.info.gso_type |= next8() & 1 ?
					     SKB_GSO_UDP_TUNNEL_CSUM :
					     SKB_GSO_UDP_TUNNEL;
		transmit(&skb);
	} else {
		receive(&skb, (u32)next16() | (u32)(skb.transport_header & 0xff) << 16 |
			      (u32)(skb.inner_network_header -
				    skb.transport_header) << 24);
	}
	free(skb.data);
	return 0;
}
