// SPDX-License-Identifier: GPL-2.0-only
/*
 * BAR2, the shared memory: mmap, faults, the page attribute, revocation. The
 * only file that touches VMAs. The driver itself never reads the memory, and
 * has no mapping of it.
 *
 * Every file of a device uses the mapping of one pseudo inode, so that one
 * unmap_mapping_range() finds all of its VMAs, whichever node they came from.
 *
 * x86 firmware declares the PCI hole uncacheable in the MTRRs, and the kernel's
 * own helpers then refuse to map it write-back. BAR2 is memory of the host, so
 * the fault handler writes the page table entries itself.
 */
#include <linux/mount.h>
#include <linux/pseudo_fs.h>

#ifdef CONFIG_X86
#include <asm/memtype.h>
#endif

#include "ivshmem_drv.h"

#define IVSHMEM_FS_MAGIC 0x6976736d /* "ivsm" */

static struct vfsmount *ivshmem_mnt;

static int ivshmem_fs_init_context(struct fs_context *fc)
{
	return init_pseudo(fc, IVSHMEM_FS_MAGIC) ? 0 : -ENOMEM;
}

/* No owner: our own mount must not keep the module from unloading. */
static struct file_system_type ivshmem_fs_type = {
	.name = IVSHMEM_NAME,
	.init_fs_context = ivshmem_fs_init_context,
	.kill_sb = kill_anon_super,
};

int __init ivshmem_shmem_init(void)
{
	ivshmem_mnt = kern_mount(&ivshmem_fs_type);
	return PTR_ERR_OR_ZERO(ivshmem_mnt);
}

void ivshmem_shmem_exit(void)
{
	kern_unmount(ivshmem_mnt);
}

/**
 * ivshmem_shmem_setup() - find BAR2 and get the inode for its mappings
 * @ivd: a device whose BARs are requested
 *
 * Undone by ivshmem_shmem_release().
 *
 * Return: 0 or a negative errno.
 */
int ivshmem_shmem_setup(struct ivshmem_device *ivd)
{
	struct inode *inode = alloc_anon_inode(ivshmem_mnt->mnt_sb);

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	ivd->inode = inode;
	ivd->shmem_phys = pci_resource_start(ivd->pdev, IVSHMEM_BAR_SHMEM);
	ivd->shmem_size = pci_resource_len(ivd->pdev, IVSHMEM_BAR_SHMEM);
	return 0;
}

/** ivshmem_shmem_release() - drop the inode, when no file is left */
void ivshmem_shmem_release(struct ivshmem_device *ivd)
{
	if (ivd->inode)
		iput(ivd->inode);
}

/** ivshmem_shmem_page_attr() - how user mappings are cached, IVSHMEM_PAGE_ATTR_* */
u32 ivshmem_shmem_page_attr(void)
{
#ifdef CONFIG_X86
	return pat_enabled() ? IVSHMEM_PAGE_ATTR_WB : IVSHMEM_PAGE_ATTR_UNKNOWN;
#elif defined(CONFIG_ARM64)
	return IVSHMEM_PAGE_ATTR_WB;
#else
	return IVSHMEM_PAGE_ATTR_UNKNOWN;
#endif
}

/* What one fault fills: part of a VMA, within one page table. */
struct ivshmem_window {
	struct vm_area_struct *vma;
	unsigned long start;
	unsigned long end;
};

static u64 ivshmem_shmem_offset(const struct vm_area_struct *vma,
				unsigned long addr)
{
	return ((u64)vma->vm_pgoff << PAGE_SHIFT) + (addr - vma->vm_start);
}

/* Called under the page table's lock for each entry of a window. */
static int ivshmem_shmem_set_pte(pte_t *ptep, unsigned long addr, void *data)
{
	const struct ivshmem_window *window = data;
	struct vm_area_struct *vma = window->vma;
	struct ivshmem_file *ivf = vma->vm_file->private_data;
	phys_addr_t phys = ivf->ivd->shmem_phys +
			   ivshmem_shmem_offset(vma, addr);
	pte_t pte;

	/* Another thread's fault in this window was faster. */
	if (!pte_none(ptep_get(ptep)))
		return 0;
	pte = pte_mkspecial(pfn_pte(PHYS_PFN(phys), vma->vm_page_prot));
	if (vma->vm_flags & VM_WRITE)
		pte = pte_mkdirty(pte_mkyoung(pte));
	set_pte_at(vma->vm_mm, addr, ptep, pte);
	return 0;
}

