/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver is written for the newest kernel; this supplies what older ones
 * lack. COMPAT_* come from the compile probes in Kbuild.probes: 1 is the newest
 * form of an API.
 */
#ifndef IVSHMEM_COMPAT_H
#define IVSHMEM_COMPAT_H

#ifdef COMPAT_LOST
_Static_assert(0, "this kernel lacks what ivshmem_guest needs, see kernel/compat/probe_*.c: " COMPAT_LOST);
#endif

#include <linux/device.h>
#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#if COMPAT_CLASS_CREATE == 2
#undef class_create
#define class_create(name) ({						\
	static struct lock_class_key key__;				\
	__class_create(THIS_MODULE, name, &key__);			\
})
#endif

#if COMPAT_EVENTFD_SIGNAL == 2
static inline void ivshmem_compat_eventfd_signal(struct eventfd_ctx *ctx)
{
	eventfd_signal(ctx, 1);
}
#define eventfd_signal(ctx) ivshmem_compat_eventfd_signal(ctx)
#endif

#if COMPAT_VM_FLAGS == 2
static inline void vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma,
				  unsigned long flags)
{
	vma->vm_flags &= ~flags;
}
#endif

#if COMPAT_MM_GET_UNMAPPED_AREA == 2
#define mm_get_unmapped_area(file, addr, len, pgoff, flags) \
	mm_get_unmapped_area(current->mm, file, addr, len, pgoff, flags)
#elif COMPAT_MM_GET_UNMAPPED_AREA == 3
#define mm_get_unmapped_area(file, addr, len, pgoff, flags) \
	(current->mm->get_unmapped_area(file, addr, len, pgoff, flags))
#endif

/*
 * Where shmem_ptes.c writes the entries. The kernel's helper, used elsewhere, maps
 * one page with each call, and first for reading; but only on x86 it may map with
 * another attribute than it is asked for, and other architectures do not let
 * modules set an entry.
 */
#if defined(CONFIG_X86) || defined(CONFIG_ARM64)
#define IVSHMEM_WRITES_PTES
#endif

/*
 * Whether entries of 2 MiB without struct pages are safe, see shmem_huge.c;
 * x86 only, since only there the attribute that they get can be proved.
 */
#if defined(CONFIG_ARCH_SUPPORTS_HUGE_PFNMAP) && defined(CONFIG_X86_64)
#define IVSHMEM_HAVE_HUGE_PFNMAP
#endif

/* See shmem_pages.c; 64-bit only, since elsewhere addresses are scarce. */
#if defined(CONFIG_ZONE_DEVICE) && defined(CONFIG_64BIT) && \
	COMPAT_PLUGGABLE_RANGE == 1
#define IVSHMEM_HAVE_STRUCT_PAGES
#endif

#if defined(IVSHMEM_HAVE_STRUCT_PAGES) && defined(CONFIG_DMA_SHARED_BUFFER)
#define IVSHMEM_HAVE_DMABUF
#endif

#if COMPAT_VMF_INSERT_PFN_PMD == 2
#include <linux/pfn_t.h>
#define vmf_insert_pfn_pmd(vmf, pfn, write) \
	vmf_insert_pfn_pmd(vmf, __pfn_to_pfn_t(pfn, PFN_DEV), write)
#define vmf_insert_pfn_pud(vmf, pfn, write) \
	vmf_insert_pfn_pud(vmf, __pfn_to_pfn_t(pfn, PFN_DEV), write)
#endif

#endif /* IVSHMEM_COMPAT_H */
