// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemctl list: every ivshmem device of the machine, through libpci, with
 * whatever driver or none, and what to do where ours is not at work.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <pci/pci.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "table.h"

#define VENDOR_ID 0x1af4
#define DEVICE_ID 0x1110
/* Intel Celadon's virtio has the same ids. */
#define CLASS_FOREIGN 0xff80
#define BAR_SHMEM 2
#define DRIVER "ivshmem_guest"
#define SYSFS_PCI "/sys/bus/pci"

enum { NODE, PCI_ADDRESS, DRIVER_NAME, FLAVOUR, REVISION, SHMEM_SIZE, OWN_ID,
       NR_VECTORS, PAGE_ATTR, REMEDY };

static const struct column columns[] = {
	[NODE] = { "node", false },
	[PCI_ADDRESS] = { "pci_address", false },
	[DRIVER_NAME] = { "driver", false },
	[FLAVOUR] = { "flavour", false },
	[REVISION] = { "revision", true },
	[SHMEM_SIZE] = { "shmem_size", true },
	[OWN_ID] = { "own_id", true },
	[NR_VECTORS] = { "nr_vectors", true },
	[PAGE_ATTR] = { "page_attr", false },
	[REMEDY] = { "remedy", false },
};

#define NR_COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* libpci would print in its own way; exits, as it demands. */
static void __attribute__((noreturn, format(printf, 1, 2)))
pci_failed(char *format, ...)
{
	char why[256];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	exit(fail("PCI", "%s", why));
}

static void __attribute__((format(printf, 1, 2)))
pci_warned(char *format, ...)
{
	(void)format;
}

static bool is_ivshmem(const struct pci_dev *pci)
{
	return pci->vendor_id == VENDOR_ID && pci->device_id == DEVICE_ID &&
	       pci->device_class != CLASS_FOREIGN;
}

/* The node's name, such as ivshmem0, or "" when our driver made none. */
static void find_node(const char *address, char *node, size_t size)
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

static void __attribute__((format(printf, 2, 3)))
set_remedy(struct table *table, const char *format, ...)
{
	char remedy[512];
	va_list args;

	va_start(args, format);
	vsnprintf(remedy, sizeof(remedy), format, args);
	va_end(args);
	table_set(table, REMEDY, remedy);
}

/* What to do about a device that has no node of ours. */
static void set_driver_remedy(struct table *table, const char *address,
			      const char *driver)
{
	if (driver && strcmp(driver, DRIVER))
		set_remedy(table, "echo %s > " SYSFS_PCI "/drivers/%s/unbind; "
			   "echo " DRIVER " > " SYSFS_PCI "/devices/%s/driver_override; "
			   "modprobe " DRIVER "; echo %s > " SYSFS_PCI "/drivers_probe",
			   address, driver, address, address);
	else if (driver)
		set_remedy(table, "the node is missing: is udev or devtmpfs there?");
	else if (access(SYSFS_PCI "/drivers/" DRIVER, F_OK))
		set_remedy(table, "modprobe " DRIVER);
	else
		set_remedy(table, "echo %s > " SYSFS_PCI "/drivers/" DRIVER "/bind; if that fails: dmesg | grep %s",
			   address, address);
}

/* What only the driver knows. */
static void set_from_driver(struct table *table, const char *node)
{
	struct ivsh_device *device = ivsh_device_open_read_only(node);
	struct ivsh_info *info;

	if (!device) {
		set_remedy(table, errno == EACCES ?
			   "no permission: run as root, or chgrp and chmod %s" :
			   "%s does not open", node);
		return;
	}
	info = ivsh_device_get_info(device);
	if (info) {
		table_set(table, FLAVOUR,
			  flavour_name(ivsh_info_has_doorbell(info)));
		table_set_number(table, OWN_ID, ivsh_info_own_id(info));
		table_set_number(table, NR_VECTORS, ivsh_info_nr_vectors(info));
		table_set(table, PAGE_ATTR,
			  page_attr_name(ivsh_info_page_attr(info)));
	}
	ivsh_info_free(info);
	ivsh_device_close(device);
}

