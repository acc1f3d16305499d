// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Waiting for any of a set of vectors, in one system call of the backend, and
 * the sets.
 */
#include <errno.h>

#include "device.h"

IVSH_API void ivsh_vector_set_add(struct ivsh_vector_set *set, uint32_t vector)
{
	if (vector <= IVSH_VECTOR_MAX)
		set->words[vector / 64] |= UINT64_C(1) << vector % 64;
}

IVSH_API bool ivsh_vector_set_contains(const struct ivsh_vector_set *set,
				       uint32_t vector)
{
	return vector <= IVSH_VECTOR_MAX &&
	       set->words[vector / 64] >> vector % 64 & 1;
}

IVSH_API int ivsh_device_wait(struct ivsh_device *device,
			      const struct ivsh_vector_set *vectors,
			      int64_t timeout_ns, struct ivsh_vector_set *fired)
{
	if (!device->backend->wait) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return device->backend->wait(device, vectors, timeout_ns, fired);
}
