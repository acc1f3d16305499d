// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivsh_device_export_dmabuf(): a dma-buf where the memory has struct pages, and
 * what it refuses there and elsewhere.
 */
#include <ivshmem.h>

#include "mapping.h"
#include "sysfs.h"

FIXTURE(libdmabuf) {
	struct ivsh_device *device;
	bool offered;
	size_t page;
	size_t size;
	char *whole;
};

FIXTURE_SETUP(libdmabuf)
{
	catch_access_signals();
	self->page = getpagesize();
	self->device = ivsh_device_open(plain_node());
	ASSERT_NE(NULL, self->device);
	self->offered = has_feature(ivsh_device_fd(self->device),
				    IVSHMEM_FEATURE_DMABUF);
	self->size = shmem_size(ivsh_device_fd(self->device));
	self->whole = map(ivsh_device_fd(self->device), 0, self->size);
	ASSERT_NE(MAP_FAILED, self->whole);
}

FIXTURE_TEARDOWN(libdmabuf)
{
	munmap(self->whole, self->size);
	ivsh_device_close(self->device);
}

TEST_F(libdmabuf, without_struct_pages_is_eopnotsupp)
{
	if (self->offered)
		SKIP(return, "this device offers dma-bufs");
	EXPECT_ERRNO(EOPNOTSUPP,
		     ivsh_device_export_dmabuf(self->device, 0, self->page));
}

TEST_F(libdmabuf, shows_the_range_that_was_asked_for)
{
	char *mapping;
	int dmabuf;

	if (!self->offered)
		SKIP(return, "no dma-bufs without struct pages");
	dmabuf = ivsh_device_export_dmabuf(self->device, 2 * self->page,
					   self->page);
	ASSERT_LE(0, dmabuf);
	EXPECT_EQ(self->page, lseek(dmabuf, 0, SEEK_END));
	EXPECT_EQ(FD_CLOEXEC, fcntl(dmabuf, F_GETFD));
	mapping = map(dmabuf, 0, self->page);
	ASSERT_NE(MAP_FAILED, mapping);
	strcpy(self->whole + 2 * self->page, "seen");
	EXPECT_STREQ("seen", mapping);
	munmap(mapping, self->page);
	close(dmabuf);
}

TEST_F(libdmabuf, of_length_zero_is_all_that_follows)
{
	int dmabuf;

	if (!self->offered)
		SKIP(return, "no dma-bufs without struct pages");
	dmabuf = ivsh_device_export_dmabuf(self->device, self->page, 0);
	ASSERT_LE(0, dmabuf);
	EXPECT_EQ(self->size - self->page, lseek(dmabuf, 0, SEEK_END));
	close(dmabuf);
}

TEST_F(libdmabuf, of_what_is_no_range_is_einval)
{
	EXPECT_ERRNO(EINVAL, ivsh_device_export_dmabuf(self->device, self->size,
						       0));
	EXPECT_ERRNO(EINVAL, ivsh_device_export_dmabuf(self->device, 0,
						       self->size + self->page));
	EXPECT_ERRNO(EINVAL, ivsh_device_export_dmabuf(self->device, 1,
						       self->page));
	if (self->offered)
		EXPECT_ERRNO(EINVAL, ivsh_device_export_dmabuf(self->device, 0,
							       100));
}

TEST_F(libdmabuf, of_a_read_only_device_is_eacces)
{
	struct ivsh_device *device = ivsh_device_open_read_only(plain_node());

	ASSERT_NE(NULL, device);
	EXPECT_ERRNO(EACCES, ivsh_device_export_dmabuf(device, 0, self->page));
	ivsh_device_close(device);
}

TEST_F(libdmabuf, of_a_device_that_is_gone_is_enodev)
{
	char address[16];

	ASSERT_TRUE(sysfs_address(plain_node(), address));
	ASSERT_EQ(0, driver_unbind(address));
	EXPECT_ERRNO(ENODEV, ivsh_device_export_dmabuf(self->device, 0,
						       self->page));
	EXPECT_EQ(0, driver_bind(address));
}

TEST_HARNESS_MAIN
