// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each allocation, and each copy from or to the user, of each call fails once:
 * the first, then the second, until the call gets through. It may fail or not,
 * but the same call after it works. Needs a kernel with fault injection; which
 * kinds of it, failures.py says.
 */
#include <stdio.h>
#include <sys/wait.h>

#include "mapping.h"
#include "sysfs.h"

#define FAIL_NTH "/proc/thread-self/fail-nth"
#define MOST 5000	/* no call takes that many */

FIXTURE(failures) {
	char address[16];
	char node[32];
	int fd;
	int other;	/* what a call made: a file, or -1 */
	int efd;
	int epoll;
	size_t size;
	char *memory;
};

/* One call: what must be before it, itself (0 or -1), and what ends it again. */
FIXTURE_VARIANT(failures) {
	void (*prepare)(FIXTURE_DATA(failures) *self);
	int (*run)(FIXTURE_DATA(failures) *self);
	void (*undo)(FIXTURE_DATA(failures) *self);
};

static void nothing(FIXTURE_DATA(failures) *self)
{
	(void)self;
}

static int run_open(FIXTURE_DATA(failures) *self)
{
	self->other = open(self->node, O_RDWR | O_CLOEXEC);
	return self->other < 0 ? -1 : 0;
}

static void undo_open(FIXTURE_DATA(failures) *self)
{
	if (self->other >= 0)
		close(self->other);
	self->other = -1;
}

static int run_close(FIXTURE_DATA(failures) *self)
{
	int ret = close(self->other);

	self->other = -1;
	return ret;
}

static void prepare_close(FIXTURE_DATA(failures) *self)
{
	if (!run_open(self))
		bind_vector(self->other, 2, self->efd);
}

static int run_info(FIXTURE_DATA(failures) *self)
{
	struct ivshmem_info info;

	return get_info(self->fd, &info);
}

static int run_ring(FIXTURE_DATA(failures) *self)
{
	return ring(self->fd, 0, 3);
}

static int run_stats(FIXTURE_DATA(failures) *self)
{
	struct ivshmem_vector_stats stats;

	return get_stats(self->fd, 0, &stats);
}

static int run_bind(FIXTURE_DATA(failures) *self)
{
	return bind_vector(self->fd, 1, self->efd);
}

static void undo_bind(FIXTURE_DATA(failures) *self)
{
	unbind_vector(self->fd, 1);
}

static int run_mask(FIXTURE_DATA(failures) *self)
{
	return mask_vector(self->fd, 1, IVSHMEM_MASK_ONE_SHOT);
}

static void undo_mask(FIXTURE_DATA(failures) *self)
{
	mask_vector(self->fd, 1, IVSHMEM_MASK_OFF);
}

static int run_wait(FIXTURE_DATA(failures) *self)
{
	struct ivshmem_wait wait = {
		.size = sizeof(wait),
		.vectors = { 0xf },
	};

	return ioctl(self->fd, IVSHMEM_WAIT, &wait) && errno != ETIMEDOUT ? -1 : 0;
}

static int run_read(FIXTURE_DATA(failures) *self)
{
	struct ivshmem_event event;

	return read(self->fd, &event, sizeof(event)) == sizeof(event) ? 0 : -1;
}

/* Something to read. */
static void prepare_read(FIXTURE_DATA(failures) *self)
{
	ring_self(self->fd, 0);
	poll_within_limit(self->fd, POLLIN);
}

static int run_epoll(FIXTURE_DATA(failures) *self)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(self->epoll, EPOLL_CTL_ADD, self->fd, &event);
}

static void undo_epoll(FIXTURE_DATA(failures) *self)
{
	epoll_ctl(self->epoll, EPOLL_CTL_DEL, self->fd, NULL);
}

static int run_mmap(FIXTURE_DATA(failures) *self)
{
	self->memory = map(self->fd, 0, self->size);
	return self->memory == MAP_FAILED ? -1 : 0;
}

