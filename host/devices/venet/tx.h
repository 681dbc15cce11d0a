/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the guest sends: shared between tx.c and zerocopy.c.
 */
#ifndef VBUS_VENET_TX_H
#define VBUS_VENET_TX_H

#include "venet.h"

#define VENET_LINEAR	256	/* bytes of a big frame that go to the head */

/**
 * struct venet_chain - private copy of a chain
 * @id:		of its first descriptor
 * @nr:		descriptors consumed
 * @len:	bytes of the frame
 * @meta:	packet descriptor, 0: nothing special
 * @extra:	extra word
 * @pieces:	pieces of the frame; 0: impossible
 * @desc:	the pieces
 * @slot:	inline slot of each piece
 */
struct venet_chain {
	u16 id;
	u32 nr;
	u32 len;
	u64 meta;
	u32 extra;
	u32 pieces;
	struct vbus_ioq_desc desc[VENET_CHAIN_MAX];
	u32 slot[VENET_CHAIN_MAX];
};

/* tx.c */
void venet_tx_complete(struct vbus_queue *q, u16 id, u16 flags);

/* zerocopy.c; owner of the queue's lane.  There may be no @loans. */
struct sk_buff *venet_loans_packet(struct vbus_queue *q,
				   const struct venet_chain *c);
void venet_loans_lend(struct vbus_queue *q, const struct venet_chain *c,
		      struct sk_buff *skb);
bool venet_loans_out(const struct venet_loans *loans);
void venet_loans_begin(struct vbus_queue *q);
void venet_loans_end(struct vbus_queue *q);

#endif /* VBUS_VENET_TX_H */
