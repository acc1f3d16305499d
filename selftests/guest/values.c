// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The values in the ioctl structs: peers, vectors and eventfds that do not
 * exist, and proof that their aliases were not rung; what a plain device and a
 * read-only file refuse; INFO and lseek() against sysfs.
 */
#include "guest.h"
#include "sysfs.h"

#define MARKER 3

FIXTURE(value) {
	int fd;
	int plain;
	int efd;	/* on vector 0, which the aliases would fire */
	int marker;	/* on vector MARKER */
	__u32 own_id;
};

FIXTURE_SETUP(value)
{
	struct ivshmem_info info;

	self->fd = open(doorbell_node(), O_RDWR);
	ASSERT_LE(0, self->fd);
	self->plain = open(plain_node(), O_RDWR);
	ASSERT_LE(0, self->plain);
	ASSERT_EQ(0, get_info(self->fd, &info));
	self->own_id = info.own_id;
	self->efd = new_eventfd();
	self->marker = new_eventfd();
	ASSERT_LE(0, self->efd);
	ASSERT_LE(0, self->marker);
	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	ASSERT_EQ(0, bind_vector(self->fd, MARKER, self->marker));
	/* The proofs below prove nothing unless this works. */
	ASSERT_EQ(0, ring(self->fd, self->own_id, 0));
	ASSERT_NE(0, wait_eventfd(self->efd));
}

FIXTURE_TEARDOWN(value)
{
	close(self->marker);
	close(self->efd);
	close(self->plain);
	close(self->fd);
}

TEST_F(value, ring_of_a_vector_above_255_is_einval_and_rings_no_alias)
{
	const __u32 vectors[] = { 256, 512, 65536, 0x01000000, 0x80000000,
				  0xffffff00, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++)
		EXPECT_ERRNO(EINVAL, ring(self->fd, self->own_id, vectors[i]));
	ASSERT_TRUE(settle(self->fd, MARKER, self->marker));
	EXPECT_EQ(0, take_eventfd(self->efd));
}

TEST_F(value, ring_of_a_peer_above_65535_is_einval_and_rings_no_alias)
{
	const __u32 peers[] = { 0x10000, 0x20000, 0x01000000, 0x80000000,
				0xffff0000 };

	for (size_t i = 0; i < ARRAY_SIZE(peers); i++)
		EXPECT_ERRNO(EINVAL,
			     ring(self->fd, peers[i] | self->own_id, 0));
	EXPECT_ERRNO(EINVAL, ring(self->fd, UINT32_MAX, 0));
	ASSERT_TRUE(settle(self->fd, MARKER, self->marker));
	EXPECT_EQ(0, take_eventfd(self->efd));
}

TEST_F(value, ring_of_an_absent_peer_is_dropped)
{
	for (__u32 peer = self->own_id + 1; peer <= IVSHMEM_PEER_MAX; peer += 97)
		ASSERT_EQ(0, ring(self->fd, peer, 0));
	EXPECT_EQ(0, ring(self->fd, IVSHMEM_PEER_MAX, 0));
	ASSERT_TRUE(settle(self->fd, MARKER, self->marker));
	EXPECT_EQ(0, take_eventfd(self->efd));
}

TEST_F(value, ring_of_an_absent_vector_is_dropped)
{
	for (__u32 vector = 4; vector <= IVSHMEM_VECTOR_MAX; vector++)
		ASSERT_EQ(0, ring(self->fd, self->own_id, vector));
	ASSERT_TRUE(settle(self->fd, MARKER, self->marker));
	EXPECT_EQ(0, take_eventfd(self->efd));
}

TEST_F(value, ring_of_a_plain_device_is_eopnotsupp)
{
	EXPECT_ERRNO(EOPNOTSUPP, ring(self->plain, 0, 0));
}

TEST_F(value, ring_through_a_read_only_file_is_eacces_and_rings_nobody)
{
	int fd = open(doorbell_node(), O_RDONLY);

	ASSERT_LE(0, fd);
	EXPECT_ERRNO(EACCES, ring(fd, self->own_id, 0));
	ASSERT_TRUE(settle(self->fd, MARKER, self->marker));
	EXPECT_EQ(0, take_eventfd(self->efd));
	close(fd);
}

TEST_F(value, ring_through_a_write_only_file_works)
{
	int fd = open(doorbell_node(), O_WRONLY);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, ring(fd, self->own_id, 0));
	EXPECT_NE(0, wait_eventfd(self->efd));
	close(fd);
}

TEST_F(value, bind_of_an_absent_vector_is_einval_and_binds_no_alias)
{
	const __u32 vectors[] = { 4, 255, 256, 65536, 0x80000000, 0xffffff00,
				  UINT32_MAX };
	int other = new_eventfd();

	ASSERT_LE(0, other);
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++)
		EXPECT_ERRNO(EINVAL, bind_vector(self->fd, vectors[i], other));
	ASSERT_EQ(0, ring(self->fd, self->own_id, 0));
	EXPECT_NE(0, wait_eventfd(self->efd));
	ASSERT_TRUE(settle(self->fd, MARKER, self->marker));
	EXPECT_EQ(0, take_eventfd(other));
	close(other);
}

