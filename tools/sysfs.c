// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "remedy.h"
#include "sysfs.h"

void sysfs_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");

	line[0] = '\0';
	if (!file)
		return;
	if (fgets(line, (int)size, file))
		line[strcspn(line, "\n")] = '\0';
	fclose(file);
}

void sysfs_driver(const char *address, char *driver, size_t size)
{
	char path[128], target[PATH_MAX];
	ssize_t length;

	driver[0] = '\0';
	snprintf(path, sizeof(path), SYSFS_PCI "/devices/%s/driver", address);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return;
	target[length] = '\0';
	snprintf(driver, size, "%s", basename(target));
}

void sysfs_node(const char *address, char *node, size_t size)
{
	struct dirent *entry;
	char path[128];
	DIR *dir;

	node[0] = '\0';
	snprintf(path, sizeof(path), SYSFS_PCI "/devices/%s/ivshmem", address);
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			snprintf(node, size, "/dev/%s", entry->d_name);
	closedir(dir);
}
