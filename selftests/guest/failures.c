// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each allocation, and each copy from or to the user, of each call fails once:
 * the first, then the second, until the call gets through. It may fail or not,
 * but the same call after it works. Needs a kernel with fault injection; which
 * kinds of it, and which devices offer which calls, failures.py says.
 */
#include <stdio.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "failnth.h"
#include "importer.h"
#include "mapping.h"
#include "sysfs.h"

#define REGISTERS IVSHMEM_FEATURE_MAPPED_REGS
#define DMABUF IVSHMEM_FEATURE_DMABUF

FIXTURE(failures) {
	char address[16];
	char node[32];
	int fd;
	int other;	/* what a call made: a file, or -1 */
	int efd;
	int epoll;
	int importer;	/* another device, which works on dma-bufs; or -1 */
	__u64 features;
	__u64 regs_offset;
	size_t size;	/* of memory */
	char *memory;
	char *room;	/* around it */
};

/* One call: what must be before it, itself (0 or -1), and what ends it again. */
FIXTURE_VARIANT(failures) {
	void (*prepare)(FIXTURE_DATA(failures) *self);
	int (*run)(FIXTURE_DATA(failures) *self);
	void (*undo)(FIXTURE_DATA(failures) *self);
	__u64 needs;	/* IVSHMEM_FEATURE_* */
	bool takes_nothing;	/* so that nothing can fail */
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

static int run_read(FIXTURE_DATA(failures) *self)
{
	struct ivshmem_event event;

	return read(self->fd, &event, sizeof(event)) == sizeof(event) ? 0 : -1;
}

static int run_readv(FIXTURE_DATA(failures) *self)
{
	struct ivshmem_event event;
	struct iovec buffer = { &event, sizeof(event) };

	return readv(self->fd, &buffer, 1) == sizeof(event) ? 0 : -1;
}

static int run_wait(FIXTURE_DATA(failures) *self)
{
	return wait_vectors(self->fd, 0, 1);
}

/* Something to read, or to wait for. */
static void be_rung(FIXTURE_DATA(failures) *self)
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

#define ROOM (64 * MIB)
#define TABLE (2 * MIB)	/* what a page table maps */

/* Map where there is no page table yet, which then has to be allocated. */
static void map_alone(FIXTURE_DATA(failures) *self, int fd, __u64 offset)
{
	char *at;

	self->room = mmap(NULL, ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	at = (char *)(((unsigned long)self->room + 2 * TABLE) & -TABLE);
	self->memory = mmap(at, self->size, RW, MAP_SHARED | MAP_FIXED, fd, offset);
}

static void be_mapped(FIXTURE_DATA(failures) *self)
{
	map_alone(self, self->fd, 0);
}

static void undo_alone(FIXTURE_DATA(failures) *self)
{
	munmap(self->room, ROOM);
	self->memory = MAP_FAILED;
}

static int run_fault(FIXTURE_DATA(failures) *self)
{
	return touch(self->memory + self->size / 2) ? -1 : 0;
}

static int run_registers(FIXTURE_DATA(failures) *self)
{
	self->size = getpagesize();
	self->memory = map_raw(self->fd, self->regs_offset, self->size);
	return self->memory == MAP_FAILED ? -1 : 0;
}

static void map_registers(FIXTURE_DATA(failures) *self)
{
	self->size = getpagesize();
	map_alone(self, self->fd, self->regs_offset);
}

static int run_registers_fault(FIXTURE_DATA(failures) *self)
{
	return touch(self->memory) ? -1 : 0;
}

static int run_dmabuf(FIXTURE_DATA(failures) *self)
{
	self->other = export_dmabuf(self->fd, 0, self->size);
	return self->other < 0 ? -1 : 0;
}

static void have_dmabuf(FIXTURE_DATA(failures) *self)
{
	run_dmabuf(self);
}

static int run_dmabuf_mmap(FIXTURE_DATA(failures) *self)
{
	self->memory = map(self->other, 0, self->size);
	return self->memory == MAP_FAILED ? -1 : 0;
}

static void map_dmabuf(FIXTURE_DATA(failures) *self)
{
	run_dmabuf(self);
	map_alone(self, self->other, 0);
}

static int run_dmabuf_fault(FIXTURE_DATA(failures) *self)
{
	return run_fault(self);
}

static void undo_dmabuf(FIXTURE_DATA(failures) *self)
{
	undo_mmap(self);
	undo_open(self);
}

static void undo_dmabuf_alone(FIXTURE_DATA(failures) *self)
{
	undo_alone(self);
	undo_open(self);
}

/* The kernel that finds bugs has an entry for each 64 bytes that are mapped for DMA. */
static void have_small_dmabuf(FIXTURE_DATA(failures) *self)
{
	self->other = export_dmabuf(self->fd, 0, getpagesize());
}

static int run_dmabuf_import(FIXTURE_DATA(failures) *self)
{
	return ioctl(self->importer, IMPORTER_IMPORT, self->other);
}

static void undo_import(FIXTURE_DATA(failures) *self)
{
	ioctl(self->importer, IMPORTER_RELEASE);
	undo_open(self);
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

#define CALL_OF(feature, name, before, after) \
	FIXTURE_VARIANT_ADD(failures, name) { \
		.prepare = before, \
		.run = run_##name, \
		.undo = after, \
		.needs = feature, \
	}
#define CALL(name, before, after) CALL_OF(0, name, before, after)
CALL(open, nothing, undo_open);
FIXTURE_VARIANT_ADD(failures, close) {
	.prepare = prepare_close,
	.run = run_close,
	.undo = undo_open,
	.takes_nothing = true,
};
CALL(info, nothing, nothing);
CALL(ring, nothing, nothing);
CALL(stats, nothing, nothing);
CALL(bind, nothing, undo_bind);
CALL(mask, nothing, undo_mask);
CALL(wait, be_rung, nothing);
CALL(read, be_rung, nothing);
CALL(readv, be_rung, nothing);
CALL(epoll, nothing, undo_epoll);
CALL(mmap, nothing, undo_mmap);
CALL(fault, be_mapped, undo_alone);
CALL_OF(REGISTERS, registers, nothing, undo_mmap);
CALL_OF(REGISTERS, registers_fault, map_registers, undo_alone);
CALL_OF(DMABUF, dmabuf, nothing, undo_open);
CALL_OF(DMABUF, dmabuf_mmap, have_dmabuf, undo_dmabuf);
CALL_OF(DMABUF, dmabuf_fault, map_dmabuf, undo_dmabuf_alone);
CALL_OF(DMABUF, dmabuf_import, have_small_dmabuf, undo_import);
CALL(sysfs, nothing, nothing);
CALL(probe, be_unbound, be_unbound);
CALL(remove, be_bound, be_bound);

FIXTURE_SETUP(failures)
{
	struct ivshmem_info info;

	ASSERT_EQ(0, access(FAIL_NTH, W_OK));
	catch_access_signals();
	strcpy(self->node, doorbell_node());
	ASSERT_TRUE(sysfs_address(self->node, self->address));
	self->fd = open(self->node, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, get_info(self->fd, &info));
	self->features = info.features;
	self->regs_offset = info.regs_offset;
	self->size = info.shmem_size;
	self->efd = new_eventfd();
	self->epoll = epoll_create1(EPOLL_CLOEXEC);
	self->other = -1;
	self->importer = new_importer();
	self->memory = MAP_FAILED;
}

FIXTURE_TEARDOWN(failures)
{
	close(self->epoll);
	close(self->efd);
	close(self->fd);
	close(self->importer);
	driver_bind(self->address);
}

/* Turns that are taken once more. */
#define AGAIN 50

/*
 * One failure in each turn, until the call gets through or so many are done: how
 * many there were.
 */
static unsigned int sweep(struct __test_metadata *_metadata,
			  FIXTURE_DATA(failures) *self,
			  const FIXTURE_VARIANT(failures) *variant, int file,
			  unsigned int most)
{
	unsigned int nth, left = 0, errors = 0;
	int ret, error;

	for (nth = 1; nth <= most; nth++) {
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
		EXPECT_EQ(0, variant->run(self))
			TH_LOG("after failure %u (errno %d): %s", nth, error,
			       strerror(errno));
		variant->undo(self);
	}
	/* The call of the last turn was not disturbed. */
	if (left)
		EXPECT_EQ(0, ret) TH_LOG("%s", strerror(error));
	TH_LOG("%u failed in turn, the call said so %u times", nth - 1, errors);
	return nth - 1;
}

TEST_F_TIMEOUT(failures, of_each_allocation_leave_the_call_usable, 3600)
{
	int file = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	unsigned int failed, again;

	if (variant->needs & ~self->features)
		SKIP(return, "this device does not offer it");
	failed = sweep(_metadata, self, variant, file, MOST);
	EXPECT_EQ(variant->takes_nothing, !failed);
	EXPECT_GT(MOST, failed);
	/*
	 * Now and then a call takes more than usually, as for a name that the
	 * kernel forgot or for what finds bugs, and what comes after that does
	 * not get its turn.
	 */
	again = sweep(_metadata, self, variant, file, AGAIN);
	/* A short one gets to its end this time too. */
	EXPECT_TRUE(failed >= AGAIN || again < AGAIN);
	close(file);
}

TEST_HARNESS_MAIN
