// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * struct ivsh_region: a mapped range of the shared memory. The driver would
 * refuse a wrong range too, but mmap() refuses some before it is asked, with
 * another errno.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"
#include "guard.h"

struct ivsh_region {
	void *address;
	size_t size;
	/* What is mapped; begins earlier and ends later in huge pages. */
	void *mapping;
	size_t mapping_size;
	struct ivsh_guard *guard;	/* or NULL */
};

/* Check a range against the memory; a length of 0 becomes all that follows. */
static int check_range(struct ivsh_device *device, uint64_t offset,
		       uint64_t *length)
{
	struct ivsh_info info;

	if (device->backend->query(device, &info))
		return -1;
	if (offset >= info.shmem_size || *length > info.shmem_size - offset) {
		errno = EINVAL;
		return -1;
	}
	if (!*length)
		*length = info.shmem_size - offset;
	/* A process of 32 bits has no room for 4 GiB. */
	if (*length > SIZE_MAX) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

static int check_flags(const struct ivsh_device *device, uint64_t offset,
		       unsigned int flags)
{
	errno = 0;
	if (flags & ~IVSH_READ_ONLY || offset % (uint64_t)sysconf(_SC_PAGESIZE))
		errno = EINVAL;
	else if (device->read_only && !(flags & IVSH_READ_ONLY))
		errno = EACCES;
	return errno ? -1 : 0;
}

static int map(struct ivsh_region *region, const struct ivsh_device *device,
	       uint64_t offset, uint64_t length, unsigned int flags)
{
	size_t before = (size_t)(offset % device->page_size);
	size_t pages = (before + (size_t)length - 1) / device->page_size + 1;
	int protection = PROT_READ;

	if (!(flags & IVSH_READ_ONLY))
		protection |= PROT_WRITE;
	region->size = length;
	region->mapping_size = pages * device->page_size;
	region->mapping = mmap(NULL, region->mapping_size, protection,
			       MAP_SHARED, device->memory_fd,
			       (off_t)(offset - before));
	if (region->mapping == MAP_FAILED)
		return -1;
	region->address = (char *)region->mapping + before;
	return 0;
}

IVSH_API struct ivsh_region *ivsh_region_map(struct ivsh_device *device,
					     uint64_t offset, uint64_t length,
					     unsigned int flags)
{
	struct ivsh_region *region;

	if (check_range(device, offset, &length) ||
	    check_flags(device, offset, flags))
		return NULL;
	region = calloc(1, sizeof(*region));
	if (!region)
		return NULL;
	if (map(region, device, offset, length, flags)) {
		free(region);
		return NULL;
	}
	return region;
}

IVSH_API int ivsh_device_export_dmabuf(struct ivsh_device *device,
				       uint64_t offset, uint64_t length)
{
	if (!device->backend->export_dmabuf) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (check_range(device, offset, &length) ||
	    check_flags(device, offset, 0))
		return -1;
	return device->backend->export_dmabuf(device, offset, length);
}

IVSH_API void ivsh_region_unmap(struct ivsh_region *region)
{
	if (!region)
		return;
	ivsh_guard_end(region->guard);
	munmap(region->mapping, region->mapping_size);
	free(region);
}

IVSH_API int ivsh_region_guard(struct ivsh_region *region)
{
	if (!region->guard)
		region->guard = ivsh_guard_begin(region->address, region->size);
	return region->guard ? 0 : -1;
}

IVSH_API bool ivsh_region_is_lost(const struct ivsh_region *region)
{
	return region->guard && ivsh_guard_fired(region->guard);
}

IVSH_API void *ivsh_region_address(const struct ivsh_region *region)
{
	return region->address;
}

IVSH_API size_t ivsh_region_size(const struct ivsh_region *region)
{
	return region->size;
}
