/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What to do about a device that cannot be used, for list.c and doctor.c: one
 * line for a root shell, or a sentence.
 */
#ifndef IVSHMEMCTL_REMEDY_H
#define IVSHMEMCTL_REMEDY_H

#include <stddef.h>
#include <stdint.h>

#define DRIVER "ivshmem_guest"
#define SYSFS_PCI "/sys/bus/pci"
#define REMEDY_SIZE 1024

/* For a device without a node of ours; driver is "" when none is bound. */
void remedy_for_driver(char *remedy, size_t size, const char *address,
		       const char *driver, uint64_t shmem_size);

/* For a node that open() refused with @error. */
void remedy_for_node(char *remedy, size_t size, const char *node, int error);

#endif /* IVSHMEMCTL_REMEDY_H */
