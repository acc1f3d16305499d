// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page table entries of one page for BAR2, written by the driver itself: the
 * kernel's helpers would take the attribute from the firmware's MTRRs. Called by
 * shmem.c, and the way that works on every kernel and at every address.
 */
#include <linux/userfaultfd_k.h>

#include "ivshmem_drv.h"

#ifdef IVSHMEM_WRITES_PTES

struct ivshmem_ptes {
	struct vm_area_struct *vma;
	unsigned long fault;	/* the address that is wanted first of all */
	unsigned long count;
	unsigned long pfn;
};

static pte_t ivshmem_ptes_entry(const struct vm_area_struct *vma,
				unsigned long pfn)
{
	pte_t pte = pte_mkspecial(pfn_pte(pfn, vma->vm_page_prot));

	return vma->vm_flags & VM_WRITE ? pte_mkdirty(pte_mkyoung(pte)) : pte;
}

/*
 * userfaultfd may have left a marker where nothing was mapped. The kernel looks
 * at it before it calls the fault handler, so that this one has done its work;
 * left there, it would raise the same fault for ever.
 */
static void ivshmem_ptes_clear_marker(struct mm_struct *mm, unsigned long addr,
				      pte_t *ptep)
{
	pte_t pte = ptep_get(ptep);

	if (!pte_none(pte) && !pte_present(pte))
		pte_clear(mm, addr, ptep);
}

/*
 * Called for the first entry, with the lock of its page table, which has all the
 * others too. What is there already stays: another thread was faster.
 */
static int ivshmem_ptes_fill(pte_t *ptep, unsigned long addr, void *data)
{
	const struct ivshmem_ptes *ptes = data;
	struct mm_struct *mm = ptes->vma->vm_mm;
	unsigned long i;

	ivshmem_ptes_clear_marker(mm, ptes->fault,
				  ptep + PHYS_PFN(ptes->fault - addr));
	for (i = 0; i < ptes->count; i++, ptep++, addr += PAGE_SIZE)
		if (pte_none(ptep_get(ptep)))
			set_pte_at(mm, addr, ptep,
				   ivshmem_ptes_entry(ptes->vma, ptes->pfn + i));
	return 0;
}

/**
 * ivshmem_ptes_insert() - map the pages around a fault
 * @vmf: the fault
 * @addr: of the first page, in the VMA
 * @count: pages, within one page table; one of them has the fault
 * @phys: of the first page
 *
 * Return: as a fault handler; entries that are there already are left alone.
 */
vm_fault_t ivshmem_ptes_insert(struct vm_fault *vmf, unsigned long addr,
			       unsigned long count, phys_addr_t phys)
{
	struct ivshmem_ptes ptes = {
		.vma = vmf->vma,
		.fault = vmf->address & PAGE_MASK,
		.count = count,
		.pfn = PHYS_PFN(phys),
	};
	int ret = apply_to_page_range(vmf->vma->vm_mm, addr, PAGE_SIZE,
				      ivshmem_ptes_fill, &ptes);

	if (ret)
		return ret == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
	return VM_FAULT_NOPAGE;
}

static int ivshmem_ptes_unmark_one(pte_t *ptep, unsigned long addr, void *mm)
{
	ivshmem_ptes_clear_marker(mm, addr, ptep);
	return 0;
}

/**
 * ivshmem_ptes_unmark() - clear the marker that may be where a fault is
 * @vmf: a fault that a helper of the kernel will serve: it takes a marker for a
 *	page that is there
 *
 * Without memory nothing is done, and the helper fails too.
 */
void ivshmem_ptes_unmark(struct vm_fault *vmf)
{
	struct mm_struct *mm = vmf->vma->vm_mm;

	if (!userfaultfd_wp(vmf->vma))
		return;
	apply_to_page_range(mm, vmf->address & PAGE_MASK, PAGE_SIZE,
			    ivshmem_ptes_unmark_one, mm);
}

#else

vm_fault_t ivshmem_ptes_insert(struct vm_fault *vmf, unsigned long addr,
			       unsigned long count, phys_addr_t phys)
{
	vm_fault_t ret = VM_FAULT_NOPAGE;
	unsigned long i;

	for (i = 0; i < count && ret == VM_FAULT_NOPAGE; i++)
		ret = vmf_insert_pfn(vmf->vma, addr + i * PAGE_SIZE,
				     PHYS_PFN(phys) + i);
	return ret;
}

void ivshmem_ptes_unmark(struct vm_fault *vmf)
{
}

#endif
