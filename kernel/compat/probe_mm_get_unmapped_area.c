// SPDX-License-Identifier: GPL-2.0-only
/* 6.10: the architecture's search for room became a function. */
#include <linux/mm.h>
#include <linux/sched/mm.h>

unsigned long probe(struct file *file);
unsigned long probe(struct file *file)
{
	return mm_get_unmapped_area(current->mm, file, 0, 0, 0, 0);
}
