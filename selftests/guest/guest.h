/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the programs that run in a guest share: the two standard devices, the
 * ioctls in one line each, and waiting with a limit. Nothing here sleeps for a
 * fixed time: what must happen is waited for, what must not is followed by
 * something that must (see settle()).
 */
#ifndef GUEST_H
#define GUEST_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ivshmem_guest.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "kselftest_harness.h"

/* A guest without KVM on a busy machine: limits are ten times the usual. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120
#define LIMIT_MS 60000

#define MAYBE_UNUSED __attribute__((unused))

/* call fails, with this errno and no other. */
#define EXPECT_ERRNO(wanted, call) do { \
	errno = 0; \
	EXPECT_EQ(-1, (call)); \
	EXPECT_EQ(wanted, errno); \
} while (0)

#define EXPECT_MAP_ERRNO(wanted, call) do { \
	errno = 0; \
	EXPECT_EQ(MAP_FAILED, (call)); \
	EXPECT_EQ(wanted, errno); \
} while (0)

/* A number that the environment may change. */
static inline MAYBE_UNUSED unsigned long number_from(const char *variable,
						     unsigned long otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

static inline const char *node_from(const char *variable)
{
	const char *path = getenv(variable);

	if (path)
		return path;
	ksft_print_msg("%s is not set\n", variable);
	exit(KSFT_FAIL);
}

/* A doorbell device with 4 vectors, alone at its server; and a plain one. */
static inline const char *doorbell_node(void)
{
	return node_from("IVSHMEM_NODE");
}

static inline const char *plain_node(void)
{
	return node_from("IVSHMEM_PLAIN_NODE");
}

static inline int get_info(int fd, struct ivshmem_info *info)
{
	*info = (struct ivshmem_info){ .size = sizeof(*info) };
	return ioctl(fd, IVSHMEM_INFO, info);
}

static inline MAYBE_UNUSED size_t shmem_size(int fd)
{
	struct ivshmem_info info;

	return get_info(fd, &info) ? 0 : info.shmem_size;
}

static inline MAYBE_UNUSED bool has_feature(int fd, __u64 feature)
{
	struct ivshmem_info info;

	return !get_info(fd, &info) && info.features & feature;
}

static inline int ring(int fd, __u32 peer, __u32 vector)
{
	struct ivshmem_ring arg = {
		.size = sizeof(arg),
		.peer = peer,
		.vector = vector,
	};

	return ioctl(fd, IVSHMEM_RING, &arg);
}

/* Ring a vector of the device itself. */
static inline int ring_self(int fd, __u32 vector)
{
	struct ivshmem_info info;

	return get_info(fd, &info) ? -1 : ring(fd, info.own_id, vector);
}

static inline int bind_vector(int fd, __u32 vector, int efd)
{
	struct ivshmem_vector_eventfd arg = {
		.size = sizeof(arg),
		.vector = vector,
		.eventfd = efd,
	};

	return ioctl(fd, IVSHMEM_VECTOR_EVENTFD, &arg);
}

static inline int unbind_vector(int fd, __u32 vector)
{
	return bind_vector(fd, vector, -1);
}

/* Mask a vector for this file: IVSHMEM_MASK_*. */
static inline int mask_vector(int fd, __u32 vector, __u32 mode)
{
	struct ivshmem_vector_mask arg = {
		.size = sizeof(arg),
		.vector = vector,
		.mode = mode,
	};

	return ioctl(fd, IVSHMEM_VECTOR_MASK, &arg);
}

static inline int get_stats(int fd, __u32 vector,
			    struct ivshmem_vector_stats *stats)
{
	*stats = (struct ivshmem_vector_stats){
		.size = sizeof(*stats),
		.vector = vector,
	};
	return ioctl(fd, IVSHMEM_VECTOR_STATS, stats);
}

/* Wait for any of a set of vectors, the first 64 of all. */
static inline MAYBE_UNUSED int wait_vectors(int fd, __s64 timeout_ns, __u64 set)
{
	struct ivshmem_wait arg = {
		.size = sizeof(arg),
		.timeout_ns = timeout_ns,
		.vectors = { set },
	};

	return ioctl(fd, IVSHMEM_WAIT, &arg);
}

/* A new dma-buf of that range, or -1 and errno. */
static inline MAYBE_UNUSED int export_dmabuf(int fd, __u64 offset, __u64 length)
{
	struct ivshmem_dmabuf arg = {
		.size = sizeof(arg),
		.offset = offset,
		.length = length,
		.fd = -1,
	};

	return ioctl(fd, IVSHMEM_DMABUF, &arg) ? -1 : arg.fd;
}

static inline int new_eventfd(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

/* What poll() says now, without waiting; -1 if it fails. */
static inline int poll_now(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, 0) < 0 ? -1 : pfd.revents;
}

/* Wait until an event comes; what poll() says then, 0 when none came. */
static inline int poll_within_limit(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, LIMIT_MS) < 0 ? -1 : pfd.revents;
}

/* An epoll that waits exclusively for that file alone. */
static inline MAYBE_UNUSED int exclusive_epoll(int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ? -1 : epoll;
}

/* What epoll says within the limit, 0 when nothing came. */
static inline MAYBE_UNUSED __u32 epoll_within_limit(int epoll)
{
	struct epoll_event event = { 0 };

	return epoll_wait(epoll, &event, 1, LIMIT_MS) == 1 ? event.events : 0;
}

/* The count of an eventfd, waiting for it; 0 when nothing came. */
static inline __u64 wait_eventfd(int efd)
{
	__u64 count = 0;

	if (poll_within_limit(efd, POLLIN) != POLLIN)
		return 0;
	return read(efd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

/* The count of an eventfd as it is, 0 when it was not signalled. */
static inline __u64 take_eventfd(int efd)
{
	__u64 count = 0;

	return read(efd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

/* Run on each CPU in turn: it has then taken what interrupted it before. */
static inline bool visit_cpus(void)
{
	cpu_set_t all, one;
	bool visited = true;

	if (sched_getaffinity(0, sizeof(all), &all))
		return false;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		visited &= !sched_setaffinity(0, sizeof(one), &one);
	}
	return !sched_setaffinity(0, sizeof(all), &all) && visited;
}

/*
 * Let what was rung before arrive: ring this vector, which must have a bound
 * eventfd of its own, and wait for it, more than once. The machine carries
 * rings out in order, so an earlier one, also one that was wrongly made, has
 * by then interrupted its CPU.
 */
static inline bool settle(int fd, __u32 vector, int efd)
{
	for (int i = 0; i < 3; i++)
		if (ring_self(fd, vector) || !wait_eventfd(efd))
			return false;
	return visit_cpus();
}

static inline long current_tid(void)
{
	return syscall(SYS_gettid);
}

/* Wait until a thread of ours sleeps in that system call. */
static inline bool wait_blocked(long tid, long call)
{
	time_t end = time(NULL) + LIMIT_MS / 1000;
	char path[64], text[32];

	snprintf(path, sizeof(path), "/proc/self/task/%ld/syscall", tid);
	while (time(NULL) < end) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

		close(fd);
		if (len < 0)
			return false;
		text[len] = '\0';
		if (text[0] != 'r' && atol(text) == call)
			return true;
		sched_yield();
	}
	return false;
}

static inline double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

#endif /* GUEST_H */
