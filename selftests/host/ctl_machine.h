/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine made of files for ctl_list.c: a mount namespace of the test's own,
 * which has its devices in /sys/bus/pci as libpci and ivshmemctl look there.
 */
#ifndef CTL_MACHINE_H
#define CTL_MACHINE_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define PCI "/sys/bus/pci"
#define DEVICES PCI "/devices"
#define DRIVERS PCI "/drivers"

/* What an ordinary user and root read of the configuration space. */
#define PUBLIC_SIZE 64
#define WHOLE_SIZE 256

struct machine_device {
	const char *address;
	const char *class;
	const char *driver;	/* NULL: none */
	const char *node;	/* NULL: none */
	unsigned int shmem_size;
	int nr_vectors;		/* 0: plain */
	int config_size;
};

static inline bool machine_put(const char *directory, const char *name,
			       const void *bytes, size_t length)
{
	char path[256];
	ssize_t written;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0)
		return false;
	written = write(fd, bytes, length);
	close(fd);
	return written == (ssize_t)length;
}

static inline bool machine_put_text(const char *directory, const char *name,
				    const char *text)
{
	return machine_put(directory, name, text, strlen(text));
}

static inline bool machine_put_config(const char *directory,
				      const struct machine_device *device)
{
	unsigned char config[WHOLE_SIZE] = {
		0xf4, 0x1a, 0x10, 0x11, [8] = 1, [11] = 5,
	};

	if (device->nr_vectors) {
		config[6] = 0x10;	/* has capabilities */
		config[0x34] = 0x40;
		config[0x40] = 0x11;	/* MSI-X */
		config[0x42] = device->nr_vectors - 1;
	}
	return machine_put(directory, "config", config, device->config_size);
}

static inline bool machine_put_bars(const char *directory,
				    unsigned int shmem_size)
{
	char bars[512] = "0xfebf0000 0xfebf00ff 0x40200\n0 0 0\n";
	size_t length = strlen(bars);

	if (shmem_size)
		snprintf(bars + length, sizeof(bars) - length,
			 "0xc0000000 0x%x 0x14220c\n",
			 0xc0000000 + (shmem_size - 1));
	else
		strcat(bars, "0 0 0\n");
	strcat(bars, "0 0 0\n0 0 0\n0 0 0\n0 0 0\n");
	return machine_put_text(directory, "resource", bars);
}

static inline bool machine_add_driver(const char *driver)
{
	char path[128];

	snprintf(path, sizeof(path), DRIVERS "/%s", driver);
	return !mkdir(path, 0755) || errno == EEXIST;
}

static inline bool machine_bind(const char *directory, const char *driver)
{
	char target[128], path[128];

	snprintf(target, sizeof(target), "../../drivers/%s", driver);
	snprintf(path, sizeof(path), "%s/driver", directory);
	return machine_add_driver(driver) && !symlink(target, path);
}

static inline bool machine_add_node(const char *directory, const char *node)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/ivshmem", directory);
	if (mkdir(path, 0755))
		return false;
	snprintf(path, sizeof(path), "%s/ivshmem/%s", directory, node);
	return !mkdir(path, 0755);
}

static inline bool machine_add(const struct machine_device *device)
{
	char directory[64];

	snprintf(directory, sizeof(directory), DEVICES "/%s", device->address);
	return !mkdir(directory, 0755) &&
	       machine_put_text(directory, "vendor", "0x1af4\n") &&
	       machine_put_text(directory, "device", "0x1110\n") &&
	       machine_put_text(directory, "class", device->class) &&
	       machine_put_text(directory, "irq", "0\n") &&
	       machine_put_bars(directory, device->shmem_size) &&
	       machine_put_config(directory, device) &&
	       (!device->driver || machine_bind(directory, device->driver)) &&
	       (!device->node || machine_add_node(directory, device->node));
}

/* Become root of a namespace of one's own, where mounting is allowed. */
static inline bool machine_unshare(void)
{
	char users[32], groups[32];

	if (geteuid() == 0)
		return !unshare(CLONE_NEWNS);
	snprintf(users, sizeof(users), "0 %d 1", geteuid());
	snprintf(groups, sizeof(groups), "0 %d 1", getegid());
	return !unshare(CLONE_NEWUSER | CLONE_NEWNS) &&
	       machine_put_text("/proc/self", "setgroups", "deny") &&
	       machine_put_text("/proc/self", "uid_map", users) &&
	       machine_put_text("/proc/self", "gid_map", groups);
}

/* Of this process and its children, from now on. */
static inline bool machine_mount(void)
{
	return machine_unshare() &&
	       !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("machine", PCI, "tmpfs", MS_NODEV, "mode=755") &&
	       !mkdir(DEVICES, 0755) && !mkdir(DRIVERS, 0755);
}

#endif /* CTL_MACHINE_H */
