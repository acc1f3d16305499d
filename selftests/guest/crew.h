/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A crew: threads that sit in every call of a device at the same time, until
 * the device goes away. Each says what it found and when it came back. For
 * remove.c, which takes the device away.
 */
#ifndef CREW_H
#define CREW_H

#include <sys/epoll.h>
#include <sys/uio.h>

#include "sysfs.h"
#include "uring.h"

/* A second was asked for; a guest without KVM gets ten. */
#define RETURN_LIMIT_MS 10000

struct member {
	const struct duty *duty;
	const char *node;
	size_t size;
	int fd;			/* of its own */
	char *memory;		/* of its own, all of it */
	pthread_t thread;
	atomic_long tid;
	atomic_bool begun;
	double returned_ms;
	char wrong[160];	/* "" when all was as it must be */
};

#define BUSY (-1L)	/* 0 is read on x86 */

struct duty {
	const char *name;
	void (*run)(struct member *m);
	long blocked_in;	/* the system call it sleeps in, or BUSY */
	__u64 needs;		/* IVSHMEM_FEATURE_* */
};

static inline void must_be(struct member *m, bool holds, const char *what)
{
	int error = errno;

	if (!holds && !m->wrong[0])
		snprintf(m->wrong, sizeof(m->wrong), "%s (errno %s)", what,
			 strerror(error));
}

/* --- those who wait -------------------------------------------------------------- */

static inline void duty_read(struct member *m)
{
	struct ivshmem_event event;
	long len;

	do {
		len = syscall(SYS_read, m->fd, &event, sizeof(event));
	} while (len == sizeof(event));
	must_be(m, len == -1 && errno == ENODEV, "read is ENODEV");
}

/* Others may ring meanwhile: what they rang is read, and not waited for. */
static inline void drain(int fd)
{
	struct ivshmem_event events[4];

	if (poll_now(fd, POLLIN) == POLLIN)
		read(fd, events, sizeof(events));
}

static inline void duty_readv(struct member *m)
{
	struct ivshmem_event event;
	struct iovec buffer = { &event, sizeof(event) };
	long len;

	do {
		len = syscall(SYS_readv, m->fd, &buffer, 1);
	} while (len == sizeof(event));
	must_be(m, len == -1 && errno == ENODEV, "readv is ENODEV");
}

static inline void duty_poll(struct member *m)
{
	struct pollfd pfd = { .fd = m->fd, .events = POLLIN };
	long ready;

	do {
		drain(m->fd);
		ready = syscall(SYS_ppoll, &pfd, 1, NULL, NULL, 0);
	} while (ready == 1 && pfd.revents == POLLIN);
	must_be(m, ready == 1 && (pfd.revents & ~POLLIN) == (POLLHUP | POLLERR),
		"poll is POLLHUP | POLLERR");
}

static inline void duty_epoll(struct member *m)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	long ready;

	epoll_ctl(epfd, EPOLL_CTL_ADD, m->fd, &event);
	do {
		drain(m->fd);
		ready = syscall(SYS_epoll_pwait, epfd, &event, 1, -1, NULL, 8);
	} while (ready == 1 && event.events == EPOLLIN);
	must_be(m, ready == 1 &&
		(event.events & ~EPOLLIN) == (EPOLLHUP | EPOLLERR),
		"epoll is EPOLLHUP | EPOLLERR");
	close(epfd);
}

static inline void duty_eventfd(struct member *m)
{
	int efd = eventfd(0, EFD_CLOEXEC);
	struct ivshmem_info info;
	__u64 count = 0;
	long len;

	must_be(m, !bind_vector(m->fd, 1, efd), "bind");
	do {
		len = syscall(SYS_read, efd, &count, sizeof(count));
	} while (len == sizeof(count) && !get_info(m->fd, &info));
	must_be(m, len == sizeof(count) && count, "eventfd is signalled");
	must_be(m, errno == ENODEV, "info is ENODEV when the eventfd wakes");
	close(efd);
}

static inline void duty_wait(struct member *m)
{
	int ret;

	do {
		ret = wait_vectors(m->fd, -1, 1);
	} while (!ret);
	must_be(m, errno == ENODEV, "wait is ENODEV");
}

static inline void duty_uring(struct member *m)
{
	struct uring ring;
	int result;

	uring_open(&ring);
	do {
		drain(m->fd);
		result = uring_poll(&ring, m->fd);
	} while (result == POLLIN);
	must_be(m, result > 0 && (result & ~POLLIN) == (POLLHUP | POLLERR),
		"a poll of io_uring is POLLHUP | POLLERR");
	uring_close(&ring);
}

