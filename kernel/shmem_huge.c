// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page table entries of 2 MiB and 1 GiB for BAR2, where they are safe. Called
 * by shmem.c, which falls back to entries of one page.
 *
 * Two things must hold. The kernel must mark such entries as special, or any
 * user could crash it with O_DIRECT: it does where it has
 * ARCH_SUPPORTS_HUGE_PFNMAP. And the kernel's helper must give write-back: it
 * takes the attribute from the reservation that memremap() makes, which the
 * firmware's MTRRs may have turned into uncached. So the reservation is made,
 * its page table entry is read, and it is kept only if that says write-back.
 */
#include <linux/io.h>

#include "ivshmem_drv.h"

#ifdef IVSHMEM_HAVE_HUGE_PFNMAP

/* Whether the kernel's own mapping is write-back, by its page table entry. */
static bool ivshmem_huge_is_wb(const void *memory)
{
	unsigned int level;
	pte_t *entry = lookup_address((unsigned long)memory, &level);
	unsigned long bits = _PAGE_PWT | _PAGE_PCD;

	if (!entry)
		return false;
	bits |= level == PG_LEVEL_4K ? _PAGE_PAT : _PAGE_PAT_LARGE;
	return !(pte_val(*entry) & bits);
}

static unsigned int ivshmem_huge_largest(const struct ivshmem_device *ivd)
{
	if (IS_ENABLED(CONFIG_ARCH_SUPPORTS_PUD_PFNMAP) &&
	    boot_cpu_has(X86_FEATURE_GBPAGES) && ivd->shmem_size >= PUD_SIZE)
		return PUD_SHIFT - PAGE_SHIFT;
	return PMD_SHIFT - PAGE_SHIFT;
}

/**
 * ivshmem_huge_setup() - find out which page sizes mappings may have
 * @ivd: a device whose BAR2 is known; its shmem_order is set
 *
 * Undone by ivshmem_huge_release(), when no mapping is left.
 */
void ivshmem_huge_setup(struct ivshmem_device *ivd)
{
	void *memory;

	if (ivd->shmem_size < PMD_SIZE ||
	    ivshmem_page_attr() != IVSHMEM_PAGE_ATTR_WB)
		return;
	memory = memremap(ivd->shmem_phys, ivd->shmem_size, MEMREMAP_WB);
	if (!memory)
		return;
	if (!ivshmem_huge_is_wb(memory)) {
		memunmap(memory);
		return;
	}
	ivd->shmem_reserved = memory;
	ivd->shmem_order = ivshmem_huge_largest(ivd);
}

void ivshmem_huge_release(struct ivshmem_device *ivd)
{
	if (ivd->shmem_reserved)
		memunmap(ivd->shmem_reserved);
	ivd->shmem_reserved = NULL;
}

/**
 * ivshmem_huge_has_table() - whether a page table is where an entry would be
 * @vmf: a fault that could be served by 2 MiB
 *
 * The kernel makes one where it moves parts of a mapping. Nothing, or the entry
 * of a thread that was faster, is no table.
 */
bool ivshmem_huge_has_table(const struct vm_fault *vmf)
{
	pmd_t pmd = READ_ONCE(*vmf->pmd);

	return !pmd_none(pmd) && !pmd_leaf(pmd);
}

/**
 * ivshmem_huge_insert() - map the entry of this order around a fault
 * @vmf: the fault; entry and VMA are aligned alike, and the VMA spans it
 * @order: of 2 MiB or 1 GiB, at most ivd->shmem_order
 * @phys: of its first byte
 *
 * Return: as a fault handler; an entry that is there already is left alone.
 */
vm_fault_t ivshmem_huge_insert(struct vm_fault *vmf, unsigned int order,
			       phys_addr_t phys)
{
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	unsigned long pfn = PHYS_PFN(phys);

#ifdef CONFIG_ARCH_SUPPORTS_PUD_PFNMAP
	if (order == PUD_SHIFT - PAGE_SHIFT)
		return vmf_insert_pfn_pud(vmf, pfn, write);
#endif
	return vmf_insert_pfn_pmd(vmf, pfn, write);
}

#else

void ivshmem_huge_setup(struct ivshmem_device *ivd)
{
}

void ivshmem_huge_release(struct ivshmem_device *ivd)
{
}

bool ivshmem_huge_has_table(const struct vm_fault *vmf)
{
	return true;
}

vm_fault_t ivshmem_huge_insert(struct vm_fault *vmf, unsigned int order,
			       phys_addr_t phys)
{
	return VM_FAULT_FALLBACK;
}

#endif
