// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rules of mmap(): which ranges and rights there are, and that the same
 * bytes are seen through every mapping. What may be done to a mapping later is
 * in remap.c, random walks in walk.c.
 */
#include <sys/utsname.h>

#include "mapping.h"

/* A 32-bit kernel has no such offsets, and does not ask the driver. */
static int no_offset(void)
{
	struct utsname name;

	return !uname(&name) && strstr(name.machine, "64") ? EINVAL : EOVERFLOW;
}

FIXTURE(mmap) {
	int fd;
	int read_only;
	size_t size;
	size_t page;
};

FIXTURE_VARIANT(mmap) {
	const char *(*node)(void);
};

FIXTURE_VARIANT_ADD(mmap, doorbell) {
	.node = doorbell_node,
};

FIXTURE_VARIANT_ADD(mmap, plain) {
	.node = plain_node,
};

FIXTURE_SETUP(mmap)
{
	catch_access_signals();
	self->page = getpagesize();
	self->fd = open(variant->node(), O_RDWR);
	self->read_only = open(variant->node(), O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->read_only);
	self->size = shmem_size(self->fd);
	ASSERT_LE(16 * self->page, self->size);
}

FIXTURE_TEARDOWN(mmap)
{
	close(self->read_only);
	close(self->fd);
}

/* Write at the start of each page what tells it from all others. */
static void tag_pages(char *memory, size_t size, __u64 salt)
{
	for (size_t at = 0; at < size; at += getpagesize())
		*(volatile __u64 *)(memory + at) = salt ^ at;
}

/* --- ranges -------------------------------------------------------------------- */

TEST_F(mmap, of_the_whole_memory_can_be_read_and_written)
{
	__u64 *memory = map(self->fd, 0, self->size);
	const size_t words = self->size / sizeof(*memory);

	ASSERT_NE(MAP_FAILED, memory);
	for (size_t i = 0; i < words; i++)
		memory[i] = i * 0x9e3779b97f4a7c15;
	for (size_t i = 0; i < words; i++)
		ASSERT_EQ(i * 0x9e3779b97f4a7c15, memory[i]);
}

TEST_F(mmap, of_each_range_succeeds_if_the_range_exists)
{
	const size_t pages = self->size / self->page;
	const size_t some[] = { 0, 1, 2, pages / 2, pages - 1, pages, pages + 1,
				2 * pages };

	for (size_t i = 0; i < ARRAY_SIZE(some); i++) {
		for (size_t k = 1; k < ARRAY_SIZE(some); k++) {
			bool exists = some[i] + some[k] <= pages;
			size_t length = some[k] * self->page;
			void *memory = map(self->fd, some[i] * self->page,
					   length);

			ASSERT_EQ(exists, memory != MAP_FAILED)
				TH_LOG("page %zu, %zu pages", some[i], some[k]);
			if (exists)
				munmap(memory, length);
			else
				EXPECT_EQ(EINVAL, errno);
		}
	}
}

TEST_F(mmap, of_part_of_a_page_gives_the_page)
{
	char *room = mmap(NULL, 2 * self->page, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *memory = mmap(room, 1, RW, MAP_SHARED | MAP_FIXED, self->fd,
			    self->size - self->page);

	ASSERT_NE(MAP_FAILED, memory);
	EXPECT_EQ(0, touch(memory + self->page - 8));
	EXPECT_EQ(SIGSEGV, touch(memory + self->page));
}

TEST_F(mmap, one_byte_past_the_end_is_einval)
{
	EXPECT_MAP_ERRNO(EINVAL, map(self->fd, 0, self->size + 1));
	EXPECT_MAP_ERRNO(EINVAL, map(self->fd, self->size, 1));
}

TEST_F(mmap, at_an_offset_that_overflows_fails)
{
	const __u64 page = self->page;
	const __u64 offsets[] = {
		1ULL << 32, 1ULL << 52, INT64_MAX & -page, 1ULL << 63,
		-page, -2 * page, -(__u64)self->size, (1ULL << 63) + page,
	};

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		const size_t lengths[] = { page, 2 * page, self->size };

		for (size_t k = 0; k < ARRAY_SIZE(lengths); k++) {
			void *memory = map_raw(self->fd, offsets[i], lengths[k]);

			EXPECT_EQ(MAP_FAILED, memory)
				TH_LOG("offset %llx", offsets[i]);
			/* EOVERFLOW is said by the kernel before it asks us. */
			EXPECT_TRUE(errno == EINVAL || errno == EOVERFLOW);
		}
	}
}

