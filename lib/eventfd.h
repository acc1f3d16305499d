/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taking the count of an eventfd that may be shared with other processes. Each
 * of them can clear O_NONBLOCK for all, and QEMU does; so nothing here relies
 * on it. Called by vector.c and server.c. Not installed.
 */
#ifndef IVSH_EVENTFD_H
#define IVSH_EVENTFD_H

#include <errno.h>
#include <stdint.h>
#include <sys/uio.h>

/* The count is 0 when the eventfd was not signalled. Returns 0, or -1. */
static inline int ivsh_eventfd_take(int fd, uint64_t *count)
{
	struct iovec iov = { .iov_base = count, .iov_len = sizeof(*count) };

	if (preadv2(fd, &iov, 1, -1, RWF_NOWAIT) == sizeof(*count))
		return 0;
	*count = 0;
	return errno == EAGAIN ? 0 : -1;
}

#endif /* IVSH_EVENTFD_H */
