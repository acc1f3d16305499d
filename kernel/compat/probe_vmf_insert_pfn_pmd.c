// SPDX-License-Identifier: GPL-2.0-only
/* 6.17: page frames are handed to the kernel as numbers, no more in a pfn_t. */
#include <linux/mm.h>
#if FORM == 2 && defined(CONFIG_ARCH_SUPPORTS_HUGE_PFNMAP)
#include <linux/pfn_t.h>
#endif

vm_fault_t probe(struct vm_fault *vmf, unsigned long pfn);
vm_fault_t probe(struct vm_fault *vmf, unsigned long pfn)
{
#if !defined(CONFIG_ARCH_SUPPORTS_HUGE_PFNMAP)
	return 0;	/* not used */
#elif FORM == 1
	return vmf_insert_pfn_pmd(vmf, pfn, true);
#elif FORM == 2
	return vmf_insert_pfn_pmd(vmf, __pfn_to_pfn_t(pfn, PFN_DEV), true);
#else
#error "no more forms"
#endif
}
