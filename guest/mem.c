// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that is shared with the host.
 *
 * The host reads and writes it until it says that it stopped.  If it never says
 * so the memory must not be given to anyone else: it goes to the bus's limbo,
 * until the transport was reset.
 */
#include <linux/gfp.h>
#include <linux/slab.h>
#include "guest.h"

struct mem_limbo {
	struct list_head entry;
	struct vbus_mem mem;
};

int vbus_mem_alloc(struct vbus_guest *guest, struct vbus_mem *mem, size_t size)
{
	const gfp_t gfp = GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN;

	size = PAGE_ALIGN(size);
	if (guest->dma_dev) {
		mem->va = dma_alloc_coherent(guest->dma_dev, size, &mem->addr,
					     gfp);
	} else {
		mem->va = alloc_pages_exact(size, gfp | __GFP_RETRY_MAYFAIL);
		if (mem->va)
			mem->addr = virt_to_phys(mem->va);
	}
	mem->size = mem->va ? size : 0;
	return mem->va ? 0 : -ENOMEM;
}

/* The host does not use @mem any more; it may be empty. */
void vbus_mem_free(struct vbus_guest *guest, struct vbus_mem *mem)
{
	if (!mem->size)
		return;
	if (guest->dma_dev)
		dma_free_coherent(guest->dma_dev, mem->size, mem->va,
				  mem->addr);
	else
		free_pages_exact(mem->va, mem->size);
	mem->size = 0;
}

/* The host may still use @mem: keep it until vbus_mem_reap(). */
void vbus_mem_abandon(struct vbus_guest *guest, struct vbus_mem *mem)
{
	struct mem_limbo *limbo = kmalloc(sizeof(*limbo), GFP_KERNEL);

	dev_warn_ratelimited(&guest->dev,
			     "host does not answer: %zu bytes kept back\n",
			     mem->size);
	if (!limbo)
		return;	/* leaked: better than a host that writes into it */
	limbo->mem = *mem;
	mutex_lock(&guest->sig_lock);
	list_add(&limbo->entry, &guest->limbo);
	mutex_unlock(&guest->sig_lock);
	mem->size = 0;
}

/* The host was reset. */
void vbus_mem_reap(struct vbus_guest *guest)
{
	struct mem_limbo *limbo, *next;

	mutex_lock(&guest->sig_lock);
	list_for_each_entry_safe(limbo, next, &guest->limbo, entry) {
		list_del(&limbo->entry);
		vbus_mem_free(guest, &limbo->mem);
		kfree(limbo);
	}
	mutex_unlock(&guest->sig_lock);
}
