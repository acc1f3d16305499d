// SPDX-License-Identifier: GPL-2.0-or-later
#include <ivshmem.h>
#include <stdio.h>

int main(void)
{
	struct ivsh_device *device = ivsh_device_open(NULL);
	struct ivsh_region *region = device ? ivsh_region_map(device, 0, 0, 0) : NULL;

	if (!region)
		return perror("ivshmem"), 1;
	snprintf(ivsh_region_address(region), 32, "hello from a guest\n");
}
