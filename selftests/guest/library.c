// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libivshmem on real devices: names, info, regions, ringing, and what it says
 * when the device goes away. Vectors are in libvector.c.
 */
#include <ivshmem.h>
#include <sys/stat.h>

#include "mapping.h"
#include "sysfs.h"

#define EXPECT_NULL_ERRNO(wanted, call) do { \
	errno = 0; \
	EXPECT_EQ(NULL, (call)); \
	EXPECT_EQ(wanted, errno); \
} while (0)

FIXTURE(library) {
	struct ivsh_device *device;
	struct ivsh_device *plain;
	char address[16];
	char plain_address[16];
};

FIXTURE_SETUP(library)
{
	catch_access_signals();
	ASSERT_TRUE(sysfs_address(doorbell_node(), self->address));
	ASSERT_TRUE(sysfs_address(plain_node(), self->plain_address));
	self->device = ivsh_device_open(doorbell_node());
	self->plain = ivsh_device_open(plain_node());
	ASSERT_NE(NULL, self->device);
	ASSERT_NE(NULL, self->plain);
}

FIXTURE_TEARDOWN(library)
{
	ivsh_device_close(self->plain);
	ivsh_device_close(self->device);
	/* As they were: whoever was unbound is bound, the first one first. */
	driver_bind(self->address);
	driver_bind(self->plain_address);
}

/* --- names ------------------------------------------------------------------------- */

/* Whether the name opens the device with that node. */
static bool opens(const char *name, const char *node)
{
	struct ivsh_device *device = ivsh_device_open(name);
	bool right = device && !strcmp(ivsh_device_path(device), node);

	ivsh_device_close(device);
	return right;
}

TEST_F(library, opens_a_node)
{
	EXPECT_TRUE(opens(doorbell_node(), doorbell_node()));
	EXPECT_TRUE(opens(plain_node(), plain_node()));
}

TEST_F(library, opens_a_node_of_another_name)
{
	unlink("/tmp/alias");
	ASSERT_EQ(0, symlink(plain_node(), "/tmp/alias"));
	EXPECT_TRUE(opens("/tmp/alias", "/tmp/alias"));
	unlink("/tmp/alias");
}

TEST_F(library, opens_an_index)
{
	EXPECT_TRUE(opens(doorbell_node() + strlen("/dev/ivshmem"),
			  doorbell_node()));
	EXPECT_TRUE(opens(plain_node() + strlen("/dev/ivshmem"), plain_node()));
}

TEST_F(library, opens_a_pci_address)
{
	EXPECT_TRUE(opens(self->address, doorbell_node()));
	EXPECT_TRUE(opens(self->plain_address, plain_node()));
}

TEST_F(library, opens_a_pci_address_without_its_domain)
{
	ASSERT_EQ(0, strncmp("0000:", self->address, 5));
	EXPECT_TRUE(opens(self->address + 5, doorbell_node()));
	EXPECT_TRUE(opens(self->plain_address + 5, plain_node()));
}

TEST_F(library, opens_nothing_for_null_with_two_devices)
{
	EXPECT_NULL_ERRNO(ENOTUNIQ, ivsh_device_open(NULL));
}

TEST_F(library, opens_the_only_device_for_null)
{
	ASSERT_EQ(0, driver_unbind(self->plain_address));
	EXPECT_TRUE(opens(NULL, doorbell_node()));
}

TEST_F(library, opens_nothing_for_null_without_a_device)
{
	ASSERT_EQ(0, driver_unbind(self->plain_address));
	ASSERT_EQ(0, driver_unbind(self->address));
	EXPECT_NULL_ERRNO(ENOENT, ivsh_device_open(NULL));
}

TEST_F(library, open_of_an_absent_device_is_enoent)
{
	const char *names[] = { "/dev/ivshmem99", "99", "4294967295",
				"0000:7f:1f.7", "7f:1f.7", "ffff:00:00.0",
				/* The host bridge: there, but not ours. */
				"0000:00:00.0" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		EXPECT_NULL_ERRNO(ENOENT, ivsh_device_open(names[i]));
}

TEST_F(library, open_of_an_unbound_device_is_enoent)
{
	ASSERT_EQ(0, driver_unbind(self->plain_address));
	EXPECT_NULL_ERRNO(ENOENT, ivsh_device_open(self->plain_address));
	EXPECT_NULL_ERRNO(ENOENT, ivsh_device_open(plain_node()));
}

TEST_F(library, open_of_a_node_whose_device_is_gone_is_enodev)
{
	struct stat status;

	ASSERT_EQ(0, stat(plain_node(), &status));
	ASSERT_EQ(0, driver_unbind(self->plain_address));
	unlink("/tmp/node");
	ASSERT_EQ(0, mknod("/tmp/node", S_IFCHR | 0600, status.st_rdev));
	EXPECT_NULL_ERRNO(ENODEV, ivsh_device_open("/tmp/node"));
	unlink("/tmp/node");
}

TEST_F(library, open_of_another_file_is_enotty)
{
	EXPECT_NULL_ERRNO(ENOTTY, ivsh_device_open("/dev/null"));
	EXPECT_NULL_ERRNO(ENOTTY, ivsh_device_open("/proc/self/comm"));
	EXPECT_NULL_ERRNO(ENOTTY, ivsh_device_open_read_only("/proc"));
}

TEST_F(library, open_without_rights_is_eacces)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, chmod(plain_node(), 0440));
	pid = fork();
	if (!pid)
		_exit(setuid(65534) || ivsh_device_open(plain_node()) ||
		      errno != EACCES);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, chmod(plain_node(), 0600));
}

