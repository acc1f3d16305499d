/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the library know of a device. device.c, info.c, region.c
 * and vector.c are the front, the same for every kind of device; behind it
 * stands one backend for each kind, in a file of its own:
 *
 *   node.c    a node of the guest driver, /dev/ivshmem0
 *
 * Calls go from the front to a backend through struct ivsh_backend, never
 * back. Not installed.
 */
#ifndef IVSH_DEVICE_H
#define IVSH_DEVICE_H

#include <poll.h>
#include <stdatomic.h>

#include "ivshmem.h"

#define IVSH_API __attribute__((visibility("default")))

struct ivsh_info {
	uint64_t shmem_size;
	uint64_t generation;
	uint32_t own_id;
	uint32_t nr_vectors;
	uint32_t revision;
	enum ivsh_page_attr page_attr;
	bool has_doorbell;
};

/* Functions that return int return 0 (or what is said), or -1 with errno. */
struct ivsh_backend {
	/* Open what a user calls name; sets fd, memory_fd and path. */
	int (*open)(struct ivsh_device *device, const char *name);
	/* Also after an open() that failed anywhere on its way. */
	void (*close)(struct ivsh_device *device);
	int (*query)(struct ivsh_device *device, struct ivsh_info *info);
	int (*ring)(struct ivsh_device *device, uint32_t peer, uint32_t vector);
	/*
	 * Returns the eventfd that is signalled from now on when the vector
	 * fires. It may be shared with strangers: see vector.c.
	 */
	int (*bind)(struct ivsh_device *device, uint32_t vector);
	void (*unbind)(struct ivsh_device *device, uint32_t vector, int eventfd);
	/*
	 * What is to be polled beside the eventfd of a vector, and what is to
	 * be done when it polled: -1 ends the waiting.
	 */
	struct pollfd (*watch)(const struct ivsh_device *device);
	int (*watched)(struct ivsh_device *device);
};

struct ivsh_device {
	const struct ivsh_backend *backend;
	int fd;			/* of ivsh_device_fd() */
	int memory_fd;		/* what regions map; the backend closes both */
	bool read_only;
	char *path;		/* of ivsh_device_path() */
	/* One flag for each vector that has a struct ivsh_vector. */
	atomic_flag bound[IVSH_VECTOR_MAX + 1];
};

extern const struct ivsh_backend ivsh_node_backend;

#endif /* IVSH_DEVICE_H */