/* What PCI knows; capabilities only root may read. */
static void set_from_pci(struct table *table, struct pci_dev *pci)
{
	table_set_number(table, REVISION, pci_read_byte(pci, PCI_REVISION_ID));
	table_set_bytes(table, SHMEM_SIZE, pci->size[BAR_SHMEM]);
	if (geteuid() == 0)
		table_set(table, FLAVOUR,
			  flavour_name(pci_find_cap(pci, PCI_CAP_ID_MSIX,
						    PCI_CAP_NORMAL)));
}

static void add_device(struct table *table, struct pci_dev *pci)
{
	const char *driver = pci_get_string_property(pci, PCI_FILL_DRIVER);
	char address[32], node[300];

	snprintf(address, sizeof(address), "%04x:%02x:%02x.%d", pci->domain,
		 pci->bus, pci->dev, pci->func);
	find_node(address, node, sizeof(node));
	table_add_row(table);
	table_set(table, PCI_ADDRESS, address);
	if (driver)
		table_set(table, DRIVER_NAME, driver);
	set_from_pci(table, pci);
	if (!node[0]) {
		set_driver_remedy(table, address, driver);
		return;
	}
	table_set(table, NODE, node);
	set_from_driver(table, node);
}

static int compare_addresses(const void *left, const void *right)
{
	const struct pci_dev *a = *(struct pci_dev *const *)left;
	const struct pci_dev *b = *(struct pci_dev *const *)right;

	if (a->domain != b->domain)
		return a->domain < b->domain ? -1 : 1;
	if (a->bus != b->bus)
		return a->bus < b->bus ? -1 : 1;
	return (a->dev << 3 | a->func) - (b->dev << 3 | b->func);
}

/* The ivshmem devices by address, owned by the caller; and how many. */
static struct pci_dev **find_devices(struct pci_access *access, size_t *nr)
{
	struct pci_dev **found = NULL;

	*nr = 0;
	pci_scan_bus(access);
	for (struct pci_dev *pci = access->devices; pci; pci = pci->next) {
		pci_fill_info(pci, PCI_FILL_IDENT | PCI_FILL_CLASS |
			      PCI_FILL_BASES | PCI_FILL_SIZES |
			      PCI_FILL_DRIVER | PCI_FILL_CAPS);
		if (!is_ivshmem(pci))
			continue;
		found = realloc(found, (*nr + 1) * sizeof(*found));
		if (!found)
			exit(fail("list", "out of memory"));
		found[(*nr)++] = pci;
	}
	if (found)
		qsort(found, *nr, sizeof(*found), compare_addresses);
	return found;
}

static size_t add_devices(struct table *table, struct pci_access *access)
{
	size_t nr_devices;
	struct pci_dev **found = find_devices(access, &nr_devices);

	for (size_t i = 0; i < nr_devices; i++)
		add_device(table, found[i]);
	free(found);
	return nr_devices;
}

static int run_list(struct ctl *ctl, int argc, char **argv)
{
	bool json = parse_json_option(ctl, argc, argv);
	struct table *table = table_new("devices", columns, NR_COLUMNS, json);
	struct pci_access *pci;
	size_t nr_devices = 0;

	if (access(SYSFS_PCI "/devices", F_OK)) {
		fail("PCI", SYSFS_PCI " is not there: a machine without PCI, or sysfs is not mounted");
	} else {
		pci = pci_alloc();
		pci->error = pci_failed;
		pci->warning = pci_warned;
		pci_init(pci);
		nr_devices = add_devices(table, pci);
		pci_cleanup(pci);
	}
	if (!nr_devices)
		fputs("ivshmemctl: list: no ivshmem device (PCI 1af4:1110) in this machine\n",
		      stderr);
	table_print(table);
	table_free(table);
	return STATUS_DONE;
}

const struct command list_command = {
	.name = "list",
	.operands = "",
	.options = "[--json]",
	.summary = "Show every ivshmem device of this machine",
	.help = "Also those without a driver or with another one, and then what to do.\n\n"
		"  --json    as JSON, sizes in bytes\n",
	.run = run_list,
};
