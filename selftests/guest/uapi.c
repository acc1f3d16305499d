// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ioctl structs: every one of them too short, too long, with unknown bits,
 * behind bad pointers; and the ioctls and files that do not exist. One thing is
 * wrong in each call, all else is valid. uapi32.c is the same for a 32-bit
 * caller; the values in the structs are tested in values.c.
 */
#include "caller.h"

/* --- the table: what holds for each struct --------------------------------- */

FIXTURE(argument) {
	int fd;
	int efd;
	size_t page;
	char *memory;	/* two pages, and one that cannot be touched */
};

FIXTURE_VARIANT(argument) {
	unsigned int cmd;
	size_t size;
	size_t first;	/* the size of its first version */
	bool reply;
};

FIXTURE_VARIANT_ADD(argument, info) {
	.cmd = IVSHMEM_INFO,
	.size = sizeof(struct ivshmem_info),
	.first = 48,
	.reply = true,
};

FIXTURE_VARIANT_ADD(argument, ring) {
	.cmd = IVSHMEM_RING,
	.size = sizeof(struct ivshmem_ring),
	.first = 16,
};

FIXTURE_VARIANT_ADD(argument, vector_eventfd) {
	.cmd = IVSHMEM_VECTOR_EVENTFD,
	.size = sizeof(struct ivshmem_vector_eventfd),
	.first = 16,
};

FIXTURE_VARIANT_ADD(argument, vector_mask) {
	.cmd = IVSHMEM_VECTOR_MASK,
	.size = sizeof(struct ivshmem_vector_mask),
	.first = 16,
};

FIXTURE_VARIANT_ADD(argument, vector_stats) {
	.cmd = IVSHMEM_VECTOR_STATS,
	.size = sizeof(struct ivshmem_vector_stats),
	.first = 48,
	.reply = true,
};

FIXTURE_VARIANT_ADD(argument, wait) {
	.cmd = IVSHMEM_WAIT,
	.size = sizeof(struct ivshmem_wait),
	.first = 48,
	.reply = true,
};

FIXTURE_SETUP(argument)
{
	self->page = getpagesize();
	self->fd = open(doorbell_node(), O_RDWR);
	ASSERT_LE(0, self->fd);
	self->efd = new_eventfd();
	ASSERT_LE(0, self->efd);
	self->memory = low_pages(3);
	ASSERT_NE(MAP_FAILED, self->memory);
	ASSERT_EQ(0, mprotect(self->memory + 2 * self->page, self->page,
			      PROT_NONE));
}

FIXTURE_TEARDOWN(argument)
{
	close(self->efd);
	close(self->fd);
}

/* A valid argument that says it is size bytes long, at where. */
static void *valid(const FIXTURE_DATA(argument) *self,
		   const FIXTURE_VARIANT(argument) *variant, void *where,
		   __u32 size)
{
	struct ivshmem_info info = { .size = size };
	struct ivshmem_vector_eventfd bind = {
		.size = size,
		.eventfd = self->efd,
	};
	struct ivshmem_wait wait = {
		.size = size,
		.timeout_ns = LIMIT_MS * 1000000LL,
		.vectors = { 1 },
	};

	/* Of the others, the same: flags, peer, vector and mode 0. */
	if (variant->cmd == IVSHMEM_VECTOR_EVENTFD)
		memcpy(where, &bind, sizeof(bind));
	else if (variant->cmd == IVSHMEM_WAIT && !ring_self(self->fd, 0))
		memcpy(where, &wait, sizeof(wait));
	else
		memcpy(where, &info, variant->size);
	return where;
}

TEST_F(argument, of_the_right_size_is_taken)
{
	void *arg = valid(self, variant, self->memory, variant->size);

	EXPECT_EQ(0, caller_ioctl(self->fd, variant->cmd, arg));
}

TEST_F(argument, needs_no_alignment)
{
	for (int shift = 1; shift < 8; shift++) {
		void *arg = valid(self, variant, self->memory + shift,
				  variant->size);

		EXPECT_EQ(0, caller_ioctl(self->fd, variant->cmd, arg));
	}
}

TEST_F(argument, at_the_end_of_memory_is_taken)
{
	void *arg = valid(self, variant, self->memory + 2 * self->page -
			  variant->size, variant->size);

	EXPECT_EQ(0, caller_ioctl(self->fd, variant->cmd, arg));
}

TEST_F(argument, of_every_shorter_size_is_einval)
{
	for (__u32 size = 0; size < variant->first; size++) {
		void *arg = valid(self, variant, self->memory, size);

		EXPECT_ERRNO(EINVAL, caller_ioctl(self->fd, variant->cmd, arg));
	}
}

TEST_F(argument, longer_with_zeros_is_taken)
{
	for (__u32 size = variant->size + 1; size <= self->page; size += 37) {
		void *arg = valid(self, variant, self->memory, size);

		EXPECT_EQ(0, caller_ioctl(self->fd, variant->cmd, arg));
	}
}

TEST_F(argument, of_a_whole_page_is_taken)
{
	void *arg = valid(self, variant, self->memory, self->page);

	EXPECT_EQ(0, caller_ioctl(self->fd, variant->cmd, arg));
}

