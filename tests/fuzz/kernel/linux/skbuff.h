/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of the kernel's packets as net/venet_tunnel.h uses, to run it in a process.
 * Offsets count from @data; @data is an allocation of exactly @headlen bytes.
 */
#ifndef FUZZ_SKBUFF_H
#define FUZZ_SKBUFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <linux/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef u64 netdev_features_t;

#define NETIF_F_GSO_MASK	0xff0000ull

#define CHECKSUM_NONE		0
#define CHECKSUM_PARTIAL	3

#define SKB_GSO_TCPV4		(1u << 0)
#define SKB_GSO_TCPV6		(1u << 4)
#define SKB_GSO_UDP_TUNNEL	(1u << 10)
#define SKB_GSO_UDP_TUNNEL_CSUM	(1u << 11)

struct skb_shared_info {
	u32 gso_type;
	u16 gso_size;
};

struct sk_buff {
	u8 *data;
	u32 len;
	u32 headlen;
	u8 ip_summed;
	u8 encapsulation;
	u16 csum_offset;
	__be16 inner_protocol;
	int csum_start;
	int transport_header;
	int inner_mac_header;
	int inner_network_header;
	int inner_transport_header;
	struct skb_shared_info info;
};

#define skb_shinfo(skb)			(&((struct sk_buff *)(skb))->info)
#define skb_is_gso(skb)			((skb)->info.gso_size)
#define skb_headlen(skb)		((skb)->headlen)
#define skb_checksum_start_offset(skb)	((skb)->csum_start)
#define skb_transport_offset(skb)	((skb)->transport_header)
#define skb_inner_network_offset(skb)	((skb)->inner_network_header)
#define skb_set_transport_header(skb, at)	((skb)->transport_header = (at))
#define skb_set_inner_mac_header(skb, at)	((skb)->inner_mac_header = (at))
#define skb_set_inner_network_header(skb, at)	((skb)->inner_network_header = (at))
#define skb_set_inner_transport_header(skb, at)	((skb)->inner_transport_header = (at))
#define skb_set_inner_protocol(skb, proto)	((skb)->inner_protocol = (proto))

#endif /* FUZZ_SKBUFF_H */
