// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * userfaultfd on a mapping: kernels from 6.7 on let a program write-protect any
 * memory asynchronously, to see what was written. That leaves markers in page
 * table entries where nothing is mapped yet.
 */
#include <linux/userfaultfd.h>

#include "mapping.h"

#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif

FIXTURE(userfault) {
	int fd;
	int uffd;
	size_t size;
	char *memory;
};

/* 0, or -1 where this kernel, or this kind of mapping, has no such thing. */
static int protect(int uffd, char *memory, size_t size)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED,
	};
	struct uffdio_range range = { (uintptr_t)memory, size };
	struct uffdio_register reg = {
		.range = range,
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect wp = {
		.range = range,
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	return ioctl(uffd, UFFDIO_API, &api) ||
	       ioctl(uffd, UFFDIO_REGISTER, &reg) ||
	       ioctl(uffd, UFFDIO_WRITEPROTECT, &wp) ? -1 : 0;
}

FIXTURE_SETUP(userfault)
{
	catch_access_signals();
	self->fd = open(plain_node(), O_RDWR);
	ASSERT_LE(0, self->fd);
	self->size = shmem_size(self->fd);
	self->memory = map(self->fd, 0, self->size);
	ASSERT_NE(MAP_FAILED, self->memory);
	self->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
}

FIXTURE_TEARDOWN(userfault)
{
	munmap(self->memory, self->size);
	close(self->uffd);
	close(self->fd);
}

#define NEEDS_PROTECTION() do { \
	if (protect(self->uffd, self->memory, self->size)) \
		SKIP(return, "no asynchronous write protection: %s", \
		     strerror(errno)); \
} while (0)

TEST_F(userfault, protected_memory_that_was_never_touched_can_be_read)
{
	NEEDS_PROTECTION();
	EXPECT_EQ(0, touch(self->memory));
	EXPECT_EQ(0, touch(self->memory + self->size - 8));
}

TEST_F(userfault, protected_memory_that_was_never_touched_can_be_written)
{
	__u64 value;

	NEEDS_PROTECTION();
	EXPECT_EQ(0, poke(self->memory + 0x3000, 7));
	EXPECT_EQ(0, poke(self->memory + 0x4000, 8));
	EXPECT_EQ(0, peek(self->memory + 0x3000, &value));
	EXPECT_EQ(7, value);
}

TEST_F(userfault, memory_protected_after_it_was_touched_can_be_written)
{
	EXPECT_EQ(0, poke(self->memory, 1));
	NEEDS_PROTECTION();
	EXPECT_EQ(0, poke(self->memory, 2));
	EXPECT_EQ(0, poke(self->memory + self->size / 2, 3));
}

TEST_F(userfault, protected_registers_that_were_never_touched_can_be_used)
{
	int fd = open(doorbell_node(), O_RDWR);
	const size_t page = getpagesize();
	struct ivshmem_info info;
	char *registers;

	ASSERT_EQ(0, get_info(fd, &info));
	if (!info.regs_offset)
		SKIP(return, "the registers are not mapped here");
	registers = mmap(NULL, page, RW, MAP_SHARED, fd, info.regs_offset);
	ASSERT_NE(MAP_FAILED, registers);
	if (protect(self->uffd, registers, page))
		SKIP(return, "no asynchronous write protection: %s",
		     strerror(errno));
	*(volatile __u32 *)(registers + IVSHMEM_REGS_DOORBELL) = info.own_id << 16;
	munmap(registers, page);
	close(fd);
}

TEST_HARNESS_MAIN
