// SPDX-License-Identifier: GPL-2.0-only
/* 6.4: class_create() lost its module argument. */
#include <linux/device.h>
#include <linux/module.h>

struct class *probe(void);
struct class *probe(void)
{
#if FORM == 1
	return class_create("probe");
#elif FORM == 2
	return class_create(THIS_MODULE, "probe");
#else
#error "no more forms"
#endif
}
