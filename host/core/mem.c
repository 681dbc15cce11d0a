// SPDX-License-Identifier: GPL-2.0-only
/*
 * memctx: how the host reaches guest memory.
 *
 * A connector says which guest addresses are which host pages; the pages stay
 * referenced until the context is freed, even if the connector's own pin goes
 * first.  The table is two loads deep: a directory of leaves, a leaf for each
 * VBUS_LEAF_SIZE bytes of guest address space with one entry per page.
 *
 * Lifetime: filled by one thread, then read-only.  Readers are kept away by the
 * session before it is freed (see session.c).
 */
#define pr_fmt(fmt) "vbus: " fmt

#include <linux/io.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "core.h"

#define VBUS_LEAF_SHIFT		27	/* a leaf covers 128 MiB */
#define VBUS_LEAF_SIZE		(1ull << VBUS_LEAF_SHIFT)
#define VBUS_LEAF_PAGES		(1u << (VBUS_LEAF_SHIFT - PAGE_SHIFT))
#define VBUS_DIR_MAX		(1u << 17)	/* 16 TiB of guest addresses */

/**
 * struct vbus_mem - memory of a guest
 * @identity:	guest addresses are host physical addresses (same kernel)
 * @ndir:	entries of @dir
 * @pages:	pages mapped
 * @dir:	leaves; an entry is a page-aligned physical address and VBUS_MEM_*
 *		permissions, 0: not mapped
 */
struct vbus_mem {
	bool identity;
	u32 ndir;
	size_t pages;
	u64 **dir;
};

struct vbus_mem *vbus_mem_alloc(void)
{
	return kzalloc(sizeof(struct vbus_mem), GFP_KERNEL);
}
EXPORT_SYMBOL_GPL(vbus_mem_alloc);

/**
 * vbus_mem_alloc_identity() - the memory of this very kernel
 *
 * For a guest side that runs in the same kernel, and for nobody else: it gives
 * access to all memory.
 */
struct vbus_mem *vbus_mem_alloc_identity(void)
{
	struct vbus_mem *mem = vbus_mem_alloc();

	if (mem)
		mem->identity = true;
	return mem;
}
EXPORT_SYMBOL_GPL(vbus_mem_alloc_identity);

static int vbus_mem_grow(struct vbus_mem *mem, u32 ndir)
{
	u64 **dir;

	if (ndir <= mem->ndir)
		return 0;
	dir = kvcalloc(ndir, sizeof(*dir), GFP_KERNEL_ACCOUNT);
	if (!dir)
		return -ENOMEM;
	if (mem->ndir)
		memcpy(dir, mem->dir, mem->ndir * sizeof(*dir));
	kvfree(mem->dir);
	mem->dir = dir;
	mem->ndir = ndir;
	return 0;
}

/**
 * vbus_mem_add() - map a range
 * @mem:	context that nobody reads yet
 * @addr:	guest address
 * @size:	bytes
 * @pa:		host physical address of pinned memory
 * @perm:	VBUS_MEM_*
 *
 * A reference of each page is taken.  Addresses beyond 16 TiB are left out (a
 * device BAR, perhaps): they cannot be used for I/O, which is no error.
 *
 * Return: 0, -EINVAL (not page-aligned, overlap, not memory) or -ENOMEM.
 */
int vbus_mem_add(struct vbus_mem *mem, u64 addr, u64 size, phys_addr_t pa,
		 unsigned int perm)
{
	u64 end, *leaf;
	u32 i;
	int err;

	if (!size || !PAGE_ALIGNED(addr | size | pa) ||
	    check_add_overflow(addr, size, &end))
		return -EINVAL;
	if (end > ((u64)VBUS_DIR_MAX << VBUS_LEAF_SHIFT))
		return 0;
	err = vbus_mem_grow(mem, ((end - 1) >> VBUS_LEAF_SHIFT) + 1);
	if (err)
		return err;

	for (; addr < end; addr += PAGE_SIZE, pa += PAGE_SIZE) {
		i = addr >> VBUS_LEAF_SHIFT;
		if (!mem->dir[i]) {
			mem->dir[i] = kvcalloc(VBUS_LEAF_PAGES, sizeof(u64),
					       GFP_KERNEL_ACCOUNT);
			if (!mem->dir[i])
				return -ENOMEM;
		}
		leaf = &mem->dir[i][(addr & (VBUS_LEAF_SIZE - 1)) >> PAGE_SHIFT];
		if (*leaf || !pfn_valid(PHYS_PFN(pa)))
			return -EINVAL;
		get_page(pfn_to_page(PHYS_PFN(pa)));
		*leaf = pa | perm;
		mem->pages++;
		if (!(mem->pages & 0xffff))
			cond_resched();
	}
	return 0;
}
EXPORT_SYMBOL_GPL(vbus_mem_add);

static void vbus_mem_free_leaf(u64 *leaf)
{
	u32 i;

	for (i = 0; i < VBUS_LEAF_PAGES; i++)
		if (leaf[i])
			put_page(pfn_to_page(PHYS_PFN(leaf[i] & PAGE_MASK)));
	kvfree(leaf);
	cond_resched();
}

/* Give everything back.  Nobody reads @mem any more; NULL is fine. */
void vbus_mem_free(struct vbus_mem *mem)
{
	u32 i;

	if (!mem)
		return;
	for (i = 0; i < mem->ndir; i++)
		if (mem->dir[i])
			vbus_mem_free_leaf(mem->dir[i]);
	kvfree(mem->dir);
	kfree(mem);
}
EXPORT_SYMBOL_GPL(vbus_mem_free);

