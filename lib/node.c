// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The backend of a guest: an open node of the driver, and every ioctl that the
 * library knows. The driver checks all arguments.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ivshmem_guest.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "device.h"
#include "name.h"

_Static_assert(IVSH_PEER_MAX == IVSHMEM_PEER_MAX, "as the driver has it");
_Static_assert(IVSH_VECTOR_MAX == IVSHMEM_VECTOR_MAX, "as the driver has it");

static enum ivsh_page_attr page_attr(uint32_t uapi)
{
	switch (uapi) {
	case IVSHMEM_PAGE_ATTR_WB:
		return IVSH_PAGE_ATTR_WB;
	case IVSHMEM_PAGE_ATTR_WC:
		return IVSH_PAGE_ATTR_WC;
	case IVSHMEM_PAGE_ATTR_UC:
		return IVSH_PAGE_ATTR_UC;
	default:
		return IVSH_PAGE_ATTR_UNKNOWN;
	}
}

static int node_query(struct ivsh_device *device, struct ivsh_info *info)
{
	struct ivshmem_info uapi = { .size = sizeof(uapi) };

	if (ioctl(device->fd, IVSHMEM_INFO, &uapi))
		return -1;
	*info = (struct ivsh_info){
		.shmem_size = uapi.shmem_size,
		.generation = uapi.generation,
		.regs_offset = uapi.regs_offset,
		.own_id = uapi.own_id,
		.nr_vectors = uapi.nr_vectors,
		.revision = uapi.revision,
		.page_attr = page_attr(uapi.page_attr),
		.has_doorbell = uapi.features & IVSHMEM_FEATURE_DOORBELL,
	};
	return 0;
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

static int node_open(struct ivsh_device *device, const char *name)
{
	int access_mode = device->read_only ? O_RDONLY : O_RDWR;
	struct ivsh_info info;

	device->path = ivsh_name_to_path(name);
	if (!device->path || check_node(device->path))
		return -1;
	device->fd = open(device->path, access_mode | O_CLOEXEC | O_NONBLOCK);
	device->memory_fd = device->fd;
	if (device->fd < 0) {
		/* The node of a device that has just gone. */
		if (errno == ENXIO)
			errno = ENODEV;
		return -1;
	}
	if (node_query(device, &info))
		return -1;
	ivsh_doorbell_map(device, info.regs_offset);
	return 0;
}

static void node_close(struct ivsh_device *device)
{
	if (device->fd >= 0)
		close(device->fd);
}

static int node_ring(struct ivsh_device *device, uint32_t peer,
		     uint32_t vector)
{
	struct ivshmem_ring arg = {
		.size = sizeof(arg),
		.peer = peer,
		.vector = vector,
	};

	return ioctl(device->fd, IVSHMEM_RING, &arg);
}

/* Give the driver an eventfd to signal, or -1 for none. */
static int set_eventfd(const struct ivsh_device *device, uint32_t vector,
		       int fd)
{
	struct ivshmem_vector_eventfd arg = {
		.size = sizeof(arg),
		.vector = vector,
		.eventfd = fd,
	};

	return ioctl(device->fd, IVSHMEM_VECTOR_EVENTFD, &arg);
}

static int node_bind(struct ivsh_device *device, uint32_t vector)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int error;

	if (fd < 0 || !set_eventfd(device, vector, fd))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static void node_unbind(struct ivsh_device *device, uint32_t vector, int fd)
{
	/* Fails when the device is gone, and the binding with it. */
	set_eventfd(device, vector, -1);
	close(fd);
}

/* A device that goes away also signals the eventfds: poll() tells it apart. */
static struct pollfd node_watch(const struct ivsh_device *device)
{
	return (struct pollfd){ .fd = device->fd, .events = 0 };
}

static int node_watched(struct ivsh_device *device)
{
	(void)device;
	errno = ENODEV;
	return -1;
}

static int node_set_mode(struct ivsh_device *device, uint32_t vector,
			 enum ivsh_vector_mode mode)
{
	struct ivshmem_vector_mask arg = {
		.size = sizeof(arg),
		.vector = vector,
		.mode = mode,
	};

	return ioctl(device->fd, IVSHMEM_VECTOR_MASK, &arg);
}

static int node_wait(struct ivsh_device *device,
		     const struct ivsh_vector_set *vectors, int64_t timeout_ns,
		     struct ivsh_vector_set *fired)
{
	struct ivshmem_wait arg = {
		.size = sizeof(arg),
		.timeout_ns = timeout_ns,
	};

	memcpy(arg.vectors, vectors->words, sizeof(arg.vectors));
	if (ioctl(device->fd, IVSHMEM_WAIT, &arg))
		return -1;
	if (fired)
		memcpy(fired->words, arg.vectors, sizeof(arg.vectors));
	return 0;
}

static int node_count(struct ivsh_device *device, uint32_t vector,
		      struct ivsh_counts *counts)
{
	struct ivshmem_vector_stats arg = {
		.size = sizeof(arg),
		.vector = vector,
	};

	if (ioctl(device->fd, IVSHMEM_VECTOR_STATS, &arg))
		return -1;
	*counts = (struct ivsh_counts){
		.fired = arg.fired,
		.delivered = arg.delivered,
		.suppressed = arg.suppressed,
		.backoffs = arg.backoffs,
	};
	return 0;
}

static int node_export_dmabuf(struct ivsh_device *device, uint64_t offset,
			      uint64_t length)
{
	struct ivshmem_dmabuf arg = {
		.size = sizeof(arg),
		.offset = offset,
		.length = length,
	};

	return ioctl(device->fd, IVSHMEM_DMABUF, &arg) ? -1 : arg.fd;
}

const struct ivsh_backend ivsh_node_backend = {
	.open = node_open,
	.close = node_close,
	.query = node_query,
	.ring = node_ring,
	.bind = node_bind,
	.unbind = node_unbind,
	.watch = node_watch,
	.watched = node_watched,
	.set_mode = node_set_mode,
	.wait = node_wait,
	.count = node_count,
	.export_dmabuf = node_export_dmabuf,
};