/* The part of the VMA that shares a page table with addr. */
static struct ivshmem_window
ivshmem_shmem_window(struct vm_area_struct *vma, unsigned long addr)
{
	unsigned long start = addr & PMD_MASK;
	struct ivshmem_window window = {
		.vma = vma,
		.start = max(start, vma->vm_start),
		/* Compare the last bytes: the end may be the top of memory. */
		.end = min(start + PMD_SIZE - 1, vma->vm_end - 1) + 1,
	};

	return window;
}

static bool ivshmem_shmem_contains(const struct ivshmem_device *ivd,
				   u64 offset, u64 len)
{
	return offset <= ivd->shmem_size && len <= ivd->shmem_size - offset;
}

static vm_fault_t ivshmem_shmem_fill(struct ivshmem_device *ivd,
				     struct ivshmem_window *window)
{
	u64 offset = ivshmem_shmem_offset(window->vma, window->start);
	unsigned long len = window->end - window->start;
	int ret;

	if (ivd->dead || !ivshmem_shmem_contains(ivd, offset, len))
		return VM_FAULT_SIGBUS;
	ret = apply_to_page_range(window->vma->vm_mm, window->start, len,
				  ivshmem_shmem_set_pte, window);
	if (ret)
		return ret == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
	return VM_FAULT_NOPAGE;
}

static vm_fault_t ivshmem_shmem_fault(struct vm_fault *vmf)
{
	struct ivshmem_file *ivf = vmf->vma->vm_file->private_data;
	struct ivshmem_window window;
	vm_fault_t ret;

	window = ivshmem_shmem_window(vmf->vma, vmf->address & PAGE_MASK);
	down_read(&ivf->ivd->lock);
	ret = ivshmem_shmem_fill(ivf->ivd, &window);
	up_read(&ivf->ivd->lock);
	return ret;
}

/* No .map_pages: then .fault always runs under mmap_lock. */
static const struct vm_operations_struct ivshmem_shmem_vm_ops = {
	.fault = ivshmem_shmem_fault,
#ifdef CONFIG_HAVE_IOREMAP_PROT
	.access = generic_access_phys,
#endif
};

/**
 * ivshmem_shmem_mmap() - map a part of BAR2
 * @file: an open node
 * @vma: what is asked for
 *
 * Nothing is mapped here, only in the fault handler: the VMA is not yet in the
 * inode's mapping, and a revocation would miss it.
 *
 * Context: under mmap_lock; takes ivd->lock for reading.
 * Return: 0, -EINVAL, -ENODEV, -EPERM.
 */
int ivshmem_shmem_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ivshmem_file *ivf = file->private_data;
	struct ivshmem_device *ivd = ivf->ivd;
	u64 len = vma->vm_end - vma->vm_start;
	bool dead;

	down_read(&ivd->lock);
	dead = ivd->dead;
	up_read(&ivd->lock);
	if (dead)
		return -ENODEV;
	/* VM_SHARED is clear in a shared mapping of a read-only file. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_pgoff > ivd->shmem_size >> PAGE_SHIFT ||
	    !ivshmem_shmem_contains(ivd, ivshmem_shmem_offset(vma, vma->vm_start),
				    len))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;

	vm_flags_clear(vma, VM_MAYEXEC);
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_page_prot = pgprot_decrypted(vma->vm_page_prot);
	vma->vm_ops = &ivshmem_shmem_vm_ops;
	return 0;
}

/**
 * ivshmem_shmem_revoke() - take BAR2 away from all who mapped it
 * @ivd: a dead device: no fault fills a mapping again
 */
void ivshmem_shmem_revoke(struct ivshmem_device *ivd)
{
	unmap_mapping_range(ivd->inode->i_mapping, 0, 0, 1);
}
