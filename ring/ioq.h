/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * ioq, producer's and consumer's side.  Protocol: uapi/vbus/ioq.h.
 *
 * Locking: one producer context and one consumer context at a time.  Nothing
 * here allocates, sleeps or logs.  The producer must know that there is space
 * (by counting completions); the consumer gets private copies only.
 */
#ifndef VBUS_RING_IOQ_H
#define VBUS_RING_IOQ_H

#include <vbus/ioq.h>
#include "shm_signal.h"

/**
 * struct vbus_ioq_prod - private state of a producer
 * @desc:	shared descriptors
 * @line:	shared consumer line
 * @size:	descriptors, a power of two
 * @pos:	everything before this position is published
 * @next:	everything before this position is written
 * @head_flags:	flags of the descriptor at @pos, kept back until publication
 */
struct vbus_ioq_prod {
	struct vbus_desc *desc;
	const struct vbus_ioq_line *line;
	u32 size;
	u32 pos;
	u32 next;
	u16 head_flags;
};

/**
 * struct vbus_ioq_cons - private state of a consumer
 * @desc:	shared descriptors
 * @line:	shared consumer line
 * @size:	descriptors, a power of two
 * @pos:	position of the next descriptor
 */
struct vbus_ioq_cons {
	const struct vbus_desc *desc;
	struct vbus_ioq_line *line;
	u32 size;
	u32 pos;
};

/* Private copy of a descriptor, fields as in struct vbus_desc. */
struct vbus_ioq_desc {
	u64 addr;
	u32 len;
	u16 id;
	u16 flags;
};

static inline bool vbus_ioq_log2_valid(u32 log2)
{
	return log2 >= VBUS_IOQ_LOG2_MIN && log2 <= VBUS_IOQ_LOG2_MAX;
}

static inline bool vbus_ioq_inline_valid(u32 len)
{
	return len <= VBUS_IOQ_INLINE_MAX && !(len & 63);
}

static inline u16 vbus_ioq_phase(u32 pos, u32 size)
{
	return pos & size ? 0 : VBUS_DESC_F_PHASE;
}

static inline void vbus_ioq_prod_init(struct vbus_ioq_prod *p,
				      struct vbus_desc *desc,
				      const struct vbus_ioq_line *line,
				      u32 size)
{
	p->desc = desc;
	p->line = line;
	p->size = size;
	p->pos = 0;
	p->next = 0;
	p->head_flags = 0;
}

/**
 * vbus_ioq_put() - write the next descriptor, unseen by the consumer
 * @p:		state
 * @d:		descriptor; the phase is added
 */
static inline void vbus_ioq_put(struct vbus_ioq_prod *p,
				const struct vbus_ioq_desc *d)
{
	struct vbus_desc *slot = &p->desc[p->next & (p->size - 1)];
	u16 flags = d->flags | vbus_ioq_phase(p->next, p->size);

	ring_store64(&slot->addr, d->addr);
	ring_store32(&slot->len, d->len);
	ring_store16(&slot->id, d->id);
	if (p->next == p->pos)
		p->head_flags = flags;
	else
		ring_store16(&slot->flags, flags);
	p->next++;
}

/* How many descriptors were put since the last publication. */
static inline u32 vbus_ioq_unpublished(const struct vbus_ioq_prod *p)
{
	return p->next - p->pos;
}

/* Index of the inline slot that belongs to the descriptor put next. */
static inline u32 vbus_ioq_put_index(const struct vbus_ioq_prod *p)
{
	return p->next & (p->size - 1);
}

/*
 * Forget what was put since the last publication.  All but the first one carry
 * a valid phase already, which would come to light behind the next publication.
 */
static inline void vbus_ioq_cancel(struct vbus_ioq_prod *p)
{
	while (p->next != p->pos && --p->next != p->pos)
		ring_store16(&p->desc[p->next & (p->size - 1)].flags,
			     vbus_ioq_phase(p->next + p->size, p->size));
}

/**
 * vbus_ioq_publish() - hand over everything put so far
 * @p:		state
 *
 * Return: true if the consumer asked to be told of one of these descriptors.
 */
