// SPDX-License-Identifier: GPL-2.0-only
/*
 * 5.12: memory that gets struct pages is first checked against what the kernel
 * can address; without that it might be mapped over something else.
 */
#include <linux/memory_hotplug.h>

#if FORM == 1
struct range probe(void);
struct range probe(void)
{
	return mhp_get_pluggable_range(true);
}
#elif FORM != 2
#error "no more forms"
#endif
