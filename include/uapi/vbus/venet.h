/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * venet: the 802.x network device, type string "virtual-ethernet".
 *
 * The driver opens the device, asks VENET_CALL_QUERY what it can do, registers
 * its queues (VENET_SHM_RX(pair), VENET_SHM_TX(pair)) and says VENET_CALL_START
 * with the features it wants; from then on packets flow.  VENET_CALL_STOP ends
 * that: when it is answered the host has stopped using the queues.
 * In-flight buffers are not completed then; they are the driver's again, and the
 * queues are to be unregistered before the next start.  VBUS_EBUSY: it has
 * stopped, but sent frames are still read from their buffers; ask again, or never
 * use those that were not completed again.
 *
 * Transmit queue
 *   A packet is a chain.  If it needs a checksum or segmentation, or has a VLAN
 *   tag that is not in the frame, its first descriptor has VBUS_DESC_F_META, its
 *   @addr is a packet descriptor and its @len the extra word (both below).  The
 *   other descriptors are the frame from its Ethernet header on.  At most
 *   VENET_CHAIN_MAX descriptors.
 *   Completions carry no information; VBUS_DESC_F_BATCH is usual, but they may
 *   come in any order, and much later than those of other chains.
 *   VBUS_DESC_F_ERROR: the chain was malformed and nothing was sent.
 *
 * Receive queue
 *   A submission is one buffer (no chains): an address and a length of at least
 *   VENET_RX_BUF_MIN.  A received frame takes one completion for each buffer
 *   that it fills, all but the last with VBUS_DESC_F_NEXT.  @len is what was
 *   written to that buffer; @addr of the first is a packet descriptor.  All
 *   completions of a frame are published together.  VBUS_DESC_F_ERROR: the
 *   buffer could not be used; it ends the frame, which is to be discarded.
 *   With one of VENET_F_RX_HEAD the first buffer of a frame begins with a struct
 *   venet_rx_head, which its @len includes, and the frame follows that.
 *
 * Packet descriptor, 64 bits
 *   bits  7..0   GSO type, VENET_GSO_*; with VENET_GSO_F_ECN
 *   bits 15..8   checksum offset, bytes from checksum start
 *   bits 31..16  checksum start, bytes from the start of the frame; 0: none
 *   bits 47..32  GSO size: payload bytes of a segment
 *   bits 55..48  VENET_PKT_F_*; none that START did not agree on
 *   bits 63..56  zero
 *
 * Extra word, 32 bits; what no VENET_PKT_F_* gives a meaning is zero
 *   bits 15..0   VLAN: tag control information
 *   bits 23..16  TUNNEL: outer UDP header, bytes from the start of the frame
 *   bits 31..24  TUNNEL: inner IP header, bytes from the outer UDP header
 *
 * Tag
 *   A tag that the extra word tells is not in the frame; it belongs behind the
 *   two addresses.  Offsets of the packet descriptor do not count it.
 *
 * Tunnel
 *   A TCP packet in a UDP datagram (VXLAN, Geneve), to be segmented: GSO type,
 *   size, checksum start and offset are those of the inner TCP.  Behind the
 *   Ethernet header, and up to two VLAN tags, are: an IP header, the outer UDP
 *   header, anything, an IP header of the version that the GSO type says, the
 *   inner TCP header.  Neither packet is a fragment, and IPv6 has no extension
 *   headers.  Whoever segments repeats what is in front of the inner TCP header,
 *   with lengths of the segment.  The outer UDP checksum is zero, and stays
 *   so, or the sum of the pseudo header with the length of the whole datagram,
 *   and is to be completed.  There is more payload than one segment takes.
 *   What cannot be described so, the sender segments.
 */
#ifndef _UAPI_VBUS_VENET_H
#define _UAPI_VBUS_VENET_H

#include <linux/types.h>

#define VENET_TYPE		"virtual-ethernet"

#define VENET_PAIRS_MAX		16u	/* queue pairs of a device */
#define VENET_CHAIN_MAX		40u	/* descriptors of a transmit chain */
#define VENET_FRAME_MAX		65554u	/* bytes of a frame: 64 KiB, header, VLAN tag */
#define VENET_RX_BUF_MIN	512u	/* bytes of a receive buffer */
#define VENET_MTU_MIN		68u
#define VENET_MTU_MAX		65535u

#define VENET_SHM_RX(pair)	(2u * (pair))
#define VENET_SHM_TX(pair)	(2u * (pair) + 1u)

#define VENET_GSO_NONE		0u
#define VENET_GSO_TCPV4		1u
#define VENET_GSO_TCPV6		2u
#define VENET_GSO_UDP_L4	3u
#define VENET_GSO_TYPE_MASK	0x7fu
#define VENET_GSO_F_ECN		0x80u	/* TCP has CWR set in the first segment */

#define VENET_CSUM_OFFSET_MAX	0xffu	/* from where the checksum starts to where it goes */

