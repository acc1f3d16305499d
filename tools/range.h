/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A range of the shared memory, mapped for one copy; read.c and write.c
 * use it. A device that goes away meanwhile is an error, not SIGBUS.
 */
#ifndef IVSHMEMCTL_RANGE_H
#define IVSHMEMCTL_RANGE_H

#include "ctl.h"

struct range {
	struct ivsh_device *device;
	struct ivsh_region *region;
	unsigned char *start;
	uint64_t length;
	uint64_t shmem_size;
};

/*
 * Open the device; then map a range, unless it is outside. Both report what is
 * wrong and return a status; after STATUS_DONE of the first, range_close().
 */
int range_open(struct range *range, const struct ctl *ctl, bool read_only);
int range_map(struct range *range, uint64_t offset, uint64_t length,
	      bool read_only);
void range_close(struct range *range);

/* Copy at most once each byte. Returns a status; reports a device gone. */
int range_copy_out(const struct range *range, uint64_t at, void *to,
		   size_t length);
int range_copy_in(const struct range *range, uint64_t at, const void *from,
		  size_t length);

/* progress.c */
#define CHUNK_SIZE 65536

size_t chunk_size(uint64_t done, uint64_t length);
void show_progress(uint64_t done, uint64_t length);

#endif /* IVSHMEMCTL_RANGE_H */
