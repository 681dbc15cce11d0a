/* SPDX-License-Identifier: GPL-2.0-only */
/* Packet descriptors of venet, for the modules of both sides. */
#ifndef VENET_PKT_H
#define VENET_PKT_H

#include <vbus/venet.h>

/**
 * venet_pkt_flags() - flags that frames of one direction may have
 * @tunnel:	START agreed on VENET_F_?X_TUNNEL of that direction
 * @vlan:	... VENET_F_?X_VLAN
 * @svlan:	... VENET_F_?X_SVLAN
 *
 * Return: VENET_PKT_F_*, of those that START has to agree on.
 */
static inline u16 venet_pkt_flags(bool tunnel, bool vlan, bool svlan)
{
	return (tunnel ? VENET_PKT_F_TUNNEL : 0) |
	       (vlan ? VENET_PKT_F_VLAN : 0) |
	       (svlan ? VENET_PKT_F_SVLAN : 0);
}

#endif /* VENET_PKT_H */
