// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The register page in user space, in a guest whose administrator allows it
 * (map_registers=1): a store rings, only those who may write get the page, and
 * a store after the device has gone does no harm.
 */
#include <ivshmem.h>

#include "mapping.h"
#include "sysfs.h"

#define MARKER 3

FIXTURE(registers) {
	int fd;
	int marker;
	size_t page;
	struct ivshmem_info info;
	char address[16];
};

FIXTURE_SETUP(registers)
{
	catch_access_signals();
	self->page = getpagesize();
	ASSERT_TRUE(sysfs_address(doorbell_node(), self->address));
	self->fd = open(doorbell_node(), O_RDWR);
	ASSERT_EQ(0, get_info(self->fd, &self->info));
	self->marker = new_eventfd();
	ASSERT_EQ(0, bind_vector(self->fd, MARKER, self->marker));
}

FIXTURE_TEARDOWN(registers)
{
	close(self->marker);
	close(self->fd);
	driver_bind(self->address);
}

static __u32 *map_registers(const FIXTURE_DATA(registers) *self)
{
	return mmap(NULL, self->page, RW, MAP_SHARED, self->fd,
		    self->info.regs_offset);
}

/* The word that is 1 while the device is there, and is not to be written. */
static const __u32 *map_alive(const FIXTURE_DATA(registers) *self)
{
	char *status = mmap(NULL, self->page, PROT_READ, MAP_SHARED, self->fd,
			    self->info.regs_offset - self->page);

	return status == MAP_FAILED ? NULL :
	       (const void *)(status + self->page - sizeof(__u32));
}

static void store(__u32 *registers, __u32 value)
{
	*(volatile __u32 *)(registers + IVSHMEM_REGS_DOORBELL / 4) = value;
}

TEST_F(registers, are_offered_above_the_shared_memory)
{
	EXPECT_NE(0, self->info.features & IVSHMEM_FEATURE_MAPPED_REGS);
	EXPECT_EQ(0, self->info.regs_offset % self->page);
	EXPECT_LT(self->info.shmem_size, self->info.regs_offset - self->page);
}

TEST_F(registers, ring_by_a_store)
{
	__u32 *registers = map_registers(self);
	int efd = new_eventfd();

	ASSERT_NE(MAP_FAILED, registers);
	ASSERT_EQ(0, bind_vector(self->fd, 2, efd));
	for (int i = 0; i < 100; i++) {
		store(registers, self->info.own_id << 16 | 2);
		ASSERT_EQ(1, wait_eventfd(efd));
	}
	close(efd);
}

TEST_F(registers, show_the_own_id)
{
	__u32 *registers = map_registers(self);

	ASSERT_NE(MAP_FAILED, registers);
	EXPECT_EQ(self->info.own_id, registers[2]);
}

TEST_F(registers, say_that_the_device_is_there)
{
	const __u32 *alive = map_alive(self);

	ASSERT_NE(NULL, alive);
	EXPECT_EQ(1, *alive);
}

TEST_F(registers, of_a_read_only_file_are_eacces)
{
	int fd = open(doorbell_node(), O_RDONLY);

	for (int i = 0; i < 2; i++)
		EXPECT_MAP_ERRNO(EACCES,
				 mmap(NULL, self->page, PROT_READ, MAP_SHARED, fd,
				      self->info.regs_offset - i * self->page));
	EXPECT_MAP_ERRNO(EACCES, mmap(NULL, self->page, RW, MAP_SHARED, fd,
				      self->info.regs_offset));
	close(fd);
}

TEST_F(registers, status_cannot_be_written)
{
	const __u32 *alive = map_alive(self);
	void *page = (void *)((unsigned long)alive & -self->page);

	EXPECT_MAP_ERRNO(EACCES, mmap(NULL, self->page, RW, MAP_SHARED, self->fd,
				      self->info.regs_offset - self->page));
	EXPECT_ERRNO(EACCES, mprotect(page, self->page, RW));
	EXPECT_EQ(SIGSEGV, poke(page, 0));
}

