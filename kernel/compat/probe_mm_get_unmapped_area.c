// SPDX-License-Identifier: GPL-2.0-only
/*
 * 6.10: the architecture's search for room became a function; after 6.18 it lost
 * its first argument, the mm.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>

unsigned long probe(struct file *file);
unsigned long probe(struct file *file)
{
#if FORM == 1
	return mm_get_unmapped_area(file, 0, 0, 0, 0);
#elif FORM == 2
	return mm_get_unmapped_area(current->mm, file, 0, 0, 0, 0);
#elif FORM == 3
	return current->mm->get_unmapped_area(file, 0, 0, 0, 0);
#else
#error "no more forms"
#endif
}
