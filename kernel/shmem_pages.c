// SPDX-License-Identifier: GPL-2.0-only
/*
 * Struct pages for BAR2, so that the kernel can pin what a program mapped:
 * O_DIRECT, io_uring, vmsplice, process_vm_readv, dma-buf. Asked for by the
 * parameter struct_pages. Called by shmem.c, which maps bare page frames where
 * this cannot be had.
 *
 * A pin outlives the mapping that it was made through, and the kernel does not
 * wait for pins when it takes struct pages away. So the removal of a device
 * waits here, and says for what.
 */
#include <linux/delay.h>

#include "ivshmem_drv.h"

static bool ivshmem_struct_pages;
module_param_named(struct_pages, ivshmem_struct_pages, bool, 0444);
MODULE_PARM_DESC(struct_pages, "let the kernel pin mapped memory (O_DIRECT, io_uring, dma-buf); removal then waits for pins");

#ifdef IVSHMEM_HAVE_STRUCT_PAGES
#include <linux/cc_platform.h>

#define IVSHMEM_PAGES_POLL_MS	100
#define IVSHMEM_PAGES_WARN_MS	(60 * 1000)

/* Why the device cannot have struct pages, NULL if it can. */
static const char *ivshmem_pages_obstacle(const struct ivshmem_device *ivd)
{
	if (ivshmem_page_attr() != IVSHMEM_PAGE_ATTR_WB)
		return "cache= asks for another attribute than write-back";
	if (cc_platform_has(CC_ATTR_MEM_ENCRYPT))
		return "this guest's memory is encrypted, and its kernel would take the shared memory for encrypted too";
	if (!IS_ALIGNED(ivd->shmem_phys | ivd->shmem_size,
			memremap_compat_align()))
		return "its address and size are not multiples of 2 MiB";
	return NULL;
}

static int ivshmem_pages_create(struct ivshmem_device *ivd)
{
	struct dev_pagemap *pgmap = &ivd->pgmap;
	void *memory;

	pgmap->type = MEMORY_DEVICE_GENERIC;
	pgmap->range.start = ivd->shmem_phys;
	pgmap->range.end = ivd->shmem_phys + ivd->shmem_size - 1;
	pgmap->nr_range = 1;
	memory = memremap_pages(pgmap, dev_to_node(&ivd->pdev->dev));
	return PTR_ERR_OR_ZERO(memory);
}

/**
 * ivshmem_pages_setup() - make struct pages for BAR2, if they are asked for
 * @ivd: a device whose BAR2 is known; has_pages is set on success
 *
 * Undone by ivshmem_pages_release().
 */
void ivshmem_pages_setup(struct ivshmem_device *ivd)
{
	const char *obstacle;
	int ret;

	if (!ivshmem_struct_pages)
		return;
	obstacle = ivshmem_pages_obstacle(ivd);
	if (obstacle) {
		pci_notice(ivd->pdev, "no struct pages for the shared memory: %s\n",
			   obstacle);
		return;
	}
	ret = ivshmem_pages_create(ivd);
	if (ret)
		pci_notice(ivd->pdev, "no struct pages for the shared memory: the kernel refuses them at %pa (error %d)\n",
			   &ivd->shmem_phys, ret);
	ivd->has_pages = !ret;
}

/* Pages that somebody holds, when no mapping is left. */
static unsigned long ivshmem_pages_pinned(const struct ivshmem_device *ivd)
{
	unsigned long pfn = PHYS_PFN(ivd->shmem_phys);
	unsigned long end = pfn + PHYS_PFN(ivd->shmem_size);
	unsigned long pinned = 0;

	for (; pfn < end; pfn++) {
		if (page_ref_count(pfn_to_page(pfn)) != 1)
			pinned++;
		if (IS_ALIGNED(pfn, PTRS_PER_PTE))
			cond_resched();
	}
	return pinned;
}

/* The kernel tells nobody when a pin goes: look now and then. */
static void ivshmem_pages_wait(struct ivshmem_device *ivd)
{
	unsigned long pinned;
	unsigned int ms;
	int attached;

	for (ms = 0;; ms += IVSHMEM_PAGES_POLL_MS) {
		attached = atomic_read(&ivd->nr_dmabuf_maps);
		pinned = ivshmem_pages_pinned(ivd);
		if (!pinned && !attached)
			return;
		if (ms % IVSHMEM_PAGES_WARN_MS == 10 * IVSHMEM_PAGES_POLL_MS)
			pci_warn(ivd->pdev, "ivshmem%u: removal waits for %lu pages that are pinned (O_DIRECT, io_uring, vmsplice), and %d dma-buf mappings of other devices\n",
				 ivd->minor, pinned, attached);
		msleep(IVSHMEM_PAGES_POLL_MS);
	}
}

/**
 * ivshmem_pages_release() - take the struct pages away, once all pins are gone
 * @ivd: a dead device, no mapping is left
 */
void ivshmem_pages_release(struct ivshmem_device *ivd)
{
	if (!ivd->has_pages)
		return;
	ivshmem_pages_wait(ivd);
	memunmap_pages(&ivd->pgmap);
}

static struct page **ivshmem_pages_list(phys_addr_t phys, unsigned long count)
{
	struct page **pages = kmalloc_array(count, sizeof(*pages), GFP_KERNEL);
	unsigned long i;

	for (i = 0; pages && i < count; i++)
		pages[i] = pfn_to_page(PHYS_PFN(phys) + i);
	return pages;
}

/**
 * ivshmem_pages_insert() - map the pages around a fault
 * @vma: a mapping
 * @addr: of the first page, in the VMA
 * @count: pages, within one page table
 * @phys: of the first page
 *
 * Return: as a fault handler; entries that are there already are left alone.
 */
vm_fault_t ivshmem_pages_insert(struct vm_area_struct *vma, unsigned long addr,
				unsigned long count, phys_addr_t phys)
{
	struct page **pages = ivshmem_pages_list(phys, count);
	unsigned long left = count, done;
	int ret = -ENOMEM;

	while (pages && left) {
		done = count - left;
		ret = vm_insert_pages(vma, addr + done * PAGE_SIZE, pages + done,
				      &left);
		if (ret != -EBUSY)
			break;
		/* Another thread's fault was faster at this page. */
		left--;
		ret = 0;
	}
	kfree(pages);
	if (ret)
		return ret == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
	return VM_FAULT_NOPAGE;
}

#else

void ivshmem_pages_setup(struct ivshmem_device *ivd)
{
	if (ivshmem_struct_pages)
		pci_notice(ivd->pdev, "no struct pages for the shared memory: this kernel is too old for them, or built without ZONE_DEVICE\n");
}

void ivshmem_pages_release(struct ivshmem_device *ivd)
{
}

vm_fault_t ivshmem_pages_insert(struct vm_area_struct *vma, unsigned long addr,
				unsigned long count, phys_addr_t phys)
{
	return VM_FAULT_SIGBUS;
}

#endif