TEST_F(registers, private_or_longer_than_a_page_are_einval)
{
	const __u64 at = self->info.regs_offset;

	EXPECT_MAP_ERRNO(EINVAL, mmap(NULL, self->page, RW, MAP_PRIVATE,
				      self->fd, at));
	EXPECT_MAP_ERRNO(EINVAL, map_raw(self->fd, at, 2 * self->page));
	EXPECT_MAP_ERRNO(EINVAL, map_raw(self->fd, at + self->page, self->page));
	EXPECT_MAP_ERRNO(EINVAL, map_raw(self->fd, at - 2 * self->page,
					 self->page));
}

TEST_F(registers, are_never_executable)
{
	__u32 *registers = map_registers(self);

	EXPECT_MAP_ERRNO(EPERM, mmap(NULL, self->page, PROT_READ | PROT_EXEC,
				     MAP_SHARED, self->fd,
				     self->info.regs_offset));
	EXPECT_ERRNO(EACCES, mprotect(registers, self->page, PROT_EXEC));
}

TEST_F(registers, do_not_grow)
{
	__u32 *registers = map_registers(self);

	EXPECT_MAP_ERRNO(EFAULT, mremap(registers, self->page, 2 * self->page,
					MREMAP_MAYMOVE));
}

TEST_F(registers, of_a_plain_device_cannot_be_mapped)
{
	int fd = open(plain_node(), O_RDWR);
	struct ivshmem_info info;

	ASSERT_EQ(0, get_info(fd, &info));
	EXPECT_EQ(0, info.features & IVSHMEM_FEATURE_MAPPED_REGS);
	EXPECT_EQ(0, info.regs_offset);
	EXPECT_MAP_ERRNO(EINVAL, map_raw(fd, self->info.regs_offset, self->page));
	close(fd);
}

TEST_F(registers, of_a_device_that_is_gone_take_stores_and_ring_nobody)
{
	__u32 *touched = map_registers(self), *untouched = map_registers(self);
	const __u32 *alive = map_alive(self), *unread = map_alive(self);
	char node[32];
	int fd, efd = new_eventfd();

	store(touched, (__u32)IVSHMEM_PEER_MAX << 16);
	ASSERT_EQ(1, *alive);
	ASSERT_EQ(0, driver_unbind(self->address));
	EXPECT_EQ(0, *alive);
	EXPECT_EQ(0, *unread);
	EXPECT_EQ(0, poke(touched + 2, 0));
	EXPECT_EQ(0, poke(untouched + 2, 0));
	EXPECT_MAP_ERRNO(ENODEV, map_registers(self));

	/* And when the device is back, the old pages are not its. */
	ASSERT_EQ(0, driver_bind(self->address));
	ASSERT_TRUE(sysfs_node(self->address, node));
	fd = open(node, O_RDWR);
	ASSERT_EQ(0, bind_vector(fd, 0, efd));
	ASSERT_EQ(0, bind_vector(fd, MARKER, self->marker));
	store(touched, self->info.own_id << 16);
	store(untouched, self->info.own_id << 16);
	ASSERT_TRUE(settle(fd, MARKER, self->marker));
	EXPECT_EQ(0, take_eventfd(efd));
	EXPECT_EQ(0, *alive);
	close(efd);
	close(fd);
}

TEST_F(registers, are_used_by_the_library_without_a_system_call)
{
	struct ivsh_device *device = ivsh_device_open(doorbell_node());
	struct ivsh_info *info = ivsh_device_get_info(device);
	int null = open("/dev/null", O_RDWR);
	int file = ivsh_device_fd(device);
	int efd = new_eventfd();

	EXPECT_TRUE(ivsh_info_has_mapped_regs(info));
	ivsh_info_free(info);
	ASSERT_EQ(0, bind_vector(self->fd, 0, efd));
	/* An ioctl would now fail; what is out of range still takes it. */
	ASSERT_EQ(file, dup2(null, file));
	EXPECT_EQ(0, ivsh_device_ring(device, self->info.own_id, 0));
	EXPECT_EQ(1, wait_eventfd(efd));
	EXPECT_ERRNO(ENOTTY, ivsh_device_ring(device, IVSH_PEER_MAX + 1, 0));
	EXPECT_ERRNO(ENOTTY, ivsh_device_ring(device, 0, IVSH_VECTOR_MAX + 1));
	ivsh_device_close(device);
	close(efd);
}

TEST_HARNESS_MAIN
