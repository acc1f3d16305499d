/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver is written for the newest kernel; this supplies what older ones
 * lack. HAVE_* come from the compile probes in Kbuild.probes.
 */
#ifndef IVSHMEM_COMPAT_H
#define IVSHMEM_COMPAT_H

#include <linux/device.h>
#include <linux/eventfd.h>
#include <linux/mm.h>

#ifndef HAVE_CLASS_CREATE_NAME
#undef class_create
#define class_create(name) ({						\
	static struct lock_class_key key__;				\
	__class_create(THIS_MODULE, name, &key__);			\
})
#endif

#ifndef HAVE_EVENTFD_SIGNAL_CTX
static inline void ivshmem_compat_eventfd_signal(struct eventfd_ctx *ctx)
{
	eventfd_signal(ctx, 1);
}
#define eventfd_signal(ctx) ivshmem_compat_eventfd_signal(ctx)
#endif

#ifndef HAVE_VM_FLAGS_SET
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

#endif /* IVSHMEM_COMPAT_H */