static void undo_mmap(FIXTURE_DATA(failures) *self)
{
	if (self->memory != MAP_FAILED)
		munmap(self->memory, self->size);
	self->memory = MAP_FAILED;
}

static void prepare_fault(FIXTURE_DATA(failures) *self)
{
	run_mmap(self);
}

static int run_fault(FIXTURE_DATA(failures) *self)
{
	return touch(self->memory + self->size / 2) ? -1 : 0;
}

static int run_sysfs(FIXTURE_DATA(failures) *self)
{
	return sysfs_number(self->node, "own_id") == UINT64_MAX ? -1 : 0;
}

static int run_probe(FIXTURE_DATA(failures) *self)
{
	return driver_bind(self->address);
}

static void be_unbound(FIXTURE_DATA(failures) *self)
{
	driver_unbind(self->address);
}

static int run_remove(FIXTURE_DATA(failures) *self)
{
	return driver_unbind(self->address);
}

static void be_bound(FIXTURE_DATA(failures) *self)
{
	driver_bind(self->address);
}

#define CALL(name, before, after) \
	FIXTURE_VARIANT_ADD(failures, name) { \
		.prepare = before, \
		.run = run_##name, \
		.undo = after, \
	}
CALL(open, nothing, undo_open);
CALL(close, prepare_close, undo_open);
CALL(info, nothing, nothing);
CALL(ring, nothing, nothing);
CALL(stats, nothing, nothing);
CALL(bind, nothing, undo_bind);
CALL(mask, nothing, undo_mask);
CALL(wait, nothing, nothing);
CALL(read, prepare_read, nothing);
CALL(epoll, nothing, undo_epoll);
CALL(mmap, nothing, undo_mmap);
CALL(fault, prepare_fault, undo_mmap);
CALL(sysfs, nothing, nothing);
CALL(probe, be_unbound, be_unbound);
CALL(remove, be_bound, be_bound);

FIXTURE_SETUP(failures)
{
	ASSERT_EQ(0, access(FAIL_NTH, W_OK));
	catch_access_signals();
	strcpy(self->node, doorbell_node());
	ASSERT_TRUE(sysfs_address(self->node, self->address));
	self->fd = open(self->node, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	self->size = shmem_size(self->fd);
	self->efd = new_eventfd();
	self->epoll = epoll_create1(EPOLL_CLOEXEC);
	self->other = -1;
	self->memory = MAP_FAILED;
}

FIXTURE_TEARDOWN(failures)
{
	close(self->epoll);
	close(self->efd);
	close(self->fd);
	driver_bind(self->address);
}

/* Let the nth from now on fail; 0 for none. */
static void fail_nth(int file, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	(void)!pwrite(file, text, len, 0);
}

/* How many are still to come before it. */
static unsigned int still_to_come(int file)
{
	char text[16] = "";

	return pread(file, text, sizeof(text) - 1, 0) > 0 ? atoi(text) : 0;
}

TEST_F_TIMEOUT(failures, of_each_allocation_leave_the_call_usable, 3600)
{
	int file = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	unsigned int nth, left = 0, errors = 0;
	int ret, error;

	for (nth = 1; nth < MOST; nth++) {
		variant->prepare(self);
		fail_nth(file, nth);
		ret = variant->run(self);
		error = errno;
		left = still_to_come(file);
		fail_nth(file, 0);
		variant->undo(self);
		if (left)
			break;
		errors += ret != 0;
		variant->prepare(self);
		ASSERT_EQ(0, variant->run(self))
			TH_LOG("after failure %u (errno %d): %s", nth, error,
			       strerror(errno));
		variant->undo(self);
	}
	/* The call of this turn was not disturbed. */
	EXPECT_EQ(0, ret) TH_LOG("%s", strerror(error));
	ASSERT_LT(0, left);
	TH_LOG("%u failed in turn, the call said so %u times", nth - 1, errors);
	/* Else nothing was tried. */
	EXPECT_LT(1, nth);
	close(file);
}

TEST_HARNESS_MAIN
