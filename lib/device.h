/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the library know of a device, and how they call its
 * driver. Not installed.
 */
#ifndef IVSH_DEVICE_H
#define IVSH_DEVICE_H

#include <linux/ivshmem_guest.h>
#include <stdatomic.h>

#include "ivshmem.h"

#define IVSH_API __attribute__((visibility("default")))

struct ivsh_device {
	int fd;
	bool read_only;
	char *path;
	/* One flag for each vector that has a struct ivsh_vector. */
	atomic_flag bound[IVSHMEM_VECTOR_MAX + 1];
};

/* Ask the driver. Returns 0, or -1 with errno set. */
int ivsh_device_query(const struct ivsh_device *device,
		      struct ivshmem_info *info);

/* Bind an eventfd to a vector, or unbind with -1. Returns 0, or -1. */
int ivsh_device_bind(const struct ivsh_device *device, uint32_t vector,
		     int eventfd);

#endif /* IVSH_DEVICE_H */
