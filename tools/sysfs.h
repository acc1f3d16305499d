/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sysfs says of a PCI device, by its address: for list.c, doctor.c and
 * kernel.c.
 */
#ifndef IVSHMEMCTL_SYSFS_H
#define IVSHMEMCTL_SYSFS_H

#include <stddef.h>

/* The first line of a file, "" when it cannot be read. */
void sysfs_line(const char *path, char *line, size_t size);
/* The name of the driver that is bound, or "". */
void sysfs_driver(const char *address, char *driver, size_t size);
/* The path of the node, such as /dev/ivshmem0, or "": our driver made none. */
void sysfs_node(const char *address, char *node, size_t size);

#endif
