// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * comeback: outlive the device, as when the guest is migrated by detach,
 * migrate, attach. Counts rings of vector 0 in the first word of the memory.
 * When the device goes it says so, sleeps until there is one again, and goes on
 * with that, which has another own ID.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include <ivshmem.h>

/* Sleep until there is a device that can be opened. */
static struct ivsh_device *wait_for_device(struct ivsh_monitor *monitor)
{
	enum ivsh_change change;
	struct ivsh_device *device;
	const char *path;

	while (!(device = ivsh_device_open(NULL)))
		if (ivsh_monitor_wait(monitor, -1, &change, &path))
			return NULL;
	return device;
}

static void say_own_id(struct ivsh_device *device)
{
	struct ivsh_info *info = ivsh_device_get_info(device);

	if (info)
		printf("my own ID is %" PRIu32 "\n", ivsh_info_own_id(info));
	fflush(stdout);
	ivsh_info_free(info);
}

/* Until the device goes. The guard makes a late touch of the memory harmless. */
static int use(struct ivsh_device *device)
{
	struct ivsh_region *region = ivsh_region_map(device, 0, 0, 0);
	struct ivsh_vector *vector = ivsh_vector_bind(device, 0);
	int error = errno;

	if (region && vector && !ivsh_region_guard(region)) {
		_Atomic uint32_t *rings = ivsh_region_address(region);

		say_own_id(device);
		while (!ivsh_vector_wait(vector, -1, NULL))
			printf("ring %" PRIu32 "\n", ++*rings), fflush(stdout);
		error = errno;
	}
	ivsh_vector_unbind(vector);
	ivsh_region_unmap(region);
	errno = error;
	return error == ENODEV ? 0 : -1;
}

int main(void)
{
	/* The monitor first: then no device comes unseen. */
	struct ivsh_monitor *monitor = ivsh_monitor_open();
	struct ivsh_device *device;

	while (monitor && (device = wait_for_device(monitor))) {
		int result = use(device);

		if (result)
			break;
		ivsh_device_close(device);
		puts("the device is gone");
		fflush(stdout);
	}
	return perror("comeback"), 1;
}
