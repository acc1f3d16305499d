/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io_uring without its library: one request at a time. */
#ifndef URING_H
#define URING_H

#include <linux/io_uring.h>

#include "mapping.h"

/* As little of a ring as one request needs. */
struct uring {
	int fd;
	struct io_uring_params params;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
};

static inline bool uring_open(struct uring *r)
{
	const int flags = MAP_SHARED | MAP_POPULATE;

	memset(&r->params, 0, sizeof(r->params));
	r->fd = syscall(__NR_io_uring_setup, 4, &r->params);
	if (r->fd < 0)
		return false;
	r->sq = mmap(NULL, 4096, RW, flags, r->fd, IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, 4096, RW, flags, r->fd, IORING_OFF_CQ_RING);
	r->sqes = mmap(NULL, 4096, RW, flags, r->fd, IORING_OFF_SQES);
	return true;
}

static inline void uring_close(struct uring *r)
{
	munmap(r->sq, 4096);
	munmap(r->cq, 4096);
	munmap(r->sqes, 4096);
	close(r->fd);
}

/* Do what is in sqes[0] and wait for it: the result, or -errno. */
static inline int uring_run(struct uring *r)
{
	__u32 *tail = (__u32 *)(r->sq + r->params.sq_off.tail);
	__u32 *array = (__u32 *)(r->sq + r->params.sq_off.array);
	__u32 *head = (__u32 *)(r->cq + r->params.cq_off.head);
	struct io_uring_cqe *cqes = (void *)(r->cq + r->params.cq_off.cqes);
	int result;

	array[*tail % r->params.sq_entries] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(__NR_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS,
		    NULL, 0) != 1)
		return -errno;
	result = cqes[*head % r->params.cq_entries].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result;
}

/* A kernel may be built without, or forbid it. */
static inline MAYBE_UNUSED bool uring_offered(void)
{
	struct uring r;
	bool offered = uring_open(&r);

	if (offered)
		uring_close(&r);
	else
		ksft_print_msg("io_uring is left out: %s\n", strerror(errno));
	return offered;
}

/* Poll a file through it: what came, or -errno. */
static inline int uring_poll(struct uring *r, int fd)
{
	r->sqes[0] = (struct io_uring_sqe){
		.opcode = IORING_OP_POLL_ADD,
		.fd = fd,
		.poll_events = POLLIN,
	};
	return uring_run(r);
}

#endif /* URING_H */