#define VENET_PKT_F_CSUM_OK	0x01u	/* receive: checksum was verified */
#define VENET_PKT_F_VLAN	0x02u	/* 802.1Q tag in the extra word */
#define VENET_PKT_F_SVLAN	0x04u	/* ... 802.1ad; not both */
#define VENET_PKT_F_TUNNEL	0x08u	/* to be segmented inside of a UDP tunnel */

/* Parts of the extra word. */
#define VENET_EXTRA_TCI(x)	((x) & 0xffffu)
#define VENET_EXTRA_OUTER(x)	((x) >> 16 & 0xffu)
#define VENET_EXTRA_INNER(x)	((x) >> 24)

/* Features: QUERY says what the device has, START what the driver uses. */
#define VENET_F_TX_CSUM		0x01ull	/* host completes checksums of sent packets */
#define VENET_F_TX_TSO4		0x02ull	/* host segments sent TCP over IPv4 */
#define VENET_F_TX_TSO6		0x04ull	/* ... over IPv6 */
#define VENET_F_TX_USO		0x08ull	/* host segments sent UDP */
#define VENET_F_RX_CSUM		0x10ull	/* guest takes packets without checksum */
#define VENET_F_RX_TSO4		0x20ull	/* guest takes unsegmented TCP over IPv4 */
#define VENET_F_RX_TSO6		0x40ull	/* ... over IPv6 */
#define VENET_F_RX_USO		0x80ull	/* guest takes unsegmented UDP */
#define VENET_F_RSS		0x100ull	/* VENET_CALL_RSS exists; START need not name it */
#define VENET_F_RX_HASH		0x200ull	/* host tells the hash of received frames */
#define VENET_F_RX_MODE		0x400ull	/* host sends what RX_MODE asks for */
#define VENET_F_TX_TUNNEL	0x800ull	/* host segments sent TCP in UDP tunnels */
#define VENET_F_RX_TUNNEL	0x1000ull	/* guest takes it unsegmented */
#define VENET_F_TX_VLAN		0x2000ull	/* host takes 802.1Q tags beside the frame */
#define VENET_F_TX_SVLAN	0x4000ull	/* ... 802.1ad tags */
#define VENET_F_RX_VLAN		0x8000ull	/* guest takes 802.1Q tags beside the frame */
#define VENET_F_RX_SVLAN	0x10000ull	/* ... 802.1ad tags */
#define VENET_F_ALL		0x1ffffull

/* With any of these received frames have a struct venet_rx_head. */
#define VENET_F_RX_HEAD		(VENET_F_RX_HASH | VENET_F_RX_TUNNEL | \
				 VENET_F_RX_VLAN | VENET_F_RX_SVLAN)

enum venet_call {
	VENET_CALL_QUERY	= 1,	/* -> struct venet_info */
	VENET_CALL_START	= 2,	/* struct venet_start -> nothing */
	VENET_CALL_STOP		= 3,	/* nothing -> nothing */
	VENET_CALL_SET_MAC	= 4,	/* struct venet_mac -> nothing */
	VENET_CALL_COALESCE	= 5,	/* struct venet_coalesce -> nothing */
	VENET_CALL_RSS		= 6,	/* struct venet_rss -> nothing */
	VENET_CALL_RX_MODE	= 7,	/* struct venet_rx_mode, addresses -> nothing */
};

#define VENET_LINK_UP		0x1u	/* venet_info.link */

/**
 * struct venet_info - what the device is
 * @features:	VENET_F_*
 * @mtu:	MTU that the host suggests, bytes
 * @link:	VENET_LINK_*
 * @speed:	Mbit/s, 0 if not known
 * @pairs:	queue pairs on offer, 1..VENET_PAIRS_MAX
 * @mac:	address of the guest's end
 * @priority:	the device's queues belong on a lane of this priority, or of the
 *		nearest lower one that there is; 0..VBUS_PRIORITY_MAX
 * @reserved:	zero
 */
struct venet_info {
	__le64 features;
	__le32 mtu;
	__le32 link;
	__le32 speed;
	__le32 pairs;
	__u8 mac[6];
	__u8 priority;
	__u8 reserved;
};

/**
 * struct venet_start - begin
 * @features:	what the driver uses, a subset of what QUERY said.  Segmentation,
 *		tunnels included, needs the checksum feature of the same
 *		direction, and tunnels that of the inner TCP
 * @pairs:	queue pairs in use: all of 0..pairs - 1 are registered
 * @reserved:	zero
 */
struct venet_start {
	__le64 features;
	__le32 pairs;
	__le32 reserved;
};

/**
 * struct venet_mac - new address of the guest's end
 * @mac:	unicast address
 * @reserved:	zero
 */
struct venet_mac {
	__u8 mac[6];
	__u8 reserved[2];
};

#define VENET_COALESCE_USECS_MAX	10000u	/* venet_coalesce.usecs */
#define VENET_COALESCE_FRAMES_MAX	65535u	/* venet_coalesce.frames */