/* Bytes of guest memory that are mapped; 0 for the identity. */
size_t vbus_mem_size(const struct vbus_mem *mem)
{
	return mem ? mem->pages << PAGE_SHIFT : 0;
}
EXPORT_SYMBOL_GPL(vbus_mem_size);

/**
 * vbus_mem_ptr() - translate a guest address
 * @mem:	context
 * @addr:	guest address
 * @len:	in: bytes wanted; out: bytes that are contiguous, at least 1
 * @perm:	VBUS_MEM_* wanted
 *
 * Any context.  The content may change under the caller at any time.
 *
 * Return: the host's address, or NULL.
 */
void *vbus_mem_ptr(const struct vbus_mem *mem, u64 addr, size_t *len,
		   unsigned int perm)
{
	size_t off = offset_in_page(addr);
	u64 i = addr >> VBUS_LEAF_SHIFT;
	u64 entry;

	*len = min(*len, (size_t)PAGE_SIZE - off);
	if (mem->identity) {
		if (addr >> MAX_PHYSMEM_BITS || !pfn_valid(PHYS_PFN(addr)))
			return NULL;
		return phys_to_virt(addr);
	}
	if (i >= mem->ndir || !mem->dir[i])
		return NULL;
	entry = mem->dir[i][(addr & (VBUS_LEAF_SIZE - 1)) >> PAGE_SHIFT];
	if ((entry & perm) != perm)
		return NULL;
	return phys_to_virt(entry & PAGE_MASK) + off;
}
EXPORT_SYMBOL_GPL(vbus_mem_ptr);

/**
 * vbus_mem_page() - the page behind a guest address, with a reference
 * @mem:	context
 * @addr:	guest address
 * @len:	in: bytes wanted; out: those of them that are in the page
 *
 * For pages that are read by others after @mem may be gone.  Any context.  The
 * content may change under the reader at any time.
 *
 * Return: the page, to be given back by put_page(); or NULL: it is not readable
 * guest memory, or not of a kind that can be referenced (a slab of this very
 * kernel, memory of a device).
 */
struct page *vbus_mem_page(const struct vbus_mem *mem, u64 addr, size_t *len)
{
	void *kva = vbus_mem_ptr(mem, addr, len, VBUS_MEM_READ);
	struct page *page;

	if (!kva)
		return NULL;
	page = virt_to_page(kva);
	if (PageSlab(page) || is_zone_device_page(page) ||
	    !folio_try_get(page_folio(page)))
		return NULL;
	return page;
}
EXPORT_SYMBOL_GPL(vbus_mem_page);

/* Copy from guest memory.  Returns 0 or -EFAULT; any context. */
int vbus_mem_read(const struct vbus_mem *mem, u64 addr, void *to, size_t len)
{
	while (len) {
		size_t n = len;
		void *from = vbus_mem_ptr(mem, addr, &n, VBUS_MEM_READ);

		if (!from)
			return -EFAULT;
		memcpy(to, from, n);
		to += n;
		addr += n;
		len -= n;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(vbus_mem_read);

/* Copy to guest memory.  Returns 0 or -EFAULT; any context. */
int vbus_mem_write(const struct vbus_mem *mem, u64 addr, const void *from,
		   size_t len)
{
	while (len) {
		size_t n = len;
		void *to = vbus_mem_ptr(mem, addr, &n, VBUS_MEM_WRITE);

		if (!to)
			return -EFAULT;
		memcpy(to, from, n);
		from += n;
		addr += n;
		len -= n;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(vbus_mem_write);

/**
 * vbus_map() - make a range of guest memory contiguous for the host
 * @mem:	context
 * @addr:	guest address
 * @len:	bytes, at most a few MiB
 * @map:	result, for vbus_unmap()
 *
 * May sleep.  Must be unmapped before @mem is freed.
 *
 * Return: 0, -EFAULT (not readable and writable guest memory) or -ENOMEM.
 */
int vbus_map(const struct vbus_mem *mem, u64 addr, size_t len,
	     struct vbus_map *map)
{
	size_t off = offset_in_page(addr);
	size_t npages = PAGE_ALIGN(off + len) >> PAGE_SHIFT;
	bool contiguous = true;
	struct page **pages;
	void *first = NULL;
	size_t i, n;
	u64 end;
	int err = 0;

	map->kva = NULL;
	map->vmapped = NULL;
	if (!len || check_add_overflow(addr, (u64)len, &end))
		return -EFAULT;
	pages = kvmalloc_array(npages, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	for (i = 0; i < npages; i++) {
		u64 at = (addr & PAGE_MASK) + (i << PAGE_SHIFT);
		void *kva;

		n = PAGE_SIZE;
		kva = vbus_mem_ptr(mem, at, &n, VBUS_MEM_READ | VBUS_MEM_WRITE);
		if (!kva) {
			err = -EFAULT;
			goto out_free;
		}
		if (!i)
			first = kva;
		else if (kva != first + (i << PAGE_SHIFT))
			contiguous = false;
		pages[i] = virt_to_page(kva);
	}
	if (!contiguous) {
		map->vmapped = vmap(pages, npages, VM_MAP, PAGE_KERNEL);
		first = map->vmapped;
	}
	if (first)
		map->kva = first + off;
	else
		err = -ENOMEM;
out_free:
	kvfree(pages);
	return err;
}
EXPORT_SYMBOL_GPL(vbus_map);

void vbus_unmap(struct vbus_map *map)
{
	if (map->vmapped)
		vunmap(map->vmapped);
	map->vmapped = NULL;
	map->kva = NULL;
}
EXPORT_SYMBOL_GPL(vbus_unmap);
