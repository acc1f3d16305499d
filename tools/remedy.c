// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What to do about a device that cannot be used: which driver to load or to
 * unbind, or whose permission is missing. Called by list.c.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "remedy.h"

static bool driver_is_loaded(void)
{
	return access(SYSFS_PCI "/drivers/" DRIVER, F_OK) == 0;
}

static void bind_ours(char *remedy, size_t size, const char *address)
{
	if (driver_is_loaded())
		snprintf(remedy, size, "echo " DRIVER " > " SYSFS_PCI
			 "/devices/%s/driver_override; echo %s > " SYSFS_PCI
			 "/drivers_probe; if that does not help: dmesg",
			 address, address);
	else
		snprintf(remedy, size, "modprobe " DRIVER);
}

/* The device's own override keeps the other driver away for good. */
static void replace_driver(char *remedy, size_t size, const char *address,
			   const char *driver)
{
	snprintf(remedy, size, "%secho %s > " SYSFS_PCI
		 "/drivers/%s/unbind; echo " DRIVER " > " SYSFS_PCI
		 "/devices/%s/driver_override; echo %s > " SYSFS_PCI
		 "/drivers_probe",
		 driver_is_loaded() ? "" : "modprobe " DRIVER "; ",
		 address, driver, address, address);
}

void remedy_for_driver(char *remedy, size_t size, const char *address,
		       const char *driver, uint64_t shmem_size)
{
	if (!strcmp(driver, DRIVER))
		snprintf(remedy, size, "the driver made no node, see dmesg");
	else if (driver[0])
		replace_driver(remedy, size, address, driver);
	else if (!shmem_size)
		snprintf(remedy, size, "the shared memory has no address: give its PCIe port more room (QEMU: pref64-reserve=)");
	else
		bind_ours(remedy, size, address);
}

/* Whom the node belongs to, as ls -l has it. */
static void say_permissions(char *remedy, size_t size, const char *node)
{
	struct passwd *user;
	struct group *group;
	struct stat st;

	if (stat(node, &st))
		return;
	user = getpwuid(st.st_uid);
	group = getgrgid(st.st_gid);
	snprintf(remedy, size, "no permission for %s, owner %s, group %s, mode %04o: become a member of the group, or root",
		 node, user ? user->pw_name : "unknown",
		 group ? group->gr_name : "unknown", st.st_mode & 07777u);
}

void remedy_for_node(char *remedy, size_t size, const char *node, int error)
{
	snprintf(remedy, size, "%s: %s", node, device_why(error));
	if (error == EACCES)
		say_permissions(remedy, size, node);
	if (error == ENOENT)
		snprintf(remedy, size, "%s is missing: is devtmpfs mounted on /dev, or is this a container without it?",
			 node);
}
