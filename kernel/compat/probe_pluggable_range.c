// SPDX-License-Identifier: GPL-2.0-only
/*
 * 5.12: memory that gets struct pages is first checked against what the kernel
 * can address; without that it might be mapped over something else. 5.16: the
 * kernel says whether memory is encrypted. Struct pages need both.
 */
#include <linux/memory_hotplug.h>

#if FORM == 1
#include <linux/cc_platform.h>

struct range probe(void);
struct range probe(void)
{
	return mhp_get_pluggable_range(true);
}
#elif FORM != 2
#error "no more forms"
#endif
