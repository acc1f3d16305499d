// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Waking by doorbell: how a directory rings peers through a device, and is
 * woken by a vector of it.
 */
#include "channel.h"

static int ring(void *context, uint32_t peer, uint32_t vector)
{
	struct ivsh_directory *directory = context;

	return ivsh_device_ring(directory->device, peer, vector);
}

static int wait(void *context, int64_t timeout_ns)
{
	struct ivsh_directory *directory = context;

	return ivsh_vector_wait(directory->vector, timeout_ns, NULL);
}

static int clear(void *context)
{
	struct ivsh_directory *directory = context;

	return ivsh_vector_clear(directory->vector, NULL);
}

IVSH_API int ivsh_directory_use_doorbell(struct ivsh_directory *directory,
					 struct ivsh_device *device,
					 struct ivsh_vector *vector)
{
	struct ivsh_wakeup wakeup = {
		.ring = ring,
		.wait = wait,
		.clear = clear,
		.fd = ivsh_vector_fd(vector),
		.context = directory,
	};
	struct ivsh_info *info;
	bool doorbell;

	info = ivsh_device_get_info(device);
	if (!info)
		return -1;
	wakeup.doorbell = IVSH_ASLEEP | ivsh_info_own_id(info) << 16 |
			  ivsh_vector_number(vector);
	doorbell = ivsh_info_has_doorbell(info);
	ivsh_info_free(info);
	if (!doorbell || directory->observer)
		return ivsh_fail(EOPNOTSUPP);
	if (directory->channels)
		return ivsh_fail(EBUSY);
	directory->device = device;
	directory->vector = vector;
	ivsh_directory_set_wakeup(directory, &wakeup);
	return 0;
}
