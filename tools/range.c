// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mapping any range of bytes of the shared memory, and copying to and from it
 * so that a removal of the device is reported and not died of.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "range.h"

static sigjmp_buf on_sigbus;

static void handle_sigbus(int signal)
{
	siglongjmp(on_sigbus, signal);
}

int range_open(struct range *range, const struct ctl *ctl, bool read_only)
{
	struct ivsh_info *info;

	*range = (struct range){ .device = open_device(ctl, read_only) };
	if (!range->device)
		return STATUS_FAILED;
	info = ivsh_device_get_info(range->device);
	if (!info) {
		device_failed(range->device);
		range_close(range);
		return STATUS_FAILED;
	}
	range->shmem_size = ivsh_info_shmem_size(info);
	ivsh_info_free(info);
	return STATUS_DONE;
}

/* Say what would be right. */
static int range_failed(const struct range *range, uint64_t offset,
			uint64_t length)
{
	uint64_t fits = 0;

	if (offset < range->shmem_size)
		fits = range->shmem_size - offset;
	return fail(ivsh_device_path(range->device),
		    "%" PRIu64 " bytes at offset %" PRIu64 " end beyond the shared memory of %" PRIu64 " bytes, at most %" PRIu64 " fit there",
		    length, offset, range->shmem_size, fits);
}

int range_map(struct range *range, uint64_t offset, uint64_t length,
	      bool read_only)
{
	uint64_t into_page = offset % (uint64_t)sysconf(_SC_PAGESIZE);

	if (offset > range->shmem_size || length > range->shmem_size - offset)
		return range_failed(range, offset, length);
	range->length = length;
	if (!length)
		return STATUS_DONE;
	range->region = ivsh_region_map(range->device, offset - into_page,
					into_page + length,
					read_only ? IVSH_READ_ONLY : 0);
	if (!range->region)
		return device_failed(range->device);
	range->start = ivsh_region_address(range->region);
	range->start += into_page;
	return STATUS_DONE;
}

void range_close(struct range *range)
{
	ivsh_region_unmap(range->region);
	ivsh_device_close(range->device);
}

/* SIGBUS: the device is gone, or on the host somebody made the file shorter. */
static int touch_failed(const struct range *range)
{
	struct ivsh_info *info = ivsh_device_get_info(range->device);

	if (!info)
		return device_failed(range->device);
	ivsh_info_free(info);
	return fail(ivsh_device_path(range->device),
		    "somebody has made the memory shorter");
}

static int guarded_copy(const struct range *range, void *to, const void *from,
			size_t length)
{
	struct sigaction action = { .sa_handler = handle_sigbus };
	struct sigaction before;
	int status = STATUS_DONE;

	sigaction(SIGBUS, &action, &before);
	if (sigsetjmp(on_sigbus, 1) == 0) {
		memcpy(to, from, length);
	} else {
		status = touch_failed(range);
	}
	sigaction(SIGBUS, &before, NULL);
	return status;
}

int range_copy_out(const struct range *range, uint64_t at, void *to,
		   size_t length)
{
	return guarded_copy(range, to, range->start + at, length);
}

int range_copy_in(const struct range *range, uint64_t at, const void *from,
		  size_t length)
{
	return guarded_copy(range, range->start + at, from, length);
}