TEST_F(value, unbind_of_an_absent_vector_is_einval_and_unbinds_no_alias)
{
	const __u32 vectors[] = { 4, 256, 65536, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++)
		EXPECT_ERRNO(EINVAL, unbind_vector(self->fd, vectors[i]));
	ASSERT_EQ(0, ring(self->fd, self->own_id, 0));
	EXPECT_NE(0, wait_eventfd(self->efd));
}

TEST_F(value, bind_of_a_closed_file_is_ebadf)
{
	int closed = new_eventfd();

	ASSERT_LE(0, closed);
	close(closed);
	EXPECT_ERRNO(EBADF, bind_vector(self->fd, 1, closed));
}

TEST_F(value, bind_of_a_number_that_is_no_file_is_ebadf)
{
	const int numbers[] = { -2, INT_MIN, INT_MAX, 1 << 20 };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		EXPECT_ERRNO(EBADF, bind_vector(self->fd, 1, numbers[i]));
}

TEST_F(value, bind_of_a_file_that_is_no_eventfd_is_einval)
{
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	EXPECT_ERRNO(EINVAL, bind_vector(self->fd, 1, ends[1]));
	EXPECT_ERRNO(EINVAL, bind_vector(self->fd, 1, self->fd));
	close(ends[0]);
	close(ends[1]);
}

TEST_F(value, a_refused_bind_leaves_the_binding)
{
	EXPECT_ERRNO(EBADF, bind_vector(self->fd, 0, INT_MAX));
	EXPECT_ERRNO(EINVAL, bind_vector(self->fd, 0, self->fd));
	ASSERT_EQ(0, ring(self->fd, self->own_id, 0));
	EXPECT_NE(0, wait_eventfd(self->efd));
}

TEST_F(value, bind_on_a_plain_device_is_eopnotsupp)
{
	EXPECT_ERRNO(EOPNOTSUPP, bind_vector(self->plain, 0, self->efd));
}

TEST_F(value, unbind_on_a_plain_device_is_eopnotsupp)
{
	EXPECT_ERRNO(EOPNOTSUPP, unbind_vector(self->plain, 0));
}

/* --- info and lseek --------------------------------------------------------- */

FIXTURE(facts) {
	int fd;
	struct ivshmem_info info;
	const char *node;
};

FIXTURE_VARIANT(facts) {
	bool doorbell;
};

FIXTURE_VARIANT_ADD(facts, doorbell) {
	.doorbell = true,
};

FIXTURE_VARIANT_ADD(facts, plain) {
	.doorbell = false,
};

FIXTURE_SETUP(facts)
{
	self->node = variant->doorbell ? doorbell_node() : plain_node();
	self->fd = open(self->node, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, get_info(self->fd, &self->info));
}

FIXTURE_TEARDOWN(facts)
{
	close(self->fd);
}

TEST_F(facts, info_and_sysfs_agree)
{
	static const char * const attrs[] = { "unknown", "wb", "wc", "uc" };
	const struct ivshmem_info *info = &self->info;
	char text[64];

	EXPECT_EQ(info->own_id, sysfs_number(self->node, "own_id"));
	EXPECT_EQ(info->nr_vectors, sysfs_number(self->node, "nr_vectors"));
	EXPECT_EQ(info->shmem_size, sysfs_number(self->node, "shmem_size"));
	EXPECT_EQ(info->revision, sysfs_number(self->node, "revision"));
	EXPECT_EQ(info->generation, sysfs_number(self->node, "generation"));
	ASSERT_GT(ARRAY_SIZE(attrs), info->page_attr);
	EXPECT_STREQ(attrs[info->page_attr],
		     sysfs_read(self->node, "page_attr", text, sizeof(text)));
}

TEST_F(facts, info_says_what_the_machine_was_given)
{
	const struct ivshmem_info *info = &self->info;

	EXPECT_EQ(sizeof(*info), info->size);
	EXPECT_EQ(0, info->flags);
	EXPECT_EQ(variant->doorbell ? IVSHMEM_FEATURE_DOORBELL |
		  IVSHMEM_FEATURE_VECTOR_MASK | IVSHMEM_FEATURE_VECTOR_STATS |
		  IVSHMEM_FEATURE_WAIT : 0, info->features);
	EXPECT_EQ(0, info->regs_offset);
	EXPECT_EQ(variant->doorbell ? 4 : 0, info->nr_vectors);
	EXPECT_EQ(0, info->own_id);
	EXPECT_EQ(1, info->revision);
	EXPECT_EQ(1 << 20, info->shmem_size);
	EXPECT_EQ(0, info->generation);
#ifdef __x86_64__
	EXPECT_EQ(IVSHMEM_PAGE_ATTR_WB, info->page_attr);
#endif
}

TEST_F(facts, lseek_ends_at_the_end_of_the_memory)
{
	const off_t size = self->info.shmem_size;

	EXPECT_EQ(size, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(size, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(size - 4096, lseek(self->fd, -4096, SEEK_CUR));
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_SET));
}

TEST_F(facts, lseek_outside_the_memory_is_einval)
{
	EXPECT_ERRNO(EINVAL, lseek(self->fd, 1, SEEK_END));
	EXPECT_ERRNO(EINVAL, lseek(self->fd, -1, SEEK_SET));
	EXPECT_ERRNO(EINVAL, lseek(self->fd, INT64_MAX, SEEK_SET));
}

TEST_HARNESS_MAIN
