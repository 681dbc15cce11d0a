/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP in a UDP tunnel that crosses a venet unsegmented, for the modules of both
 * sides: each is sender and receiver, and neither trusts the other.  What has to
 * hold is in uapi/vbus/venet.h.
 *
 * The receiver's stack goes by the offsets that an skb carries, so it gets none
 * that its own look at the headers does not confirm.  The sender looks in the same
 * way, and has the stack segment what the receiver would refuse.
 */
#ifndef VENET_TUNNEL_H
#define VENET_TUNNEL_H

#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <vbus/venet.h>

#define VENET_TUNNEL_GSO	(SKB_GSO_UDP_TUNNEL | SKB_GSO_UDP_TUNNEL_CSUM)

/* Does an IP packet of that version, not a fragment, go on with @proto at @end? */
static inline bool venet_tunnel_ip(const u8 *frame, u32 start, u32 end,
				   bool six, u8 proto)
{
	const struct ipv6hdr *ip6 = (const void *)(frame + start);
	const struct iphdr *ip = (const void *)(frame + start);

	if (six)
		return end == start + sizeof(*ip6) && ip6->version == 6 &&
		       ip6->nexthdr == proto;
	return end >= start + sizeof(*ip) && ip->version == 4 &&
	       end == start + ip->ihl * 4 && ip->protocol == proto &&
	       !ip_is_fragment(ip);
}

/* Where the outermost IP header of a frame is, 0: behind @end if anywhere. */
static inline u32 venet_tunnel_outer_ip(const u8 *frame, u32 end, bool *six)
{
	u32 off = offsetof(struct ethhdr, h_proto), tags = 0;
	__be16 type;

	for (; off + sizeof(type) < end; off += VLAN_HLEN) {
		memcpy(&type, frame + off, sizeof(type));
		if (eth_type_vlan(type) && tags++ < 2)
			continue;
		*six = type == htons(ETH_P_IPV6);
		return *six || type == htons(ETH_P_IP) ? off + sizeof(type) : 0;
	}
	return 0;
}

/*
 * Are the headers of the unsegmented frame where they are said to be?  @skb
 * begins with the Ethernet header, and the inner TCP header at @tcp is in its
 * head, without options.
 */
static inline bool venet_tunnel_valid(const struct sk_buff *skb, bool six,
				      u32 outer, u32 inner, u32 tcp)
{
	const u8 *frame = skb->data;
	bool outer_six;
	u32 ip, doff;

	if (outer + sizeof(struct udphdr) > inner || inner >= tcp)
		return false;
	ip = venet_tunnel_outer_ip(frame, outer, &outer_six);
	if (!ip || !venet_tunnel_ip(frame, ip, outer, outer_six, IPPROTO_UDP) ||
	    !venet_tunnel_ip(frame, inner, tcp, six, IPPROTO_TCP))
		return false;
	doff = ((const struct tcphdr *)(frame + tcp))->doff * 4;
	/* less would not be unsegmented, and its outer checksum be wrong */
	return doff >= sizeof(struct tcphdr) &&
	       tcp + doff + skb_shinfo(skb)->gso_size < skb->len;
}

static inline const struct udphdr *venet_tunnel_udp(const struct sk_buff *skb,
						    u32 outer)
{
	return (const struct udphdr *)(skb->data + outer);
}

/**
 * venet_tunnel_describe() - sender: say where the headers of a packet are
 * @skb:	unsegmented packet of a UDP tunnel, from its Ethernet header on
 * @extra:	extra word, to be added to
 *
 * Return: false if that cannot be said.
 */
static inline bool venet_tunnel_describe(const struct sk_buff *skb, u32 *extra)
{
	const struct skb_shared_info *info = skb_shinfo(skb);
	int tcp, outer, inner;

	if (skb->ip_summed != CHECKSUM_PARTIAL || !skb->encapsulation ||
	    skb->csum_offset != offsetof(struct tcphdr, check) ||
	    !(info->gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6)))
		return false;
	tcp = skb_checksum_start_offset(skb);
	outer = skb_transport_offset(skb);
	inner = skb_inner_network_offset(skb);
	if (outer < 0 || outer > VENET_EXTRA_OUTER(~0u) || inner < outer ||
	    inner - outer > VENET_EXTRA_INNER(~0u) || tcp < inner ||
	    tcp + sizeof(struct tcphdr) > skb_headlen(skb))
		return false;
	if (!venet_tunnel_valid(skb, info->gso_type & SKB_GSO_TCPV6, outer,
				inner, tcp) ||
	    !venet_tunnel_udp(skb, outer)->check ==
	    !!(info->gso_type & SKB_GSO_UDP_TUNNEL_CSUM))
		return false;
	*extra |= (u32)outer << 16 | (u32)(inner - outer) << 24;
	return true;
}

/* Sender: what the stack has to do to @skb if it cannot be described. */
static inline netdev_features_t venet_tunnel_check(const struct sk_buff *skb,
						   netdev_features_t features)
{
	u32 extra = 0;

	if (!skb_is_gso(skb) || !(skb_shinfo(skb)->gso_type & VENET_TUNNEL_GSO) ||
	    venet_tunnel_describe(skb, &extra))
		return features;
	return features & ~NETIF_F_GSO_MASK;
}

/**
 * venet_tunnel_accept() - receiver: is it a tunnel, as the other side says?
 * @skb:	packet with GSO and checksum start of the inner TCP set by
 *		virtio_net_hdr_to_skb(), from its Ethernet header on
 * @extra:	extra word
 *
 * Return: false if it is not, and @skb is to be dropped.
 */
static inline bool venet_tunnel_accept(struct sk_buff *skb, u32 extra)
{
	u32 outer = VENET_EXTRA_OUTER(extra);
	u32 inner = outer + VENET_EXTRA_INNER(extra);
	struct skb_shared_info *info = skb_shinfo(skb);
	u32 tcp = skb_checksum_start_offset(skb);
	bool six = info->gso_type & SKB_GSO_TCPV6;

	if (!skb_is_gso(skb) ||
	    !(info->gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6)) ||
	    !venet_tunnel_valid(skb, six, outer, inner, tcp))
		return false;
	info->gso_type |= venet_tunnel_udp(skb, outer)->check ?
			  SKB_GSO_UDP_TUNNEL_CSUM : SKB_GSO_UDP_TUNNEL;
	skb_set_inner_transport_header(skb, tcp);
	skb_set_inner_network_header(skb, inner);
	/* what is in front of it is the tunnel's, whatever the tunnel carries */
	skb_set_inner_mac_header(skb, inner);
	skb_set_inner_protocol(skb, six ? htons(ETH_P_IPV6) : htons(ETH_P_IP));
	skb_set_transport_header(skb, outer);
	skb->encapsulation = 1;
	return true;
}

#endif /* VENET_TUNNEL_H */