TEST_F(argument, longer_with_a_byte_set_is_e2big)
{
	const __u32 size = variant->size + 24;

	for (__u32 at = variant->size; at < size; at++) {
		char *arg = valid(self, variant, self->memory, size);

		arg[at] = 1;
		EXPECT_ERRNO(E2BIG, caller_ioctl(self->fd, variant->cmd, arg));
		arg[at] = 0;
	}
}

TEST_F(argument, longer_than_a_page_is_e2big)
{
	const __u32 sizes[] = { self->page + 1, 2 * self->page, 0x10000,
				INT32_MAX, 0x80000000, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		void *arg = valid(self, variant, self->memory, sizes[i]);

		EXPECT_ERRNO(E2BIG, caller_ioctl(self->fd, variant->cmd, arg));
	}
}

TEST_F(argument, with_any_flag_is_eopnotsupp)
{
	for (int bit = 0; bit < 32; bit++) {
		struct ivshmem_ring *arg = valid(self, variant, self->memory,
						 variant->size);

		arg->flags = 1u << bit;
		EXPECT_ERRNO(EOPNOTSUPP,
			     caller_ioctl(self->fd, variant->cmd, arg));
	}
}

TEST_F(argument, at_null_is_efault)
{
	EXPECT_ERRNO(EFAULT, caller_ioctl(self->fd, variant->cmd, NULL));
}

TEST_F(argument, in_untouchable_memory_is_efault)
{
	EXPECT_ERRNO(EFAULT, caller_ioctl(self->fd, variant->cmd,
					  self->memory + 2 * self->page));
}

TEST_F(argument, cut_off_after_each_byte_is_efault)
{
	for (size_t len = 1; len < variant->size; len++) {
		struct ivshmem_vector_eventfd whole[4];
		char *arg = self->memory + 2 * self->page - len;

		valid(self, variant, whole, variant->size);
		memcpy(arg, whole, len);
		EXPECT_ERRNO(EFAULT,
			     caller_ioctl(self->fd, variant->cmd, arg));
	}
}

TEST_F(argument, whose_zeros_are_cut_off_is_efault)
{
	void *arg = valid(self, variant, self->memory + 2 * self->page -
			  variant->size - 8, variant->size + 16);

	EXPECT_ERRNO(EFAULT, caller_ioctl(self->fd, variant->cmd, arg));
}

TEST_F(argument, in_read_only_memory_is_efault_only_for_a_reply)
{
	void *arg = valid(self, variant, self->memory, variant->size);

	ASSERT_EQ(0, mprotect(self->memory, self->page, PROT_READ));
	if (variant->reply)
		EXPECT_ERRNO(EFAULT, caller_ioctl(self->fd, variant->cmd, arg));
	else
		EXPECT_EQ(0, caller_ioctl(self->fd, variant->cmd, arg));
}

#ifndef COMPAT_CALLER
TEST_F(argument, in_the_kernel_is_efault)
{
	const unsigned long addresses[] = { ~(-1UL >> 1), -1UL, -8UL, -4096UL };

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
		EXPECT_ERRNO(EFAULT, caller_ioctl(self->fd, variant->cmd,
						  (void *)addresses[i]));
}
#endif

TEST_F(argument, is_left_alone_beyond_the_known_struct)
{
	const size_t rest = self->page - variant->size;
	char *arg = valid(self, variant, self->memory, self->page);

	ASSERT_EQ(0, caller_ioctl(self->fd, variant->cmd, arg));
	for (size_t i = 0; i < rest; i++)
		ASSERT_EQ(0, arg[variant->size + i]);
	EXPECT_EQ(self->page, *(__u32 *)arg);
}

/* --- the ioctls that are not there ----------------------------------------- */

FIXTURE(number) {
	int fd;
	struct ivshmem_ring *arg;
};

FIXTURE_SETUP(number)
{
	self->fd = open(doorbell_node(), O_RDWR);
	ASSERT_LE(0, self->fd);
	self->arg = low_pages(1);
	ASSERT_NE(MAP_FAILED, self->arg);
	self->arg->size = sizeof(*self->arg);
}

FIXTURE_TEARDOWN(number)
{
	close(self->fd);
}

TEST_F(number, not_in_the_table_is_enotty)
{
	for (unsigned int nr = 7; nr <= 0xff; nr++)
			EXPECT_ERRNO(ENOTTY,
			     caller_ioctl(self->fd, _IO(IVSHMEM_IOC_TYPE, nr),
					  self->arg));
}

TEST_F(number, of_another_type_is_enotty)
{
	for (unsigned int nr = 0; nr < 3; nr++)
		EXPECT_ERRNO(ENOTTY, caller_ioctl(self->fd, _IO('y', nr),
						  self->arg));
}

TEST_F(number, with_a_direction_or_size_is_enotty)
{
	const unsigned int numbers[] = {
		_IOW(IVSHMEM_IOC_TYPE, 1, struct ivshmem_ring),
		_IOR(IVSHMEM_IOC_TYPE, 1, struct ivshmem_ring),
		_IOC(_IOC_NONE, IVSHMEM_IOC_TYPE, 1, 16),
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		EXPECT_ERRNO(ENOTTY, caller_ioctl(self->fd, numbers[i],
						  self->arg));
}

TEST_HARNESS_MAIN
