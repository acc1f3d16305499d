// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * struct ivsh_device: the front of every backend. Which one a name means is
 * decided here, and nothing else: see device.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device.h"

static bool begins_with(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

static bool is_file(const char *name)
{
	struct stat st;

	return strchr(name, '/') && !stat(name, &st) && S_ISREG(st.st_mode);
}

static const struct ivsh_backend *find_backend(const char *name)
{
	if (!name)
		return &ivsh_node_backend;
	if (begins_with(name, "unix:"))
		return &ivsh_server_backend;
	if (begins_with(name, "shm:") || begins_with(name, "file:") ||
	    is_file(name))
		return &ivsh_memory_backend;
	return &ivsh_node_backend;
}

static struct ivsh_device *device_open(const char *name, bool read_only)
{
	struct ivsh_device *device = calloc(1, sizeof(*device));
	int error;

	if (!device)
		return NULL;
	device->backend = find_backend(name);
	device->fd = -1;
	device->memory_fd = -1;
	device->page_size = (size_t)sysconf(_SC_PAGESIZE);
	device->read_only = read_only;
	for (int i = 0; i <= IVSH_VECTOR_MAX; i++)
		atomic_flag_clear(&device->bound[i]);
	ivsh_doorbell_map(device, 0);
	if (!device->backend->open(device, name))
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
	ivsh_doorbell_unmap(device);
	device->backend->close(device);
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
