// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The backend of a host process that shares the memory of ivshmem-plain
 * devices: a POSIX shared memory object ("shm:/name") or a file ("file:/path",
 * also on hugetlbfs). There are no interrupts. server.c calls the part that
 * knows of memory only.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "memory.h"

int ivsh_memory_take(struct ivsh_device *device, int fd)
{
	struct statfs fs;
	struct stat st;

	device->memory_fd = fd;
	if (fstat(fd, &st) || fstatfs(fd, &fs))
		return -1;
	if (!S_ISREG(st.st_mode) || st.st_size <= 0) {
		errno = ENOTTY;
		return -1;
	}
	if ((unsigned int)fs.f_type == HUGETLBFS_MAGIC)
		device->page_size = (size_t)st.st_blksize;
	return 0;
}

int ivsh_memory_query(const struct ivsh_device *device, struct ivsh_info *info)
{
	int seals = fcntl(device->memory_fd, F_GET_SEALS);
	struct stat st;

	if (fstat(device->memory_fd, &st))
		return -1;
	*info = (struct ivsh_info){
		.shmem_size = (uint64_t)st.st_size,
		.page_attr = IVSH_PAGE_ATTR_WB,
		.may_shrink = seals < 0 || !(seals & F_SEAL_SHRINK),
	};
	return 0;
}

/* Nothing but a file is opened: to open a device or a FIFO does something. */
static int open_file(const char *path, int access_mode)
{
	struct stat st;

	if (stat(path, &st))
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = ENOTTY;
		return -1;
	}
	return open(path, access_mode | O_CLOEXEC | O_NONBLOCK);
}

static int open_memory(const char *name, int access_mode)
{
	if (!strncmp(name, "shm:", 4))
		return shm_open(name + 4, access_mode, 0);
	if (!strncmp(name, "file:", 5))
		name += 5;
	return open_file(name, access_mode);
}

static int memory_open(struct ivsh_device *device, const char *name)
{
	int fd;

	device->path = strdup(name);
	/* Never signalled: it is there to be polled, as that of others. */
	device->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!device->path || device->fd < 0)
		return -1;
	fd = open_memory(name, device->read_only ? O_RDONLY : O_RDWR);
	return fd < 0 ? -1 : ivsh_memory_take(device, fd);
}

static void memory_close(struct ivsh_device *device)
{
	if (device->fd >= 0)
		close(device->fd);
	if (device->memory_fd >= 0)
		close(device->memory_fd);
}

static int memory_query(struct ivsh_device *device, struct ivsh_info *info)
{
	return ivsh_memory_query(device, info);
}

static int no_doorbell(void)
{
	errno = EOPNOTSUPP;
	return -1;
}

static int memory_ring(struct ivsh_device *device, uint32_t peer,
		       uint32_t vector)
{
	(void)device;
	(void)peer;
	(void)vector;
	return no_doorbell();
}

static int memory_bind(struct ivsh_device *device, uint32_t vector)
{
	(void)device;
	(void)vector;
	return no_doorbell();
}

const struct ivsh_backend ivsh_memory_backend = {
	.open = memory_open,
	.close = memory_close,
	.query = memory_query,
	.ring = memory_ring,
	.bind = memory_bind,
};
