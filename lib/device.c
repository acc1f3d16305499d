// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * struct ivsh_device: an open node of the driver, and every ioctl that the
 * library knows.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "device.h"
#include "name.h"

int ivsh_device_query(const struct ivsh_device *device,
		      struct ivshmem_info *info)
{
	*info = (struct ivshmem_info){ .size = sizeof(*info) };
	return ioctl(device->fd, IVSHMEM_INFO, info);
}

int ivsh_device_bind(const struct ivsh_device *device, uint32_t vector,
		     int eventfd)
{
	struct ivshmem_vector_eventfd arg = {
		.size = sizeof(arg),
		.vector = vector,
		.eventfd = eventfd,
	};

	return ioctl(device->fd, IVSHMEM_VECTOR_EVENTFD, &arg);
}

/*
 * Whether the path is that of a node of the driver. Opening a device of another
 * kind may do something, so sysfs is asked first; without sysfs the node is
 * taken at its word, and IVSHMEM_INFO tells.
 */
static int check_node(const char *path)
{
	char link[64], target[PATH_MAX];
	struct stat st;
	ssize_t len;

	if (stat(path, &st))
		return -1;
	if (!S_ISCHR(st.st_mode)) {
		errno = ENOTTY;
		return -1;
	}
	snprintf(link, sizeof(link), "/sys/dev/char/%u:%u/subsystem",
		 major(st.st_rdev), minor(st.st_rdev));
	len = readlink(link, target, sizeof(target) - 1);
	if (len < 0)
		return 0;
	target[len] = '\0';
	if (strcmp(basename(target), "ivshmem")) {
		errno = ENOTTY;
		return -1;
	}
	return 0;
}

static int open_node(struct ivsh_device *device)
{
	int access_mode = device->read_only ? O_RDONLY : O_RDWR;
	struct ivshmem_info info;

	if (check_node(device->path))
		return -1;
	device->fd = open(device->path, access_mode | O_CLOEXEC | O_NONBLOCK);
	if (device->fd < 0) {
		/* The node of a device that has just gone. */
		if (errno == ENXIO)
			errno = ENODEV;
		return -1;
	}
	return ivsh_device_query(device, &info);
}

static struct ivsh_device *device_open(const char *name, bool read_only)
{
	struct ivsh_device *device = calloc(1, sizeof(*device));
	int error;

	if (!device)
		return NULL;
	device->fd = -1;
	device->read_only = read_only;
	for (int i = 0; i <= IVSHMEM_VECTOR_MAX; i++)
		atomic_flag_clear(&device->bound[i]);
	device->path = ivsh_name_to_path(name);
	if (device->path && !open_node(device))
		return device;
	error = errno;
	ivsh_device_close(device);
	errno = error;
	return NULL;
}

IVSH_API struct ivsh_device *ivsh_device_open(const char *name)
{
	return device_open(name, false);
}

IVSH_API struct ivsh_device *ivsh_device_open_read_only(const char *name)
{
	return device_open(name, true);
}

IVSH_API void ivsh_device_close(struct ivsh_device *device)
{
	if (!device)
		return;
	if (device->fd >= 0)
		close(device->fd);
	free(device->path);
	free(device);
}

IVSH_API int ivsh_device_fd(const struct ivsh_device *device)
{
	return device->fd;
}

IVSH_API const char *ivsh_device_path(const struct ivsh_device *device)
{
	return device->path;
}

IVSH_API int ivsh_device_ring(struct ivsh_device *device, uint32_t peer,
			      uint32_t vector)
{
	struct ivshmem_ring arg = {
		.size = sizeof(arg),
		.peer = peer,
		.vector = vector,
	};

	return ioctl(device->fd, IVSHMEM_RING, &arg);
}
