// SPDX-License-Identifier: GPL-2.0-only
/* 6.8: eventfd_signal() lost its count argument. */
#include <linux/eventfd.h>

void probe(struct eventfd_ctx *ctx);
void probe(struct eventfd_ctx *ctx)
{
#if FORM == 1
	eventfd_signal(ctx);
#elif FORM == 2
	eventfd_signal(ctx, 1);
#else
#error "no more forms"
#endif
}
