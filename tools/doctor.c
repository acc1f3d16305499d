// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemctl doctor: why it does not work, and what to do. Looks at the machine,
 * then at each device, as far as each allows; with --ring rings each device by
 * itself, with --resource2 maps it in sysfs. Every finding is one line, "what: cause: remedy".
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "kernel.h"
#include "remedy.h"
#include "sysfs.h"

#define RING_LIMIT_NS 5000000000LL

struct doctor {
	bool ring;
	bool resource2;
	int findings;
	int devices;
	/* The doorbell devices so far, by own ID; to find one used twice. */
	char id_of[IVSH_PEER_MAX + 1];
};

static void __attribute__((format(printf, 3, 4)))
found(struct doctor *doctor, const char *what, const char *why, ...)
{
	va_list args;

	va_start(args, why);
	printf("%s: ", what);
	vprintf(why, args);
	putchar('\n');
	va_end(args);
	doctor->findings++;
}

static void read_attribute(const char *address, const char *name, char *line,
			   size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), SYSFS_PCI "/devices/%s/%s", address, name);
	sysfs_line(path, line, size);
}

/* --- the machine ------------------------------------------------------------ */

static void examine_module(struct doctor *doctor)
{
	if (!access(SYSFS_PCI "/drivers/" DRIVER, F_OK))
		return;
	if (kernel_lacks_module())
		found(doctor, DRIVER, "not installed for this kernel: install the package ivshmem-guest-dkms (or 'make dkms-install'), and the headers of this kernel with it");
	else if (kernel_wants_signatures())
		found(doctor, DRIVER, "not loaded, and this kernel takes signed modules only (Secure Boot, lockdown or module.sig_enforce): enrol the key that signed it (mokutil --import /var/lib/dkms/mok.pub, then reboot)");
}

/* --- one device --------------------------------------------------------------- */

/* Whether BAR2 has an address: line 2 of the resource file. */
static uint64_t shmem_size(const char *address)
{
	char path[PATH_MAX], line[128] = "";
	unsigned long long start = 0, end = 0;
	FILE *file;

	snprintf(path, sizeof(path), SYSFS_PCI "/devices/%s/resource", address);
	file = fopen(path, "re");
	for (int i = 0; file && i < 3; i++)
		if (!fgets(line, sizeof(line), file))
			line[0] = '\0';
	if (file)
		fclose(file);
	if (sscanf(line, "%llx %llx", &start, &end) != 2 || !end)
		return 0;
	return end - start + 1;
}

static void examine_rings(struct doctor *doctor, const char *node,
			  const struct ivsh_info *info)
{
	struct ivsh_device *device = ivsh_device_open(node);
	struct ivsh_vector_set vectors = { { 1 } };

	if (!device) {
		found(doctor, node, "cannot ring: %s", device_why(errno));
		return;
	}
	if (ivsh_device_ring(device, ivsh_info_own_id(info), 0))
		found(doctor, node, "cannot ring: %s%s", device_why(errno),
		      errno == EOPNOTSUPP ? ": to ring, give QEMU ivshmem-doorbell and a server, see ivshmemd(8)" : "");
	else if (ivsh_info_nr_vectors(info) &&
		 ivsh_device_wait(device, &vectors, RING_LIMIT_NS, NULL))
		found(doctor, node, "a ring of vector 0 to itself does not arrive: the server gave QEMU too few eventfds: ivshmemd -n must be at least the largest vectors= in use");
	ivsh_device_close(device);
}

static void examine_doorbell(struct doctor *doctor, const char *node,
			     const struct ivsh_info *info)
{
	uint32_t own_id = ivsh_info_own_id(info);

	if (!ivsh_info_nr_vectors(info))
		found(doctor, node, "no vectors, can ring but not be rung: was Linux booted with pci=nomsi, or QEMU without an interrupt controller for MSI? See dmesg");
	if (own_id <= IVSH_PEER_MAX && doctor->id_of[own_id]++)
		found(doctor, node, "own ID %u is that of another device here too: right only if they have different servers; one server must never give an ID twice",
		      own_id);
}

static void examine_info(struct doctor *doctor, const char *node,
			 const struct ivsh_info *info)
{
	enum ivsh_page_attr attr = ivsh_info_page_attr(info);

	if (attr != IVSH_PAGE_ATTR_WB)
		found(doctor, node, "the memory is mapped %s, not write-back, and slow: load " DRIVER " without cache=, and boot Linux without nopat",
		      page_attr_name(attr));
	if (ivsh_info_has_doorbell(info))
		examine_doorbell(doctor, node, info);
	if (doctor->ring)
		examine_rings(doctor, node, info);
}

