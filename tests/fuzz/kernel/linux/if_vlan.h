/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FUZZ_IF_VLAN_H
#define FUZZ_IF_VLAN_H

#include <linux/if_ether.h>
#include <linux/skbuff.h>

#define VLAN_HLEN	4

static inline bool eth_type_vlan(__be16 type)
{
	return type == htons(ETH_P_8021Q) || type == htons(ETH_P_8021AD);
}

#endif /* FUZZ_IF_VLAN_H */
