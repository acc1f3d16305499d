// SPDX-License-Identifier: GPL-2.0-only
/* After 6.18: it lost its first argument, the mm. */
#include <linux/mm.h>
#include <linux/sched/mm.h>

unsigned long probe(struct file *file);
unsigned long probe(struct file *file)
{
	return mm_get_unmapped_area(file, 0, 0, 0, 0);
}
