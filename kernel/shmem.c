// SPDX-License-Identifier: GPL-2.0-only
/*
 * BAR2, the shared memory: mmap, faults, revocation. The only file that touches
 * VMAs. The driver itself never reads the memory.
 *
 * Every file of a device uses the mapping of one pseudo inode, so that one
 * unmap_mapping_range() finds all of its VMAs, whichever node they came from.
 *
 * x86 firmware declares the PCI hole uncacheable in the MTRRs, and the kernel's
 * own helpers then refuse to map it write-back. BAR2 is memory of the host, so
 * the page table entries are written by shmem_ptes.c, unless shmem_huge.c found
 * that larger ones are write-back, or the memory has struct pages
 * (shmem_pages.c).
 */
#include <linux/io.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>

#include "ivshmem_drv.h"
#include "trace.h"

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
	ivshmem_pages_setup(ivd);
	if (!ivd->has_pages)
		ivshmem_huge_setup(ivd);
	return 0;
}

/**
 * ivshmem_shmem_stop() - let BAR2 go
 * @ivd: a dead device, no mapping is left
 *
 * Context: waits for those who have pinned pages, if there are struct pages.
 */
void ivshmem_shmem_stop(struct ivshmem_device *ivd)
{
	ivshmem_pages_release(ivd);
	ivshmem_huge_release(ivd);
}

/** ivshmem_shmem_release() - drop the inode, when no file is left */
void ivshmem_shmem_release(struct ivshmem_device *ivd)
{
	if (ivd->inode)
		iput(ivd->inode);
}

/* What one fault fills: part of a VMA, within one page table. */
struct ivshmem_window {
	struct vm_area_struct *vma;
	unsigned long start;
	unsigned long end;
	phys_addr_t phys;
};

static u64 ivshmem_shmem_offset(const struct vm_area_struct *vma,
				unsigned long addr)
{
	return ((u64)vma->vm_pgoff << PAGE_SHIFT) + (addr - vma->vm_start);
}

static bool ivshmem_shmem_contains(const struct ivshmem_device *ivd,
				   u64 offset, u64 len)
{
	return offset <= ivd->shmem_size && len <= ivd->shmem_size - offset;
}

/* The part of the VMA in the same aligned block of that size as addr. */
static struct ivshmem_window
ivshmem_shmem_window(struct vm_area_struct *vma, unsigned long addr,
		     unsigned long size)
{
	struct ivshmem_device *ivd = vma->vm_private_data;
	unsigned long start = addr & -size;
	struct ivshmem_window window = {
		.vma = vma,
		.start = max(start, vma->vm_start),
		/* Compare the last bytes: the end may be the top of memory. */
		.end = min(start + size - 1, vma->vm_end - 1) + 1,
	};

	window.phys = ivd->shmem_phys +
		      ivshmem_shmem_offset(vma, window.start);
	return window;
}

/*
 * Whether one entry of that size may map the window: the answer depends on the
 * VMA and the address alone, so that all threads get the same.
 */
static bool ivshmem_shmem_is_huge(const struct ivshmem_window *window,
				  unsigned long size)
{
	const struct ivshmem_device *ivd = window->vma->vm_private_data;

	return size <= PAGE_SIZE << ivd->shmem_order &&
	       window->end - window->start == size &&
	       IS_ALIGNED(window->phys, size);
}

static bool ivshmem_shmem_is_there(const struct ivshmem_window *window)
{
	const struct ivshmem_device *ivd = window->vma->vm_private_data;

	return !ivd->dead &&
	       ivshmem_shmem_contains(ivd, window->phys - ivd->shmem_phys,
				      window->end - window->start);
}

static vm_fault_t ivshmem_shmem_fill(struct vm_fault *vmf,
				     struct ivshmem_window *window)
{
	const struct ivshmem_device *ivd = window->vma->vm_private_data;
	unsigned long count = PHYS_PFN(window->end - window->start);

