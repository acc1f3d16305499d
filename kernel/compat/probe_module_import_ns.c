// SPDX-License-Identifier: GPL-2.0-only
/*
 * 6.13: the name of a symbol namespace is a string. Older kernels take a string
 * too, but mean another name by it: so the older form comes first.
 */
#include <linux/module.h>

#if FORM == 1
MODULE_IMPORT_NS(DMA_BUF);
#elif FORM == 2
MODULE_IMPORT_NS("DMA_BUF");
#else
#error "no more forms"
#endif
