/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /dev/ivshmem_importer, of the test module of that name: a device that works on
 * dma-bufs.
 */
#ifndef IMPORTER_H
#define IMPORTER_H

#include "guest.h"

#define IMPORTER_IMPORT		_IO('x', 0x80)
#define IMPORTER_RELEASE	_IO('x', 0x81)

static inline int new_importer(void)
{
	return open("/dev/ivshmem_importer", O_RDWR | O_CLOEXEC);
}

#endif /* IMPORTER_H */
