/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FUZZ_IP_H
#define FUZZ_IP_H

#include <linux/ip.h>
#include <netinet/in.h>

/* RFC 791: an offset, or more fragments to come */
static inline bool ip_is_fragment(const struct iphdr *ip)
{
	return ip->frag_off & htons(0x3fff);
}

#endif /* FUZZ_IP_H */