/**
 * struct venet_coalesce - how long received frames may wait for company
 * @pair:	queue pair, one on offer
 * @usecs:	hold the interrupt for received frames back for at most that
 *		long; 0: what the host does by itself
 * @frames:	... and for at most that many frames of the pair; 0: any number
 * @reserved:	zero
 *
 * A pair begins with zeroes when the device is opened; CALL at any time.
 */
struct venet_coalesce {
	__le32 pair;
	__le32 usecs;
	__le32 frames;
	__le32 reserved;
};

/* Packets whose addresses, or addresses and ports, are hashed: venet_rss.types */
#define VENET_RSS_IPV4		0x01u	/* addresses */
#define VENET_RSS_TCPV4		0x02u	/* addresses and ports */
#define VENET_RSS_UDPV4		0x04u
#define VENET_RSS_IPV6		0x08u	/* addresses */
#define VENET_RSS_TCPV6		0x10u	/* addresses and ports */
#define VENET_RSS_UDPV6		0x20u
#define VENET_RSS_ALL		0x3fu

#define VENET_RSS_KEY		40u	/* bytes of the key */
#define VENET_RSS_TABLE		128u	/* entries of the table */

/**
 * struct venet_rss - which queue pair receives which flow
 * @types:	VENET_RSS_*; 0: the host decides, as at first, and the rest of
 *		this is ignored
 * @reserved:	zero
 * @key:	key of the Toeplitz hash
 * @table:	queue pairs, each on offer and, while the device runs, in use
 *
 * The host hashes source address, destination address, source port, destination
 * port, as they stand in the packet; the addresses only if @types does not
 * name the packet's protocol, or if it is a fragment.  The outermost IP header
 * counts.  The lowest 7 bits of the hash are the index of the table's entry that
 * names the pair.  What is not hashed has hash 0.
 *
 * CALL at any time; it lasts until the device is closed.
 */
struct venet_rss {
	__le32 types;
	__le32 reserved;
	__u8 key[VENET_RSS_KEY];
	__u8 table[VENET_RSS_TABLE];
};

#define VENET_RX_HASH_NONE	0u	/* venet_rx_head.type */
#define VENET_RX_HASH_L3	1u	/* of the addresses */
#define VENET_RX_HASH_L4	2u	/* of the flow: addresses and ports */

/**
 * struct venet_rx_head - what precedes a received frame, with VENET_F_RX_HEAD
 * @hash:	hash of the packet's flow, 0 if @type says none.  The Toeplitz
 *		hash if VENET_CALL_RSS is in force, else what the host knows
 * @type:	VENET_RX_HASH_*; an unknown one is to be taken for none, and it is
 *		none without VENET_F_RX_HASH
 * @reserved:	zero
 * @extra:	extra word of the packet descriptor
 * @reserved2:	zero
 */
struct venet_rx_head {
	__le32 hash;
	__u8 type;
	__u8 reserved[3];
	__le32 extra;
	__u8 reserved2[4];
};

#define VENET_RX_MODE_PROMISC	0x1u	/* everything */
#define VENET_RX_MODE_ALLMULTI	0x2u	/* everything multicast */
#define VENET_RX_MODE_ALL	0x3u

#define VENET_RX_MODE_ADDRS	40u	/* addresses of a struct venet_rx_mode */

/**
 * struct venet_rx_mode - which frames the guest wants to receive
 * @flags:	VENET_RX_MODE_*
 * @unicast:	addresses beside the device's own (QUERY, SET_MAC), which is
 *		always wanted, like broadcast
 * @multicast:	addresses after these; together VENET_RX_MODE_ADDRS at most
 *
 * The addresses follow, 6 bytes each, the unicast ones first.  A driver that
 * wants more asks for all of them by a flag.  CALL at any time; it replaces what
 * was said before, lasts until CLOSE, and has an effect while the device runs
 * with VENET_F_RX_MODE.  Before the first one everything is wanted.
 */
struct venet_rx_mode {
	__le32 flags;
	__le16 unicast;
	__le16 multicast;
};

/*
 * Attributes of the host's end (rtnetlink: IFLA_INFO_DATA of kind "venet").
 * BUS and SLOT are there while the device is plugged.
 */
enum {
	IFLA_VENET_UNSPEC,
	IFLA_VENET_DEVICE,		/* string: device */
	IFLA_VENET_BUS,			/* string: bus that it is plugged into */
	IFLA_VENET_SLOT,		/* u32: slot there */
	IFLA_VENET_GUEST_MAC,		/* 6 bytes: address of the guest's end */
	IFLA_VENET_PAIRS,		/* u32: queue pairs on offer */
	IFLA_VENET_ACTIVE_PAIRS,	/* u32: in use, 0: no guest runs it */
	__IFLA_VENET_MAX
};

#define IFLA_VENET_MAX	(__IFLA_VENET_MAX - 1)

#endif /* _UAPI_VBUS_VENET_H */
