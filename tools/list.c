// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemctl list: every ivshmem device of the machine, through libpci, with
 * whatever driver or none, and what to do where ours is not at work.
 */
#include <errno.h>
#include <limits.h>
#include <pci/pci.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "remedy.h"
#include "sysfs.h"
#include "table.h"

#define VENDOR_ID 0x1af4
#define DEVICE_ID 0x1110
/* Intel Celadon's virtio has the same ids. */
#define CLASS_FOREIGN 0xff80
#define BAR_SHMEM 2

/* The configuration space that everybody may read. */
#define PUBLIC_CONFIG_SIZE 64

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

/* What only the driver knows. */
static void set_from_driver(struct table *table, const char *node)
{
	struct ivsh_device *device = ivsh_device_open_read_only(node);
	char remedy[REMEDY_SIZE];
	struct ivsh_info *info;

	if (!device) {
		remedy_for_node(remedy, sizeof(remedy), node, errno);
		table_set(table, REMEDY, remedy);
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

static bool sees_capabilities(struct pci_dev *pci)
{
	unsigned char byte;

	return !(pci_read_word(pci, PCI_STATUS) & PCI_STATUS_CAP_LIST) ||
	       pci_read_block(pci, PUBLIC_CONFIG_SIZE, &byte, 1);
}

/* What PCI knows; the capabilities of a doorbell device only root may read. */
static void set_from_pci(struct table *table, struct pci_dev *pci)
{
	struct pci_cap *msix = pci_find_cap(pci, PCI_CAP_ID_MSIX,
					    PCI_CAP_NORMAL);
	uint32_t nr_vectors = 0;

	table_set_number(table, REVISION, pci_read_byte(pci, PCI_REVISION_ID));
	if (pci->size[BAR_SHMEM])
		table_set_bytes(table, SHMEM_SIZE, pci->size[BAR_SHMEM]);
	if (!sees_capabilities(pci))
		return;
	if (msix)
		nr_vectors = (pci_read_word(pci, msix->addr + PCI_CAP_FLAGS) &
			      PCI_MSIX_TABSIZE) + 1;
	table_set(table, FLAVOUR, flavour_name(msix));
	table_set_number(table, NR_VECTORS, nr_vectors);
}

static void add_device(struct table *table, struct pci_dev *pci)
{
	char address[32], node[NAME_MAX + 8], driver[NAME_MAX + 1];
	char remedy[REMEDY_SIZE];

	snprintf(address, sizeof(address), "%04x:%02x:%02x.%d", pci->domain,
		 pci->bus, pci->dev, pci->func);
	sysfs_driver(address, driver, sizeof(driver));
	sysfs_node(address, node, sizeof(node));
	table_add_row(table);
	table_set(table, PCI_ADDRESS, address);
	if (driver[0])
		table_set(table, DRIVER_NAME, driver);
	set_from_pci(table, pci);
	if (node[0]) {
		table_set(table, NODE, node);
		set_from_driver(table, node);
		return;
	}
	remedy_for_driver(remedy, sizeof(remedy), address, driver,
			  pci->size[BAR_SHMEM]);
	table_set(table, REMEDY, remedy);
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
		pci_fill_info(pci, PCI_FILL_IDENT | PCI_FILL_CLASS);
		if (!is_ivshmem(pci))
			continue;
		pci_fill_info(pci, PCI_FILL_BASES | PCI_FILL_SIZES |
			      PCI_FILL_CAPS);
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

static struct pci_access *open_pci(void)
{
	struct pci_access *pci = pci_alloc();

	/* Never by the ports: that would be root's probing of hardware. */
	pci->method = PCI_ACCESS_SYS_BUS_PCI;
	pci->error = pci_failed;
	pci->warning = pci_warned;
	pci_init(pci);
	return pci;
}

static void print_list(bool json)
{
	struct table *table = table_new("devices", columns, NR_COLUMNS, json);
	struct pci_access *pci = open_pci();

	if (!add_devices(table, pci))
		fputs("ivshmemctl: list: no ivshmem device (PCI 1af4:1110) in this machine\n",
		      stderr);
	table_print(table);
	table_free(table);
	pci_cleanup(pci);
}

static int run_list(struct ctl *ctl, int argc, char **argv)
{
	bool json = parse_json_option(ctl, argc, argv);

	if (ctl->device_name)
		usage_error(ctl, "-d", "list shows every device");
	if (access(SYSFS_PCI "/devices", F_OK))
		return fail(SYSFS_PCI, "%s (no PCI here, or sysfs is not mounted)",
			    strerror(errno));
	print_list(json);
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
