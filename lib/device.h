/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the library know of a device. device.c, info.c, region.c
 * and vector.c are the front, the same for every kind of device; behind it
 * stands one backend for each kind, in a file of its own:
 *
 *   node.c      a node of the guest driver, /dev/ivshmem0
 *   server.c    a connection to a server of the host; reads its messages with
 *               message.c, and keeps the peers in peers.c
 *   memory.c    the memory of plain devices, on the host
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
	uint64_t regs_offset;	/* 0 when they cannot be mapped */
	uint32_t own_id;
	uint32_t nr_vectors;
	uint32_t revision;
	enum ivsh_page_attr page_attr;
	bool has_doorbell;
	bool may_shrink;
};

struct ivsh_peer_event {
	enum ivsh_peer_event_type type;
	uint32_t peer;
	uint32_t nr_vectors;
	int error;
};

/* What one vector has counted. */
struct ivsh_counts {
	uint64_t fired;
	uint64_t delivered;
	uint64_t suppressed;
	uint64_t backoffs;
};

/* Functions that return int return 0 (or what is said), or -1 with errno. */
struct ivsh_backend {
	/* Open what a user calls name; sets fd, memory_fd, path, page_size. */
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
	/*
	 * Returns 1 and an event, or 0 when there is none, and fd polls readable
	 * when there may be one. NULL when the backend never hears of peers.
	 */
	int (*next_event)(struct ivsh_device *device,
			  struct ivsh_peer_event *event);
	/* A backend may lack the rest: NULL. */
	int (*set_mode)(struct ivsh_device *device, uint32_t vector,
			enum ivsh_vector_mode mode);
	int (*wait)(struct ivsh_device *device,
		    const struct ivsh_vector_set *vectors, int64_t timeout_ns,
		    struct ivsh_vector_set *fired);
	int (*count)(struct ivsh_device *device, uint32_t vector,
		     struct ivsh_counts *counts);
	/* Returns a dma-buf, which the caller owns. */
	int (*export_dmabuf)(struct ivsh_device *device, uint64_t offset,
			     uint64_t length);
};

struct ivsh_device {
	const struct ivsh_backend *backend;
	int fd;			/* of ivsh_device_fd() */
	int memory_fd;		/* what regions map; the backend closes both */
	size_t page_size;	/* of the memory: its mappings are aligned to it */
	bool read_only;
	char *path;		/* of ivsh_device_path() */
	void *state;		/* the backend's own */
	uint32_t *doorbell;	/* where a store rings, see doorbell.c */
	void *doorbell_pages;	/* what it is mapped in, or NULL */
	/* One flag for each vector that has a struct ivsh_vector. */
	atomic_flag bound[IVSH_VECTOR_MAX + 1];
};

extern const struct ivsh_backend ivsh_node_backend;
extern const struct ivsh_backend ivsh_server_backend;
extern const struct ivsh_backend ivsh_memory_backend;

/* doorbell.c; without regs_offset, the doorbell of a device that has none. */
void ivsh_doorbell_map(struct ivsh_device *device, uint64_t regs_offset);
void ivsh_doorbell_unmap(struct ivsh_device *device);

#endif /* IVSH_DEVICE_H */
