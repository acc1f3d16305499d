// SPDX-License-Identifier: GPL-2.0-only
/* Until 6.16: page frames are handed to the kernel in a pfn_t. */
#include <linux/pfn_t.h>

pfn_t probe(phys_addr_t phys);
pfn_t probe(phys_addr_t phys)
{
	return phys_to_pfn_t(phys, PFN_DEV);
}
