// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What this kernel keeps a user from: loading our module, and mapping the
 * memory in sysfs, as programs do that use no driver. Called by doctor.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kernel.h"
#include "remedy.h"
#include "sysfs.h"

bool kernel_is_locked_down(void)
{
	char line[128];

	sysfs_line("/sys/kernel/security/lockdown", line, sizeof(line));
	return strstr(line, "[integrity]") || strstr(line, "[confidentiality]");
}

bool kernel_wants_signatures(void)
{
	char line[8];

	sysfs_line("/sys/module/module/parameters/sig_enforce", line,
		   sizeof(line));
	return line[0] == 'Y' || kernel_is_locked_down();
}

bool kernel_lacks_module(void)
{
	char path[PATH_MAX], line[4096];
	struct utsname kernel;
	bool found = false;
	FILE *file;

	if (uname(&kernel))
		return false;
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep",
		 kernel.release);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = strstr(line, DRIVER ".ko");
	fclose(file);
	return !found;
}

static int map_resource2(const char *address)
{
	char path[128];
	void *memory;
	int fd;

	snprintf(path, sizeof(path), SYSFS_PCI "/devices/%s/resource2",
		 address);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	memory = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	return memory == MAP_FAILED ? -1 : munmap(memory, 4096);
}

const char *kernel_refuses_resource2(const char *address)
{
	if (!map_resource2(address))
		return NULL;
	if (errno == EPERM)
		return "this kernel is locked down (Secure Boot or lockdown=): only a node of " DRIVER " can be mapped";
	if (errno == EINVAL)
		return "a driver has the device, and this kernel (CONFIG_IO_STRICT_DEVMEM) then lets nobody else map it: take the node of " DRIVER ", or boot Linux with iomem=relaxed";
	return strerror(errno);
}