/* Where they are if the administrator allows it, see registers.c. */
TEST_F(mmap, at_an_offset_inside_a_page_is_einval)
{
	EXPECT_MAP_ERRNO(EINVAL, map(self->fd, 1, self->page));
	EXPECT_MAP_ERRNO(EINVAL, map(self->fd, self->page / 2, self->page));
}

TEST_F(mmap, at_each_offset_shows_the_bytes_there)
{
	char *whole = map(self->fd, 0, self->size);

	ASSERT_NE(MAP_FAILED, whole);
	tag_pages(whole, self->size, 0x1111);
	for (size_t at = 0; at < self->size; at += self->page) {
		__u64 *page = map(self->fd, at, self->page);

		ASSERT_NE(MAP_FAILED, page);
		EXPECT_EQ(0x1111 ^ at, *page);
		munmap(page, self->page);
	}
}

TEST_F(mmap, between_others_leaves_these_alone)
{
	const size_t window = 2 * MIB, at = window - 3 * self->page;
	char *area = mmap(NULL, 2 * window, RW, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	char *memory;

	ASSERT_NE(MAP_FAILED, area);
	tag_pages(area, 2 * window, 0x2222);
	/* Across the end of a page table, anonymous memory on both sides. */
	memory = mmap(area + at, 6 * self->page, RW, MAP_SHARED | MAP_FIXED,
		      self->fd, self->page);
	ASSERT_EQ(area + at, memory);
	tag_pages(memory, 6 * self->page, 0x3333);
	for (size_t i = 0; i < 2 * window; i += self->page) {
		__u64 want = i >= at && i < at + 6 * self->page ?
			     0x3333 ^ (i - at) : 0x2222 ^ i;

		ASSERT_EQ(want, *(__u64 *)(area + i));
	}
}

/* --- rights -------------------------------------------------------------------- */

TEST_F(mmap, private_is_einval)
{
	EXPECT_MAP_ERRNO(EINVAL, mmap(NULL, self->page, RW, MAP_PRIVATE,
				      self->fd, 0));
	EXPECT_MAP_ERRNO(EINVAL, mmap(NULL, self->page, PROT_READ, MAP_PRIVATE,
				      self->read_only, 0));
}

TEST_F(mmap, executable_is_eperm)
{
	EXPECT_MAP_ERRNO(EPERM, mmap(NULL, self->page, PROT_READ | PROT_EXEC,
				     MAP_SHARED, self->fd, 0));
	EXPECT_MAP_ERRNO(EPERM, mmap(NULL, self->page, PROT_READ | PROT_EXEC,
				     MAP_SHARED, self->read_only, 0));
}

TEST_F(mmap, made_executable_later_is_eacces)
{
	void *memory = map(self->fd, 0, self->page);

	ASSERT_NE(MAP_FAILED, memory);
	EXPECT_ERRNO(EACCES, mprotect(memory, self->page, RW | PROT_EXEC));
	EXPECT_ERRNO(EACCES, mprotect(memory, self->page, PROT_EXEC));
	EXPECT_EQ(0, poke(memory, 1));
}

TEST_F(mmap, writable_of_a_read_only_file_is_eacces)
{
	EXPECT_MAP_ERRNO(EACCES, map(self->read_only, 0, self->page));
}

TEST_F(mmap, made_writable_later_of_a_read_only_file_is_eacces)
{
	void *memory = mmap(NULL, self->page, PROT_READ, MAP_SHARED,
			    self->read_only, 0);

	ASSERT_NE(MAP_FAILED, memory);
	EXPECT_ERRNO(EACCES, mprotect(memory, self->page, RW));
	EXPECT_EQ(SIGSEGV, poke(memory, 1));
}

TEST_F(mmap, of_a_read_only_file_shows_what_others_write)
{
	__u64 *shown = mmap(NULL, self->size, PROT_READ, MAP_SHARED,
			    self->read_only, 0);
	__u64 *memory = map(self->fd, 0, self->size);

	ASSERT_NE(MAP_FAILED, shown);
	ASSERT_NE(MAP_FAILED, memory);
	for (__u64 i = 0; i < 100; i++) {
		*(volatile __u64 *)memory = i;
		ASSERT_EQ(i, *(volatile __u64 *)shown);
	}
}

TEST_F(mmap, of_a_write_only_file_is_eacces)
{
	int fd = open(variant->node(), O_WRONLY);

	ASSERT_LE(0, fd);
	EXPECT_MAP_ERRNO(EACCES, mmap(NULL, self->page, PROT_WRITE, MAP_SHARED,
				      fd, 0));
	close(fd);
}

/* Where map_registers=1 puts them, with the status page before. */
TEST_F(mmap, of_the_registers_is_einval_unless_the_module_allows_it)
{
	const __u64 at = 1ULL << 43;
	struct ivshmem_info info;

	ASSERT_EQ(0, get_info(self->fd, &info));
	EXPECT_EQ(0, info.features & IVSHMEM_FEATURE_MAPPED_REGS);
	EXPECT_EQ(0, info.regs_offset);
	for (int i = -1; i <= 1; i++)
		EXPECT_MAP_ERRNO(no_offset(),
				 map_raw(self->fd, at + i * self->page,
					 self->page));
}

/* --- one memory ---------------------------------------------------------------- */

TEST_F(mmap, twice_shows_the_same_bytes)
{
	char *one = map(self->fd, 0, self->size);
	char *two = map(self->fd, 0, self->size);

	ASSERT_NE(MAP_FAILED, one);
	ASSERT_NE(MAP_FAILED, two);
	ASSERT_NE(one, two);
	tag_pages(one, self->size, 0x4444);
	EXPECT_EQ(0, memcmp(one, two, self->size));
	tag_pages(two, self->size, 0x5555);
	EXPECT_EQ(0, memcmp(one, two, self->size));
}

TEST_F(mmap, of_two_files_shows_the_same_bytes)
{
	int other = open(variant->node(), O_RDWR);
	char *one = map(self->fd, 0, self->size);
	char *two = map(other, 0, self->size);

	ASSERT_NE(MAP_FAILED, two);
	close(other);
	tag_pages(two, self->size, 0x6666);
	EXPECT_EQ(0, memcmp(one, two, self->size));
}

TEST_F(mmap, of_two_devices_shows_different_bytes)
{
	int fds[2] = { open(doorbell_node(), O_RDWR), open(plain_node(), O_RDWR) };
	__u64 *one = map(fds[0], 0, self->page);
	__u64 *two = map(fds[1], 0, self->page);

	ASSERT_NE(MAP_FAILED, one);
	ASSERT_NE(MAP_FAILED, two);
	*one = 0x7777;
	*two = 0x8888;
	EXPECT_EQ(0x7777, *(volatile __u64 *)one);
}

TEST_F(mmap, lives_on_when_the_file_is_closed)
{
	int fd = open(variant->node(), O_RDWR);
	char *memory = map(fd, 0, self->size);

	close(fd);
	EXPECT_EQ(0, poke(memory + self->size - 8, 0x9999));
}

TEST_F(mmap, keeps_its_bytes_when_nobody_maps_them)
{
	char *memory = map(self->fd, 0, self->size);

	tag_pages(memory, self->size, 0xaaaa);
	munmap(memory, self->size);
	memory = map(self->fd, 0, self->size);
	for (size_t at = 0; at < self->size; at += self->page)
		ASSERT_EQ(0xaaaa ^ at, *(__u64 *)(memory + at));
}

TEST_HARNESS_MAIN
