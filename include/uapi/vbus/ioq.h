/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * ioq: descriptor rings in shared memory.
 *
 * An ioq is a single-producer/single-consumer ring of 16-byte descriptors.  The
 * phase bit of a descriptor says who owns it, so neither side ever polls an
 * index line of the other.  A *queue* of a device is a pair of them in one
 * region: the submission ring (the guest produces buffers) and the completion
 * ring (the host produces what became of them).
 *
 * Region of a queue with n = 1 << log2 descriptors per ring:
 *
 *   offset            size         content
 *   0                 64           submission consumer line (host writes)
 *   64                64           completion consumer line (guest writes)
 *   128               16 * n       submission descriptors (guest writes)
 *   128 + 16 * n      16 * n       completion descriptors (host writes)
 *   128 + 32 * n      n * inline   inline slots (guest writes), see below
 *
 * Phase and positions work as in an event queue (evq.h): position p lives in
 * descriptor p % n and its phase is !((p / n) & 1); all memory is zero when the
 * queue is registered.
 *
 * Hand-over  The producer writes the descriptors of a batch, the flags of the
 *            first one last and with release semantics (E); the consumer reads
 *            those flags with acquire semantics (F, pairs with E) and then the
 *            rest of the batch.  It copies a descriptor before it looks at it.
 * Chain      A payload of several pieces is a run of descriptors, all but the
 *            last with VBUS_DESC_F_NEXT.  Only the id of the first one counts.
 * Space      A submission slot, and its inline slot, may be used again when the
 *            completion of its chain, or of one after it, was consumed: the host
 *            has taken it then, though it may not be done with its payload.
 *            There must never be more chains without a completion than the ring
 *            has slots.  So neither ring can overflow: a completion takes one
 *            slot and answers at least one chain.
 * Order      Submissions are consumed in order.  Completions name the id they
 *            answer and may come in any order; with VBUS_DESC_F_BATCH one
 *            completion answers its chain and every unanswered one before it.
 * Signals    @event is the position whose filling the consumer wants to be
 *            told of.  After publishing, the producer executes a full barrier
 *            (G) and pushes the queue's signal on the lane if @event lies
 *            within what it published.  A consumer that wants to be told stores
 *            its position, executes a full barrier (H, pairs with G) and looks
 *            at the ring again.  A consumer that does not want to be told
 *            leaves a position that the producer has passed already.
 * Inline     A piece of at most @inline bytes may be copied to the inline slot
 *            whose index is that of its descriptor, flagged VBUS_DESC_F_INLINE;
 *            @addr is ignored then.  It costs the host no translation.
 */
#ifndef _UAPI_VBUS_IOQ_H
#define _UAPI_VBUS_IOQ_H

#include <linux/types.h>

#define VBUS_DESC_F_NEXT	0x0001u	/* the chain goes on in the next descriptor */
#define VBUS_DESC_F_INLINE	0x0002u	/* payload is in the inline slot */
#define VBUS_DESC_F_META	0x0004u	/* device-specific information, no payload */
#define VBUS_DESC_F_BATCH	0x0008u	/* completion: answers all before it too */
#define VBUS_DESC_F_ERROR	0x0010u	/* completion: the chain was malformed */
#define VBUS_DESC_F_PHASE	0x8000u	/* ownership */

#define VBUS_IOQ_LOG2_MIN	4u	/* smallest ring: 16 descriptors */
#define VBUS_IOQ_LOG2_MAX	12u	/* largest ring: 4096 descriptors */
#define VBUS_IOQ_INLINE_MAX	512u	/* largest inline slot, bytes */

/**
 * struct vbus_desc - descriptor
 * @addr:	submission: guest physical address.  Else device-specific
 * @len:	bytes
 * @id:		chosen by the guest, echoed by the completion
 * @flags:	VBUS_DESC_F_*
 */
struct vbus_desc {
	__le64 addr;
	__le32 len;
	__le16 id;
	__le16 flags;
};

/**
 * struct vbus_ioq_line - consumer line of one ring
 * @event:	position whose filling is to be signalled
 * @pad:	zero
 */
struct vbus_ioq_line {
	__le32 event;
	__le32 pad[15];
};

#define VBUS_IOQ_SUB_LINE	0u
#define VBUS_IOQ_COMP_LINE	64u
#define VBUS_IOQ_SUB_DESC	128u
#define VBUS_IOQ_COMP_DESC(log2)	(128u + (16u << (log2)))
#define VBUS_IOQ_INLINE(log2)		(128u + (32u << (log2)))
#define VBUS_IOQ_BYTES(log2, inl)	(VBUS_IOQ_INLINE(log2) + ((inl) << (log2)))

#endif /* _UAPI_VBUS_IOQ_H */