static void examine_node(struct doctor *doctor, const char *node)
{
	struct ivsh_device *device = ivsh_device_open_read_only(node);
	char remedy[REMEDY_SIZE];
	struct ivsh_info *info;

	if (!device) {
		remedy_for_node(remedy, sizeof(remedy), node, errno);
		found(doctor, node, "cannot be opened: %s", remedy);
		return;
	}
	info = ivsh_device_get_info(device);
	if (info)
		examine_info(doctor, node, info);
	else
		found(doctor, node, "%s", device_why(errno));
	ivsh_info_free(info);
	ivsh_device_close(device);
}

static void examine_driver(struct doctor *doctor, const char *address)
{
	char driver[NAME_MAX + 1], remedy[REMEDY_SIZE];

	sysfs_driver(address, driver, sizeof(driver));
	remedy_for_driver(remedy, sizeof(remedy), address, driver,
			  shmem_size(address));
	if (driver[0])
		found(doctor, address, "bound to the driver %s: %s", driver,
		      remedy);
	else
		found(doctor, address, "no driver is bound: %s", remedy);
	if (kernel_is_locked_down() && !doctor->resource2)
		found(doctor, address, "this kernel is locked down: resource2 and /dev/mem cannot be mapped, only a node of " DRIVER);
}

static void examine_resource2(struct doctor *doctor, const char *address)
{
	const char *why = kernel_refuses_resource2(address);

	if (why)
		found(doctor, address, "resource2 cannot be mapped: %s", why);
}

static bool is_ivshmem(const char *address)
{
	char vendor[16], device[16], class[16];

	read_attribute(address, "vendor", vendor, sizeof(vendor));
	read_attribute(address, "device", device, sizeof(device));
	read_attribute(address, "class", class, sizeof(class));
	/* Class ff80xx is Intel Celadon's virtio, with the same ids. */
	return !strcmp(vendor, "0x1af4") && !strcmp(device, "0x1110") &&
	       strncmp(class, "0xff80", 6);
}

static void examine_device(struct doctor *doctor, const char *address)
{
	char node[NAME_MAX + 8];

	doctor->devices++;
	sysfs_node(address, node, sizeof(node));
	if (node[0])
		examine_node(doctor, node);
	else
		examine_driver(doctor, address);
	if (doctor->resource2)
		examine_resource2(doctor, address);
}

static int examine(struct doctor *doctor)
{
	struct dirent **entries;
	int count = scandir(SYSFS_PCI "/devices", &entries, NULL, alphasort);

	if (count < 0)
		return fail(SYSFS_PCI, "%s (no PCI here, or sysfs is not mounted)",
			    strerror(errno));
	for (int i = 0; i < count; i++) {
		if (is_ivshmem(entries[i]->d_name))
			examine_device(doctor, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	if (!doctor->devices)
		found(doctor, "machine", "no ivshmem device (PCI 1af4:1110): give QEMU -device ivshmem-plain or ivshmem-doorbell, see ivshmem(7)");
	else
		examine_module(doctor);
	if (!doctor->findings)
		printf("nothing wrong with %d device%s\n", doctor->devices,
		       doctor->devices == 1 ? "" : "s");
	return doctor->findings ? STATUS_FAILED : STATUS_DONE;
}

static int run_doctor(struct ctl *ctl, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "resource2", no_argument, NULL, OPT_RESOURCE2 },
		{ "ring", no_argument, NULL, OPT_RING },
		COMMON_OPTIONS
	};
	static struct doctor doctor;
	int option, status;

	while ((option = next_option(ctl, argc, argv, ":d:h", longs)) != -1) {
		doctor.resource2 |= option == OPT_RESOURCE2;
		doctor.ring |= option == OPT_RING;
	}
	operands(ctl, argc, argv);
	if (ctl->device_name)
		usage_error(ctl, "-d", "doctor looks at every device");
	status = examine(&doctor);
	return finish_output() ? STATUS_FAILED : status;
}

const struct command doctor_command = {
	.name = "doctor",
	.operands = "",
	.options = "[--ring] [--resource2]",
	.summary = "Find out why it does not work",
	.help = "Prints what is wrong with each device, the cause and what to do, a line each;\n"
		"the status is 0 when nothing is. Run it as the user for whom it does not work.\n\n"
		"  --ring       also ring vector 0 of each device by itself; other programs that\n"
		"               wait for it wake up\n"
		"  --resource2  also map the memory in sysfs, as programs do that use no driver\n",
	.run = run_doctor,
};