TEST_F(library, open_with_no_file_left_is_emfile)
{
	struct rlimit limit = { ivsh_device_fd(self->plain) + 1, 1024 };

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_NULL_ERRNO(EMFILE, ivsh_device_open(plain_node()));
}

TEST_F(library, gives_each_device_a_file_of_its_own)
{
	struct ivsh_device *again = ivsh_device_open(doorbell_node());

	ASSERT_NE(NULL, again);
	EXPECT_NE(ivsh_device_fd(self->device), ivsh_device_fd(again));
	EXPECT_EQ(0, poll_now(ivsh_device_fd(again), POLLIN));
	EXPECT_EQ(FD_CLOEXEC, fcntl(ivsh_device_fd(again), F_GETFD));
	ivsh_device_close(again);
}

/* --- info -------------------------------------------------------------------------- */

TEST_F(library, info_and_sysfs_agree)
{
	const char *node = doorbell_node();
	struct ivsh_info *info = ivsh_device_get_info(self->device);

	ASSERT_NE(NULL, info);
	EXPECT_TRUE(ivsh_info_has_doorbell(info));
	EXPECT_FALSE(ivsh_info_may_shrink(info));
	EXPECT_EQ(sysfs_number(node, "shmem_size"), ivsh_info_shmem_size(info));
	EXPECT_EQ(sysfs_number(node, "own_id"), ivsh_info_own_id(info));
	EXPECT_EQ(sysfs_number(node, "nr_vectors"), ivsh_info_nr_vectors(info));
	EXPECT_EQ(sysfs_number(node, "revision"), ivsh_info_revision(info));
	EXPECT_EQ(sysfs_number(node, "generation"),
		  ivsh_info_generation(info));
#ifdef __x86_64__
	EXPECT_EQ(IVSH_PAGE_ATTR_WB, ivsh_info_page_attr(info));
#endif
	ivsh_info_free(info);
}

TEST_F(library, info_of_a_plain_device_has_no_doorbell)
{
	struct ivsh_info *info = ivsh_device_get_info(self->plain);

	ASSERT_NE(NULL, info);
	EXPECT_FALSE(ivsh_info_has_doorbell(info));
	EXPECT_EQ(0, ivsh_info_nr_vectors(info));
	EXPECT_EQ(0, ivsh_info_own_id(info));
	ivsh_info_free(info);
}

TEST_F(library, info_outlives_its_device)
{
	struct ivsh_device *device = ivsh_device_open(plain_node());
	struct ivsh_info *info = ivsh_device_get_info(device);

	ivsh_device_close(device);
	EXPECT_EQ(MIB, ivsh_info_shmem_size(info));
	ivsh_info_free(info);
}

/* --- regions ----------------------------------------------------------------------- */

TEST_F(library, region_of_length_zero_is_all_that_follows)
{
	struct ivsh_region *all = ivsh_region_map(self->plain, 0, 0, 0);
	struct ivsh_region *tail = ivsh_region_map(self->plain, MIB - 8192, 0,
						   0);

	ASSERT_NE(NULL, all);
	ASSERT_NE(NULL, tail);
	EXPECT_EQ(MIB, ivsh_region_size(all));
	EXPECT_EQ(8192, ivsh_region_size(tail));
	strcpy(ivsh_region_address(tail), "hello");
	EXPECT_STREQ("hello", (char *)ivsh_region_address(all) + MIB - 8192);
	ivsh_region_unmap(tail);
	ivsh_region_unmap(all);
}

TEST_F(library, region_has_the_length_that_was_asked_for)
{
	struct ivsh_region *region = ivsh_region_map(self->plain, 4096, 5000, 0);

	ASSERT_NE(NULL, region);
	EXPECT_EQ(5000, ivsh_region_size(region));
	EXPECT_EQ(0, poke((char *)ivsh_region_address(region) + 4992, 1));
	ivsh_region_unmap(region);
}