	if (!ivshmem_shmem_is_there(window))
		return VM_FAULT_SIGBUS;
	if (ivd->has_pages) {
		ivshmem_ptes_unmark(vmf);
		return ivshmem_pages_insert(window->vma, window->start, count,
					    window->phys);
	}
	if (ivshmem_shmem_is_huge(window, PMD_SIZE) &&
	    !ivshmem_huge_has_table(vmf))
		return ivshmem_huge_insert(vmf, PMD_SHIFT - PAGE_SHIFT,
					   window->phys);
	return ivshmem_ptes_insert(vmf, window->start, count, window->phys);
}

/** ivshmem_fault_order() - of the entry at a level of struct ivshmem_counters */
unsigned int ivshmem_fault_order(unsigned int level)
{
	/* Not static: on powerpc they are found at boot. */
	const unsigned int shifts[IVSHMEM_FAULT_LEVELS] = {
		PAGE_SHIFT, PMD_SHIFT, PUD_SHIFT
	};

	return shifts[level] - PAGE_SHIFT;
}

static void ivshmem_shmem_count(struct vm_fault *vmf, unsigned int order,
				vm_fault_t ret)
{
	struct ivshmem_device *ivd = vmf->vma->vm_private_data;
	unsigned int level = 0;

	while (level < IVSHMEM_FAULT_LEVELS - 1 &&
	       ivshmem_fault_order(level) < order)
		level++;
	if (ret & VM_FAULT_ERROR)
		atomic64_inc(&ivd->counters.faults_refused);
	else
		atomic64_inc(&ivd->counters.faults[level]);
	trace_ivshmem_fault(ivd->minor,
			    ivshmem_shmem_offset(vmf->vma, vmf->address), order,
			    ret);
}

static vm_fault_t ivshmem_shmem_fault(struct vm_fault *vmf)
{
	struct ivshmem_device *ivd = vmf->vma->vm_private_data;
	struct ivshmem_window window;
	vm_fault_t ret;

	window = ivshmem_shmem_window(vmf->vma, vmf->address, PMD_SIZE);
	down_read(&ivd->lock);
	ret = ivshmem_shmem_fill(vmf, &window);
	up_read(&ivd->lock);
	ivshmem_shmem_count(vmf, 0, ret);
	return ret;
}

#ifdef IVSHMEM_HAVE_HUGE_PFNMAP
/* The kernel asks for 1 GiB, then for 2 MiB, and then calls .fault. */
static vm_fault_t ivshmem_shmem_huge_fault(struct vm_fault *vmf,
					   unsigned int order)
{
	struct ivshmem_device *ivd = vmf->vma->vm_private_data;
	unsigned long size = PAGE_SIZE << order;
	struct ivshmem_window window;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	window = ivshmem_shmem_window(vmf->vma, vmf->address, size);
	if (!ivshmem_shmem_is_huge(&window, size))
		return VM_FAULT_FALLBACK;
	down_read(&ivd->lock);
	if (ivshmem_shmem_is_there(&window))
		ret = ivshmem_huge_insert(vmf, order, window.phys);
	up_read(&ivd->lock);
	ivshmem_shmem_count(vmf, order, ret);
	return ret;
}
#endif

#ifdef CONFIG_X86
#define ivshmem_shmem_copy generic_access_phys
#else
/*
 * As generic_access_phys(), which maps for the kernel with what the entry of the
 * user says: arm64 then faults, for the kernel has no such rights.
 */
static int ivshmem_shmem_copy(struct vm_area_struct *vma, unsigned long addr,
			      void *buf, int len, int write)
{
	struct ivshmem_device *ivd = vma->vm_private_data;
	u32 attr = ivshmem_page_attr();
	bool cached = attr == IVSHMEM_PAGE_ATTR_WB ||
		      attr == IVSHMEM_PAGE_ATTR_UNKNOWN;
	void *at;

	if (write && !(vma->vm_flags & VM_WRITE))
		return -EINVAL;
	at = memremap(ivd->shmem_phys + ivshmem_shmem_offset(vma, addr), len,
		      cached ? MEMREMAP_WB : MEMREMAP_WC);
	if (!at)
		return -ENOMEM;
	memcpy(write ? at : buf, write ? buf : at, len);
	memunmap(at);
	return len;
}
#endif

/*
 * For debuggers, whose length may go beyond the VMA. The lock keeps the device
 * from leaving between the kernel's look at the page table and its access: 5.10
 * does not look again.
 */
