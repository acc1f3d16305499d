/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guards of regions, for region.c. Not installed.
 */
#ifndef IVSH_GUARD_H
#define IVSH_GUARD_H

#include <stdbool.h>
#include <stddef.h>

struct ivsh_guard;

/* Guard a mapping. Returns NULL with errno set. */
struct ivsh_guard *ivsh_guard_begin(void *address, size_t size);

/* End it, before the mapping is undone. NULL is ignored. */
void ivsh_guard_end(struct ivsh_guard *guard);

/* Whether the guarded memory was replaced. */
bool ivsh_guard_fired(const struct ivsh_guard *guard);

#endif /* IVSH_GUARD_H */