TEST_F(library, region_that_does_not_exist_is_einval)
{
	const struct {
		uint64_t offset, length;
	} ranges[] = {
		{ 0, MIB + 1 }, { MIB, 0 }, { MIB, 1 }, { MIB - 4096, 8192 },
		{ 2 * MIB, 0 }, { 0, UINT64_MAX }, { 4096, UINT64_MAX - 4095 },
		{ 1ULL << 63, 4096 }, { UINT64_MAX - 4095, 4096 },
		{ UINT64_MAX - 4095, 0 }, { INT64_MAX - 4095, 4096 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		EXPECT_NULL_ERRNO(EINVAL,
				  ivsh_region_map(self->plain, ranges[i].offset,
						  ranges[i].length, 0));
}

TEST_F(library, region_inside_a_page_is_einval)
{
	EXPECT_NULL_ERRNO(EINVAL, ivsh_region_map(self->plain, 1, 4096, 0));
	EXPECT_NULL_ERRNO(EINVAL, ivsh_region_map(self->plain, 2048, 0, 0));
}

TEST_F(library, region_with_an_unknown_flag_is_einval)
{
	for (unsigned int bit = 1; bit < 32; bit++)
		EXPECT_NULL_ERRNO(EINVAL, ivsh_region_map(self->plain, 0, 4096,
							  1u << bit));
}

TEST_F(library, region_that_is_read_only_cannot_be_written)
{
	struct ivsh_region *region = ivsh_region_map(self->plain, 0, 0,
						     IVSH_READ_ONLY);

	ASSERT_NE(NULL, region);
	EXPECT_EQ(0, touch(ivsh_region_address(region)));
	EXPECT_EQ(SIGSEGV, poke(ivsh_region_address(region), 1));
	ivsh_region_unmap(region);
}

TEST_F(library, region_unmapped_is_gone)
{
	struct ivsh_region *region = ivsh_region_map(self->plain, 0, 0, 0);
	char *address = ivsh_region_address(region);

	ASSERT_EQ(0, touch(address));
	ivsh_region_unmap(region);
	EXPECT_EQ(SIGSEGV, touch(address));
}

/* --- read-only devices --------------------------------------------------------------- */

TEST_F(library, read_only_device_maps_read_only)
{
	struct ivsh_device *device = ivsh_device_open_read_only(plain_node());
	struct ivsh_region *region = ivsh_region_map(device, 0, 0,
						     IVSH_READ_ONLY);

	ASSERT_NE(NULL, region);
	EXPECT_EQ(0, touch(ivsh_region_address(region)));
	ivsh_region_unmap(region);
	EXPECT_NULL_ERRNO(EACCES, ivsh_region_map(device, 0, 0, 0));
	ivsh_device_close(device);
}

TEST_F(library, read_only_device_does_not_ring)
{
	struct ivsh_device *device = ivsh_device_open_read_only(doorbell_node());

	ASSERT_NE(NULL, device);
	EXPECT_ERRNO(EACCES, ivsh_device_ring(device, 0, 0));
	ivsh_device_close(device);
}

/* --- ringing, and the end -------------------------------------------------------------- */

TEST_F(library, ring_outside_the_range_is_einval)
{
	EXPECT_EQ(0, ivsh_device_ring(self->device, IVSH_PEER_MAX,
				      IVSH_VECTOR_MAX));
	EXPECT_ERRNO(EINVAL, ivsh_device_ring(self->device, IVSH_PEER_MAX + 1,
					      0));
	EXPECT_ERRNO(EINVAL, ivsh_device_ring(self->device, 0,
					      IVSH_VECTOR_MAX + 1));
	EXPECT_ERRNO(EINVAL, ivsh_device_ring(self->device, UINT32_MAX, 0));
}

TEST_F(library, ring_of_a_plain_device_is_eopnotsupp)
{
	EXPECT_ERRNO(EOPNOTSUPP, ivsh_device_ring(self->plain, 0, 0));
}

TEST_F(library, peer_events_of_a_guest_are_eopnotsupp)
{
	EXPECT_NULL_ERRNO(EOPNOTSUPP,
			  ivsh_device_wait_peer_event(self->device, 0));
	EXPECT_NULL_ERRNO(EOPNOTSUPP,
			  ivsh_device_wait_peer_event(self->plain, 0));
}

TEST_F(library, device_that_is_gone_is_enodev)
{
	struct ivsh_region *region = ivsh_region_map(self->device, 0, 0, 0);

	ASSERT_NE(NULL, region);
	ASSERT_EQ(0, driver_unbind(self->address));
	EXPECT_ERRNO(ENODEV, ivsh_device_ring(self->device, 0, 0));
	EXPECT_NULL_ERRNO(ENODEV, ivsh_device_get_info(self->device));
	EXPECT_NULL_ERRNO(ENODEV, ivsh_region_map(self->device, 0, 0, 0));
	EXPECT_NULL_ERRNO(ENODEV, ivsh_region_map(self->device, 0, 4096, 0));
	EXPECT_NULL_ERRNO(ENODEV, ivsh_vector_bind(self->device, 0));
	EXPECT_EQ(POLLHUP | POLLERR,
		  poll_now(ivsh_device_fd(self->device), POLLIN));
	EXPECT_EQ(SIGBUS, touch(ivsh_region_address(region)));
	ivsh_region_unmap(region);
}

TEST_HARNESS_MAIN