static inline bool vbus_ioq_publish(struct vbus_ioq_prod *p)
{
	u32 old = p->pos;

	if (!vbus_ioq_unpublished(p))
		return false;
	/*
	 * E: orders all descriptors of the batch, and their payload, before
	 * the flags that give them away; pairs with F in vbus_ioq_peek().
	 */
	ring_store16_release(&p->desc[old & (p->size - 1)].flags,
			     p->head_flags);
	p->pos = p->next;
	/*
	 * G: orders the flags before the look at the armed position; pairs
	 * with H in shm_signal_arm(), called by vbus_ioq_arm().
	 */
	ring_mb();
	return shm_signal_due(&p->line->event, old, p->pos);
}

/**
 * vbus_ioq_drained() - has the consumer taken everything, and waits for more?
 * @p:		state
 *
 * True if it says so; what it says is no more than a hint.
 */
static inline bool vbus_ioq_drained(const struct vbus_ioq_prod *p)
{
	return ring_load32(&p->line->event) == p->pos;
}

static inline void vbus_ioq_cons_init(struct vbus_ioq_cons *c,
				      const struct vbus_desc *desc,
				      struct vbus_ioq_line *line, u32 size)
{
	c->desc = desc;
	c->line = line;
	c->size = size;
	c->pos = 0;
}

/**
 * vbus_ioq_peek() - copy a descriptor without consuming it
 * @c:		state
 * @ahead:	which: 0 is the next one; smaller than the ring
 * @d:		private copy, flags without phase
 *
 * Only the first one that is missing ends what is published: peek in order.  The
 * descriptors of a published chain are all there when its first one is; one that
 * is missing is the producer's fault.
 *
 * Return: false if it is the producer's still.
 */
static inline bool vbus_ioq_peek(const struct vbus_ioq_cons *c, u32 ahead,
				 struct vbus_ioq_desc *d)
{
	u32 pos = c->pos + ahead;
	const struct vbus_desc *slot = &c->desc[pos & (c->size - 1)];
	/* F: orders the flags before the rest; pairs with E */
	u16 flags = ring_load16_acquire(&slot->flags);

	if ((flags ^ vbus_ioq_phase(pos, c->size)) & VBUS_DESC_F_PHASE)
		return false;
	d->addr = ring_load64(&slot->addr);
	d->len = ring_load32(&slot->len);
	d->id = ring_load16(&slot->id);
	d->flags = flags & (VBUS_DESC_F_PHASE - 1u);
	return true;
}

/* Is there a descriptor?  One cached read. */
static inline bool vbus_ioq_ready(const struct vbus_ioq_cons *c)
{
	u16 flags = ring_load16(&c->desc[c->pos & (c->size - 1)].flags);

	return !((flags ^ vbus_ioq_phase(c->pos, c->size)) & VBUS_DESC_F_PHASE);
}

/* Consume @n descriptors that were peeked at. */
static inline void vbus_ioq_advance(struct vbus_ioq_cons *c, u32 n)
{
	c->pos += n;
}

/* Index of the inline slot of the descriptor @ahead. */
static inline u32 vbus_ioq_peek_index(const struct vbus_ioq_cons *c, u32 ahead)
{
	return (c->pos + ahead) & (c->size - 1);
}

/**
 * vbus_ioq_arm() - ask to be told when @ahead more descriptors have come
 * @c:		state
 * @ahead:	0: the next one; smaller than the ring
 *
 * Return: true if the caller may wait, false if it must look again: it is there
 * already or, if @ahead is not 0, part of a batch about to be published.
 */
static inline bool vbus_ioq_arm(struct vbus_ioq_cons *c, u32 ahead)
{
	struct vbus_ioq_cons then = *c;

	then.pos += ahead;
	shm_signal_arm(&c->line->event, then.pos);
	return !vbus_ioq_ready(&then);
}

/*
 * A consumer that is not to be told leaves its event word far behind; the ring
 * starts with position 0 armed, which the first publication passes.
 */
static inline void vbus_ioq_disarm(struct vbus_ioq_cons *c)
{
	ring_store32(&c->line->event, c->pos - 1);
}

#endif /* VBUS_RING_IOQ_H */
