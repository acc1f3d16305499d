/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages that stay missing until give_page(): a call that touches one waits for as
 * long as the test wants.
 */
#ifndef MISSING_H
#define MISSING_H

#include <linux/userfaultfd.h>
#include <sys/mman.h>

#include "guest.h"

/* A file that can be read when somebody waits for the page, or -1. */
static inline int missing_page(char *page, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (uintptr_t)page, size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &range))
		return -1;
	return fd;
}

static inline int give_page(int fd, char *page, size_t size)
{
	struct uffdio_zeropage zero = { .range = { (uintptr_t)page, size } };

	return ioctl(fd, UFFDIO_ZEROPAGE, &zero);
}

#endif /* MISSING_H */
