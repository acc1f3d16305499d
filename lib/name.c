// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From what a user calls a device to its node: a path stays as it is, an index
 * is part of the node's name, and a PCI address is looked up in sysfs. Called
 * by node.c.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "name.h"

#define CLASS_DIR "/sys/class/ivshmem"
#define PCI_ADDRESS_SIZE sizeof("ffffffff:00:00.0")

static char *fail(int error)
{
	errno = error;
	return NULL;
}

static char *node_path(const char *node)
{
	char *path;

	if (asprintf(&path, "/dev/%s", node) < 0)
		return fail(ENOMEM);
	return path;
}

/* The PCI address of /sys/class/ivshmem/NODE, "" if it has none. */
static void pci_address_of(const char *node, char address[PCI_ADDRESS_SIZE])
{
	char link[sizeof(CLASS_DIR) + NAME_MAX + sizeof("//device")];
	char target[512];
	const char *base;
	ssize_t len;

	address[0] = '\0';
	snprintf(link, sizeof(link), CLASS_DIR "/%.*s/device", NAME_MAX, node);
	len = readlink(link, target, sizeof(target) - 1);
	if (len < 0)
		return;
	target[len] = '\0';
	base = strrchr(target, '/');
	base = base ? base + 1 : target;
	if (strlen(base) < PCI_ADDRESS_SIZE)
		strcpy(address, base);
}

/*
 * The node of the only device at a PCI address, or of the only device at all
 * when wanted is NULL.
 */
static char *find_node(const char *wanted)
{
	char address[PCI_ADDRESS_SIZE];
	struct dirent *entry;
	char *path = NULL;
	int error = ENOENT;
	DIR *dir;

	dir = opendir(CLASS_DIR);
	if (!dir)
		return NULL;
	while ((entry = readdir(dir)) && error != ENOTUNIQ) {
		if (entry->d_name[0] == '.')
			continue;
		pci_address_of(entry->d_name, address);
		if (wanted && strcasecmp(wanted, address))
			continue;
		error = path ? ENOTUNIQ : 0;
		free(path);
		path = error ? NULL : node_path(entry->d_name);
		if (!path && !error)
			error = ENOMEM;
	}
	closedir(dir);
	return path ? path : fail(error);
}

static char *find_index(const char *digits)
{
	char node[sizeof("ivshmem") + 10];

	if (strspn(digits, "0123456789") != strlen(digits) ||
	    strlen(digits) > 10)
		return fail(EINVAL);
	snprintf(node, sizeof(node), "ivshmem%s", digits);
	return node_path(node);
}

/* The node at "DOMAIN:BB:SS.F" or "BB:SS.F", hexadecimal. */
static char *find_pci_address(const char *name)
{
	unsigned int domain = 0, bus, slot, function;
	char address[PCI_ADDRESS_SIZE];
	int end = 0;

	/* sscanf() would also take signs, spaces and 0x. */
	if (name[strspn(name, "0123456789abcdefABCDEF:.")])
		return fail(EINVAL);
	if (sscanf(name, "%8x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function,
		   &end) != 4 || name[end]) {
		domain = 0;
		end = 0;
		if (sscanf(name, "%2x:%2x.%1x%n", &bus, &slot, &function,
			   &end) != 3 || name[end])
			return fail(EINVAL);
	}
	if (slot > 31 || function > 7)
		return fail(EINVAL);
	snprintf(address, sizeof(address), "%04x:%02x:%02x.%u", domain,
		 bus & 0xff, slot, function);
	return find_node(address);
}

char *ivsh_name_to_path(const char *name)
{
	char *path;

	if (!name)
		return find_node(NULL);
	if (strchr(name, '/')) {
		path = strdup(name);
		return path ? path : fail(ENOMEM);
	}
	if (isxdigit((unsigned char)name[0]) && strchr(name, ':'))
		return find_pci_address(name);
	if (isdigit((unsigned char)name[0]))
		return find_index(name);
	return fail(EINVAL);
}
