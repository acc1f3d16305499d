/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The devices as sysfs shows them: attributes of a node, its PCI address, and
 * taking devices away from the driver and giving them back.
 */
#ifndef SYSFS_H
#define SYSFS_H

#include <dirent.h>
#include <libgen.h>

#include "guest.h"

#define DRIVER_DIR "/sys/bus/pci/drivers/ivshmem_guest"

/* The last part of a path, which is not changed. */
static inline const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The text of a node's attribute without its newline; "" if there is none. */
static inline const char *sysfs_read(const char *node, const char *attribute,
				     char *text, size_t size)
{
	char path[PATH_MAX];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/ivshmem/%s/%s", base_of(node),
		 attribute);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? 0 : read(fd, text, size - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* A node's attribute that is a number, UINT64_MAX if it is none. */
static inline __u64 sysfs_number(const char *node, const char *attribute)
{
	char text[64], *end;
	__u64 value;

	sysfs_read(node, attribute, text, sizeof(text));
	value = strtoull(text, &end, 10);
	return end == text || *end ? UINT64_MAX : value;
}

/* The PCI address of a node: "0000:00:03.0". */
static inline bool sysfs_address(const char *node, char address[16])
{
	char path[PATH_MAX], target[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/class/ivshmem/%s/device",
		 base_of(node));
	if (!realpath(path, target))
		return false;
	return snprintf(address, 16, "%s", base_of(target)) < 16;
}

/* The node of the device at a PCI address. */
static inline bool sysfs_node(const char *address, char node[32])
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/ivshmem", address);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			found = snprintf(node, 32, "/dev/%.20s",
					 entry->d_name) < 32;
	closedir(dir);
	return found;
}

static inline int sysfs_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -1;
	len = write(fd, text, strlen(text));
	close(fd);
	return len == (ssize_t)strlen(text) ? 0 : -1;
}

static inline int driver_unbind(const char *address)
{
	return sysfs_write(DRIVER_DIR "/unbind", address);
}

static inline int driver_bind(const char *address)
{
	return sysfs_write(DRIVER_DIR "/bind", address);
}

/* Take the device out of the PCI bus; pci_rescan() finds it again. */
static inline int pci_remove(const char *address)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/remove", address);
	return sysfs_write(path, "1");
}

static inline int pci_rescan(void)
{
	return sysfs_write("/sys/bus/pci/rescan", "1");
}

#endif /* SYSFS_H */