static inline void duty_child_touches(struct member *m)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		for (;;)
			(void)*(volatile char *)m->memory;
	}
	must_be(m, syscall(SYS_wait4, pid, &status, 0, NULL) == pid, "wait4");
	must_be(m, WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS,
		"a child that touches is killed by SIGBUS");
}

/* --- those who are busy ------------------------------------------------------------ */

static inline void duty_info(struct member *m)
{
	struct ivshmem_info info;

	while (!get_info(m->fd, &info))
		m->begun = true;
	must_be(m, errno == ENODEV, "info is ENODEV");
}

static inline void duty_ring(struct member *m)
{
	unsigned int i = 0;

	while (!ring(m->fd, 0, i++ % 4))
		m->begun = true;
	must_be(m, errno == ENODEV, "ring is ENODEV");
}

static inline void duty_bind(struct member *m)
{
	int efd = new_eventfd();

	while (!bind_vector(m->fd, 0, efd) && !unbind_vector(m->fd, 0))
		m->begun = true;
	must_be(m, errno == ENODEV, "bind is ENODEV");
	close(efd);
}

static inline void duty_mask(struct member *m)
{
	__u32 mode = IVSHMEM_MASK_OFF;

	while (!mask_vector(m->fd, 0, mode++ % 3))
		m->begun = true;
	must_be(m, errno == ENODEV, "mask is ENODEV");
}

static inline void duty_stats(struct member *m)
{
	struct ivshmem_vector_stats stats;

	while (!get_stats(m->fd, 0, &stats))
		m->begun = true;
	must_be(m, errno == ENODEV, "stats is ENODEV");
}

static inline void duty_dmabuf(struct member *m)
{
	int dmabuf;

	while ((dmabuf = export_dmabuf(m->fd, 0, m->size)) >= 0) {
		m->begun = true;
		close(dmabuf);
	}
	must_be(m, errno == ENODEV, "dma-buf is ENODEV");
}

/* Ring nobody by stores, as long as the status says that the device is there. */
static inline void duty_store(struct member *m)
{
	const size_t page = getpagesize();
	struct ivshmem_info info;
	volatile __u32 *alive, *registers;

	get_info(m->fd, &info);
	registers = mmap(NULL, page, RW, MAP_SHARED, m->fd, info.regs_offset);
	alive = mmap(NULL, page, PROT_READ, MAP_SHARED, m->fd,
		     info.regs_offset - page);
	must_be(m, registers != MAP_FAILED && alive != MAP_FAILED,
		"registers can be mapped");
	while (!m->wrong[0] && alive[page / sizeof(*alive) - 1]) {
		registers[IVSHMEM_REGS_DOORBELL / 4] = IVSHMEM_PEER_MAX << 16;
		m->begun = true;
	}
	must_be(m, !poke((void *)registers, 0), "a late store raises no signal");
	munmap((void *)registers, page);
	munmap((void *)alive, page);
}

static inline void duty_read_nonblocking(struct member *m)
{
	struct ivshmem_event event;

	fcntl(m->fd, F_SETFL, O_RDWR | O_NONBLOCK);
	while (read(m->fd, &event, sizeof(event)) > 0 || errno == EAGAIN)
		m->begun = true;
	must_be(m, errno == ENODEV, "nonblocking read is ENODEV");
}

static inline void duty_lseek(struct member *m)
{
	while (lseek(m->fd, 0, SEEK_END) >= 0)
		m->begun = true;
	must_be(m, errno == ENODEV, "lseek is ENODEV");
}

static inline void duty_open(struct member *m)
{
	int fd;

	while ((fd = open(m->node, O_RDWR | O_CLOEXEC)) >= 0) {
		m->begun = true;
		close(fd);
	}
	must_be(m, errno == ENOENT || errno == ENXIO || errno == ENODEV,
		"open fails as for a device that is gone");
}

static inline void duty_mmap(struct member *m)
{
	void *memory;
	int sig = 0;

	while ((memory = map(m->fd, 0, m->size)) != MAP_FAILED) {
		m->begun = true;
		sig = touch(memory);
		must_be(m, !sig || sig == SIGBUS, "a new mapping can be read");
		munmap(memory, m->size);
	}
	must_be(m, errno == ENODEV, "mmap is ENODEV");
}

static inline void duty_read_memory(struct member *m)
{
	size_t at = 0;
	int sig;

	while (!(sig = touch(m->memory + at))) {
		at = (at + getpagesize()) % m->size;
		m->begun = true;
	}
	must_be(m, sig == SIGBUS, "reading the memory is SIGBUS");
}

static inline void duty_write_memory(struct member *m)
{
	size_t at = 0;
	int sig;

	while (!(sig = poke(m->memory + at, at))) {
		at = (at + getpagesize()) % m->size;
		m->begun = true;
	}
	must_be(m, sig == SIGBUS, "writing the memory is SIGBUS");
}

