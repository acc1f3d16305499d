// SPDX-License-Identifier: GPL-2.0-only
/*
 * BAR0 for user space: with the registers mapped, a ring is one store. Off
 * unless the administrator sets map_registers, since who maps the page can ring
 * any vector of any peer, and only if nothing else lies in the page. Set up by
 * pci.c; mapped through cdev.c; zapped with the shared memory by shmem.c.
 *
 * A store cannot return an error. So there is a second page, of memory, whose
 * last word says whether the device is there, to be looked at before each store;
 * and a store that comes too late falls into a third page, the sink, rather
 * than raise SIGBUS in a program that only wanted to ring.
 */
#include "ivshmem_drv.h"

static bool map_registers;
module_param(map_registers, bool, 0444);
MODULE_PARM_DESC(map_registers, "Let those who may write a device map its registers, to ring any peer without a system call (default: off)");

/* Above any shared memory, and within what mmap() can say on 32 bits. */
#define IVSHMEM_REGS_MMAP_OFFSET	(1ULL << 43)

/* The word of the status page that is 1 while the device is there. */
#define IVSHMEM_REGS_ALIVE		(PAGE_SIZE / sizeof(u32) - 1)

/* Claim what BAR0 leaves of its page, so that no other device comes there. */
static int ivshmem_regs_claim_rest(struct ivshmem_device *ivd,
				   const struct resource *bar)
{
	struct resource *rest = &ivd->regs_rest;

	if (resource_size(bar) >= PAGE_SIZE)
		return 0;
	rest->name = IVSHMEM_NAME " (rest of the register page)";
	rest->start = bar->end + 1;
	rest->end = bar->start + PAGE_SIZE - 1;
	rest->flags = bar->flags;
	return request_resource(bar->parent, rest);
}

/**
 * ivshmem_regs_setup() - offer the register page, if it may and can be mapped
 * @ivd: a device whose BARs are requested
 *
 * Without it, @ivd->regs_phys is 0 and everything else works. Undone by
 * ivshmem_regs_stop(), and the memory by ivshmem_regs_release().
 */
void ivshmem_regs_setup(struct ivshmem_device *ivd)
{
	const struct resource *bar = &ivd->pdev->resource[IVSHMEM_BAR_REGS];

	/* No file of a 32-bit kernel has so large an offset. */
	if (!IS_ENABLED(CONFIG_64BIT) || !map_registers || !ivd->has_doorbell ||
	    ivd->shmem_size >= IVSHMEM_REGS_MMAP_OFFSET - PAGE_SIZE)
		return;
	if (!(bar->flags & IORESOURCE_MEM) || !PAGE_ALIGNED(bar->start) ||
	    ivshmem_regs_claim_rest(ivd, bar)) {
		pci_notice(ivd->pdev, "registers share their page: not to be mapped\n");
		return;
	}
	ivd->regs_status = (u32 *)get_zeroed_page(GFP_KERNEL);
	ivd->regs_sink = (void *)get_zeroed_page(GFP_KERNEL);
	if (!ivd->regs_status || !ivd->regs_sink)
		return;
	ivd->regs_status[IVSHMEM_REGS_ALIVE] = 1;
	ivd->regs_phys = bar->start;
}

/**
 * ivshmem_regs_kill() - tell those who ring by a store that the device is gone
 * @ivd: a dead device, whose mappings are not yet revoked
 */
void ivshmem_regs_kill(struct ivshmem_device *ivd)
{
	if (ivd->regs_status)
		WRITE_ONCE(ivd->regs_status[IVSHMEM_REGS_ALIVE], 0);
}

/** ivshmem_regs_stop() - give back the rest of the page; nobody maps it now */
void ivshmem_regs_stop(struct ivshmem_device *ivd)
{
	if (ivd->regs_rest.parent)
		release_resource(&ivd->regs_rest);
}

/** ivshmem_regs_release() - free the pages, when no file and no mapping is left */
void ivshmem_regs_release(struct ivshmem_device *ivd)
{
	free_page((unsigned long)ivd->regs_status);
	free_page((unsigned long)ivd->regs_sink);
}

/** ivshmem_regs_offset() - where the registers are mapped, 0 if they cannot be */
u64 ivshmem_regs_offset(const struct ivshmem_device *ivd)
{
	return ivd->regs_phys ? IVSHMEM_REGS_MMAP_OFFSET : 0;
}

static vm_fault_t ivshmem_regs_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct ivshmem_file *ivf = vma->vm_file->private_data;
	struct ivshmem_device *ivd = ivf->ivd;
	vm_fault_t ret;

	ivshmem_ptes_unmark(vmf);
	down_read(&ivd->lock);
	if (ivd->dead)
		ret = vmf_insert_pfn_prot(vma, vma->vm_start,
					  PHYS_PFN(virt_to_phys(ivd->regs_sink)),
					  vm_get_page_prot(vma->vm_flags));
	else
		ret = vmf_insert_pfn(vma, vma->vm_start,
				     PHYS_PFN(ivd->regs_phys));
	up_read(&ivd->lock);
	return ret;
}

static vm_fault_t ivshmem_regs_status_fault(struct vm_fault *vmf)
{
	struct ivshmem_file *ivf = vmf->vma->vm_file->private_data;

	return vmf_insert_pfn(vmf->vma, vmf->vma->vm_start,
			      PHYS_PFN(virt_to_phys(ivf->ivd->regs_status)));
}

static const struct vm_operations_struct ivshmem_regs_vm_ops = {
	.fault = ivshmem_regs_fault,
};

static const struct vm_operations_struct ivshmem_regs_status_vm_ops = {
	.fault = ivshmem_regs_status_fault,
};

/** ivshmem_regs_owns() - whether a mapping begins at the registers or the status */
bool ivshmem_regs_owns(const struct ivshmem_device *ivd,
		       const struct vm_area_struct *vma)
{
	u64 page = IVSHMEM_REGS_MMAP_OFFSET >> PAGE_SHIFT;

	return ivd->regs_phys &&
	       (vma->vm_pgoff == page || vma->vm_pgoff == page - 1);
}

static void ivshmem_regs_mmap_status(struct vm_area_struct *vma)
{
	vm_flags_clear(vma, VM_MAYWRITE);
	vma->vm_ops = &ivshmem_regs_status_vm_ops;
}

static void ivshmem_regs_mmap_regs(struct vm_area_struct *vma)
{
	vma->vm_page_prot = pgprot_decrypted(pgprot_noncached(vma->vm_page_prot));
	vma->vm_ops = &ivshmem_regs_vm_ops;
}

/**
 * ivshmem_regs_mmap() - map the register page or the status page
 * @file: an open node
 * @vma: what is asked for; ivshmem_regs_owns() it
 *
 * Context: under mmap_lock.
 * Return: 0, -EACCES, -EINVAL, -ENODEV, -EPERM.
 */
int ivshmem_regs_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ivshmem_file *ivf = file->private_data;
	bool status = vma->vm_pgoff != IVSHMEM_REGS_MMAP_OFFSET >> PAGE_SHIFT;

	if (READ_ONCE(ivf->ivd->dead))
		return -ENODEV;
	if (!(file->f_mode & FMODE_WRITE) ||
	    (status && vma->vm_flags & VM_WRITE))
		return -EACCES;
	if (!(vma->vm_flags & VM_MAYSHARE) ||
	    vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	vm_flags_clear(vma, VM_MAYEXEC);
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	if (status)
		ivshmem_regs_mmap_status(vma);
	else
		ivshmem_regs_mmap_regs(vma);
	return 0;
}
