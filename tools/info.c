// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemctl info: what one device is, as the driver says it now.
 */
#include <stdio.h>

#include "ctl.h"
#include "table.h"

enum { NODE, FLAVOUR, REVISION, SHMEM_SIZE, OWN_ID, NR_VECTORS, PAGE_ATTR,
       GENERATION, RING };

static const struct column columns[] = {
	[NODE] = { "node", false },
	[FLAVOUR] = { "flavour", false },
	[REVISION] = { "revision", true },
	[SHMEM_SIZE] = { "shmem_size", true },
	[OWN_ID] = { "own_id", true },
	[NR_VECTORS] = { "nr_vectors", true },
	[PAGE_ATTR] = { "page_attr", false },
	[GENERATION] = { "generation", true },
	[RING] = { "ring", false },
};

static void print_info(const char *node, const struct ivsh_info *info,
		       bool json)
{
	struct table *table = table_new("info", columns,
					sizeof(columns) / sizeof(columns[0]),
					json);

	table_add_row(table);
	table_set(table, NODE, node);
	table_set(table, FLAVOUR, flavour_name(ivsh_info_has_doorbell(info)));
	table_set_number(table, REVISION, ivsh_info_revision(info));
	table_set_bytes(table, SHMEM_SIZE, ivsh_info_shmem_size(info));
	table_set_number(table, OWN_ID, ivsh_info_own_id(info));
	table_set_number(table, NR_VECTORS, ivsh_info_nr_vectors(info));
	table_set(table, PAGE_ATTR,
		  page_attr_name(ivsh_info_page_attr(info)));
	table_set_number(table, GENERATION, ivsh_info_generation(info));
	if (ivsh_info_has_doorbell(info))
		table_set(table, RING,
			  ivsh_info_has_mapped_regs(info) ? "store" : "ioctl");
	table_print(table);
	table_free(table);
}

/* Such memory was not made by ivshmemd, or with a name that others open. */
static void warn_of_memory(const char *node, const struct ivsh_info *info)
{
	if (ivsh_info_may_shrink(info))
		fprintf(stderr, "ivshmemctl: %s: others can shrink this memory, and who touches it then is killed by SIGBUS: ivshmemd seals it, without -M and -m\n",
			node);
}

static int run_info(struct ctl *ctl, int argc, char **argv)
{
	bool json = parse_json_option(ctl, argc, argv);
	struct ivsh_device *device = open_device(ctl, true);
	struct ivsh_info *info;
	int status = STATUS_DONE;

	if (!device)
		return STATUS_FAILED;
	info = ivsh_device_get_info(device);
	if (info) {
		print_info(ivsh_device_path(device), info, json);
		warn_of_memory(ivsh_device_path(device), info);
	} else {
		status = device_failed(device);
	}
	ivsh_info_free(info);
	ivsh_device_close(device);
	return status;
}

const struct command info_command = {
	.name = "info",
	.operands = "",
	.options = "[--json]",
	.summary = "Say what a device is",
	.help = "  --json    as JSON, sizes in bytes\n",
	.run = run_info,
};