/* A room in the address space that is ours, so that MREMAP_FIXED may take it. */
static inline void *reserve_room(size_t size)
{
	return mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Move half of the mapping about, and change its rights. */
static inline void duty_remap(struct member *m)
{
	size_t size = m->size / 2;
	char *now = m->memory;
	int turn = 0, sig;

	do {
		char *to = reserve_room(size);

		now = mremap(now, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
		must_be(m, now == to && !mprotect(now, size, PROT_READ) &&
			!mprotect(now, size, RW), "mremap and mprotect");
		if (m->wrong[0])
			return;
		sig = touch(now + 8192 * (turn++ % 16));
		m->begun = true;
	} while (!sig);
	must_be(m, sig == SIGBUS, "touching what moves is SIGBUS");
}

/* The kernel touches the memory for us. */
static inline void duty_copy(struct member *m)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	ssize_t got;

	/* While it is being taken away, a part may still be copied. */
	while ((got = read(zero, m->memory, 65536)) > 0)
		m->begun = true;
	must_be(m, got == -1 && errno == EFAULT,
		"copying to the memory is EFAULT");
	close(zero);
}

static inline void duty_sysfs(struct member *m)
{
	while (sysfs_number(m->node, "own_id") != UINT64_MAX &&
	       sysfs_number(m->node, "shmem_size") != UINT64_MAX)
		m->begun = true;
}

#define DOORBELL IVSHMEM_FEATURE_DOORBELL

static const struct duty duties[] = {
	{ "a blocked read", duty_read, SYS_read, DOORBELL },
	{ "another blocked read", duty_read, SYS_read, DOORBELL },
	{ "a blocked readv", duty_readv, SYS_readv, DOORBELL },
	{ "a blocked poll", duty_poll, SYS_ppoll, 0 },
	{ "a blocked epoll", duty_epoll, SYS_epoll_pwait, 0 },
	{ "a blocked eventfd", duty_eventfd, SYS_read, DOORBELL },
	{ "a blocked wait", duty_wait, SYS_ioctl, IVSHMEM_FEATURE_WAIT },
	{ "a blocked poll of io_uring", duty_uring, SYS_io_uring_enter, 0 },
	{ "a child that touches", duty_child_touches, SYS_wait4, 0 },
	{ "info in a loop", duty_info, BUSY, 0 },
	{ "ring in a loop", duty_ring, BUSY, DOORBELL },
	{ "bind in a loop", duty_bind, BUSY, DOORBELL },
	{ "mask in a loop", duty_mask, BUSY, IVSHMEM_FEATURE_VECTOR_MASK },
	{ "stats in a loop", duty_stats, BUSY, IVSHMEM_FEATURE_VECTOR_STATS },
	{ "dma-buf in a loop", duty_dmabuf, BUSY, IVSHMEM_FEATURE_DMABUF },
	{ "stores in a loop", duty_store, BUSY, IVSHMEM_FEATURE_MAPPED_REGS },
	{ "nonblocking read in a loop", duty_read_nonblocking, BUSY, DOORBELL },
	{ "lseek in a loop", duty_lseek, BUSY, 0 },
	{ "open in a loop", duty_open, BUSY, 0 },
	{ "mmap in a loop", duty_mmap, BUSY, 0 },
	{ "reading memory", duty_read_memory, BUSY, 0 },
	{ "writing memory", duty_write_memory, BUSY, 0 },
	{ "mremap in a loop", duty_remap, BUSY, 0 },
	{ "copying to memory", duty_copy, BUSY, 0 },
	{ "sysfs in a loop", duty_sysfs, BUSY, 0 },
};

/* --- the crew ----------------------------------------------------------------------- */

struct crew {
	struct member members[ARRAY_SIZE(duties)];
	size_t count;
};

static inline void *member_main(void *data)
{
	struct member *m = data;

	m->tid = current_tid();
	m->duty->run(m);
	m->returned_ms = now_ms();
	m->begun = true;
	return NULL;
}

static inline bool member_start(struct member *m, const struct duty *duty,
				const char *node)
{
	m->duty = duty;
	m->node = node;
	m->fd = open(node, O_RDWR | O_CLOEXEC);
	m->size = shmem_size(m->fd);
	m->memory = map(m->fd, 0, m->size);
	if (m->fd < 0 || m->memory == MAP_FAILED ||
	    pthread_create(&m->thread, NULL, member_main, m))
		return false;
	while (duty->blocked_in == BUSY ? !m->begun : !m->tid)
		sched_yield();
	return duty->blocked_in == BUSY || wait_blocked(m->tid, duty->blocked_in);
}

static inline bool duty_offered(const struct duty *duty,
				const struct ivshmem_info *info)
{
	return !(duty->needs & ~info->features) &&
	       (duty->run != duty_uring || uring_offered());
}

/*
 * Start all who can work on that device; first those who wait, and not the busy
 * ones when it shall be quiet. Returns when each sits in its call.
 */
static inline bool crew_start(struct crew *crew, const char *node, bool busy)
{
	struct ivshmem_info info;
	int fd = open(node, O_RDWR | O_CLOEXEC);
	bool known = !get_info(fd, &info);

	close(fd);
	crew->count = 0;
	catch_access_signals();
	for (size_t i = 0; known && i < ARRAY_SIZE(duties); i++) {
		struct member *m = &crew->members[crew->count];

		if (!duty_offered(&duties[i], &info) ||
		    (duties[i].blocked_in == BUSY && !busy))
			continue;
		*m = (struct member){};
		if (!member_start(m, &duties[i], node))
			return false;
		crew->count++;
	}
	return crew->count > 0;
}

/* Wait until all have come back; who has not says so. */
static inline void crew_join(struct crew *crew)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 2 * RETURN_LIMIT_MS / 1000;
	for (size_t i = 0; i < crew->count; i++) {
		struct member *m = &crew->members[i];

		if (pthread_timedjoin_np(m->thread, NULL, &end))
			snprintf(m->wrong, sizeof(m->wrong), "never came back");
	}
}

