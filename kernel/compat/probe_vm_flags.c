// SPDX-License-Identifier: GPL-2.0-only
/* 6.3: vm_flags may be written only through helpers. */
#include <linux/mm.h>

void probe(struct vm_area_struct *vma);
void probe(struct vm_area_struct *vma)
{
#if FORM == 1
	vm_flags_set(vma, VM_DONTDUMP);
	vm_flags_clear(vma, VM_MAYEXEC);
#elif FORM == 2
	vma->vm_flags |= VM_DONTDUMP;
	vma->vm_flags &= ~VM_MAYEXEC;
#else
#error "no more forms"
#endif
}