static int ivshmem_shmem_access(struct vm_area_struct *vma, unsigned long addr,
				void *buf, int len, int write)
{
	struct ivshmem_device *ivd = vma->vm_private_data;
	int ret = -ENODEV;

	down_read(&ivd->lock);
	if (!ivd->dead)
		ret = ivshmem_shmem_copy(vma, addr, buf,
					 min_t(u64, len, vma->vm_end - addr),
					 write);
	up_read(&ivd->lock);
	return ret;
}

/* No .map_pages: then .fault always runs under mmap_lock. */
static const struct vm_operations_struct ivshmem_shmem_vm_ops = {
	.fault = ivshmem_shmem_fault,
#ifdef IVSHMEM_HAVE_HUGE_PFNMAP
	.huge_fault = ivshmem_shmem_huge_fault,
#endif
	.access = ivshmem_shmem_access,
};

/**
 * ivshmem_shmem_map() - map a part of BAR2
 * @ivd: a device whose inode the VMA's file has the mapping of
 * @vma: what is asked for; its offset is one into BAR2
 *
 * Nothing is mapped here, only in the fault handler: the VMA is not yet in the
 * inode's mapping, and a revocation would miss it.
 *
 * Context: under mmap_lock; takes ivd->lock for reading.
 * Return: 0, -EINVAL, -ENODEV, -EPERM.
 */
int ivshmem_shmem_map(struct ivshmem_device *ivd, struct vm_area_struct *vma)
{
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
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP |
			  (ivd->has_pages ? VM_MIXEDMAP : VM_PFNMAP));
	/* Else the kernel asks for no 1 GiB where huge pages are on request. */
	if (ivd->shmem_order)
		vm_flags_set(vma, VM_HUGEPAGE);
	vma->vm_page_prot = ivshmem_page_attr_prot(vma->vm_page_prot);
	vma->vm_private_data = ivd;
	vma->vm_ops = &ivshmem_shmem_vm_ops;
	return 0;
}

/** ivshmem_shmem_mmap() - the same, through the node */
int ivshmem_shmem_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ivshmem_file *ivf = file->private_data;

	return ivshmem_shmem_map(ivf->ivd, vma);
}

/* To what an address of a mapping is best aligned, with its offset. */
static unsigned long ivshmem_shmem_alignment(const struct ivshmem_device *ivd,
					     unsigned long len)
{
	unsigned long largest = PAGE_SIZE << ivd->shmem_order;

	/* One page table is filled by one fault, so that this also saves one. */
	if (len < PMD_SIZE)
		return PAGE_SIZE;
	return len < largest ? PMD_SIZE : max(largest, PMD_SIZE);
}

/**
 * ivshmem_shmem_get_unmapped_area() - choose an address that suits large pages
 * @file: an open node
 * @addr: where the user would like it, or 0
 * @len: bytes
 * @pgoff: where in BAR2, in pages
 * @flags: MAP_*
 *
 * BAR2 is aligned to its size, so an address that is aligned as its offset is
 * aligned as the memory.
 */
unsigned long ivshmem_shmem_get_unmapped_area(struct file *file,
					      unsigned long addr,
					      unsigned long len,
					      unsigned long pgoff,
					      unsigned long flags)
{
	struct ivshmem_file *ivf = file->private_data;
	unsigned long align = ivshmem_shmem_alignment(ivf->ivd, len);
	unsigned long padded = len + align - PAGE_SIZE;
	unsigned long room;

	if (!addr && !(flags & MAP_FIXED) && padded > len) {
		room = mm_get_unmapped_area(file, 0, padded, pgoff, flags);
		if (!IS_ERR_VALUE(room))
			return room + (((pgoff << PAGE_SHIFT) - room) &
				       (align - 1));
	}
	return mm_get_unmapped_area(file, addr, len, pgoff, flags);
}

/**
 * ivshmem_shmem_revoke() - take BAR2 away from all who mapped it
 * @ivd: a dead device: no fault fills a mapping again
 */
void ivshmem_shmem_revoke(struct ivshmem_device *ivd)
{
	trace_ivshmem_revoke(ivd->minor);
	ivshmem_debugfs_count_revocation();
	unmap_mapping_range(ivd->inode->i_mapping, 0, 0, 1);
}