/* When the first and the last came back. */
static inline void crew_times(const struct crew *crew, double *first,
			      double *last)
{
	*first = *last = crew->members[0].returned_ms;
	for (size_t i = 1; i < crew->count; i++) {
		double ms = crew->members[i].returned_ms;

		*first = ms < *first ? ms : *first;
		*last = ms > *last ? ms : *last;
	}
}

static inline void member_close(struct member *m)
{
	/* The first half was moved away, and others may be where it was. */
	if (m->duty->run == duty_remap)
		munmap(m->memory + m->size / 2, m->size / 2);
	else
		munmap(m->memory, m->size);
	close(m->fd);
}

static inline void crew_close(struct crew *crew)
{
	for (size_t i = 0; i < crew->count; i++)
		member_close(&crew->members[i]);
	crew->count = 0;
}

/* --- what a device that is gone answers ------------------------------------------------ */

static inline bool no_device(long result)
{
	return result == -1 && errno == ENODEV;
}

static inline const char *gone_wrong_ioctl(int fd)
{
	struct ivshmem_vector_stats stats;
	struct ivshmem_info info;
	int efd = new_eventfd();
	bool unbound = no_device(unbind_vector(fd, 0));
	bool bound = !no_device(bind_vector(fd, 0, efd));

	close(efd);
	if (!no_device(get_info(fd, &info)))
		return "info is not ENODEV";
	if (!no_device(ring(fd, 0, 0)))
		return "ring is not ENODEV";
	if (bound || !unbound)
		return "bind and unbind are not ENODEV";
	if (!no_device(mask_vector(fd, 0, IVSHMEM_MASK_ON)))
		return "mask is not ENODEV";
	if (!no_device(get_stats(fd, 0, &stats)))
		return "stats is not ENODEV";
	if (!no_device(wait_vectors(fd, 0, 1)))
		return "wait is not ENODEV";
	if (!no_device(export_dmabuf(fd, 0, getpagesize())))
		return "dma-buf is not ENODEV";
	return NULL;
}

/* NULL, or what a file and a mapping of a device that is gone do wrong. */
static inline const char *gone_wrong(int fd, char *memory, size_t size)
{
	struct ivshmem_event event;
	struct iovec buffer = { &event, sizeof(event) };
	const char *wrong = gone_wrong_ioctl(fd);

	if (wrong)
		return wrong;
	if (!no_device(read(fd, &event, sizeof(event))))
		return "read is not ENODEV";
	if (!no_device(readv(fd, &buffer, 1)))
		return "readv is not ENODEV";
	if (!no_device(lseek(fd, 0, SEEK_END)))
		return "lseek is not ENODEV";
	if (!no_device((long)map(fd, 0, size)))
		return "mmap is not ENODEV";
	if (poll_now(fd, POLLIN) != (POLLHUP | POLLERR))
		return "poll is not POLLHUP | POLLERR";
	for (size_t at = 0; at < size; at += size / 8 - 8)
		if (touch(memory + (at & ~7UL)) != SIGBUS ||
		    poke(memory + (at & ~7UL), 1) != SIGBUS)
			return "touching a mapping is not SIGBUS";
	return NULL;
}

#endif /* CREW_H */
