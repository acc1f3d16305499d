// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The page table entries of a mapping, as the processor sees them: they have
 * the attribute and the size that the driver reports, the rights of the
 * mapping, and the right addresses, whatever was done to the mapping before.
 * Needs the test module ivshmem_pagewalk.
 */
#include <sys/prctl.h>

#include "mapping.h"
#include "pagewalk.h"
#include "sysfs.h"

#if !defined(__x86_64__) && !defined(__aarch64__)
int main(void)
{
	puts("1..0 # SKIP page table entries are read on x86-64 and arm64 only");
	return KSFT_SKIP;
}
#else

#define HUGE (2 * MIB)

FIXTURE(pages) {
	int walker;
	int fd;
	const char *node;
	struct ivshmem_info info;
	size_t size;
	size_t largest;		/* page_size in sysfs */
	__u64 phys;
	char *memory;
};

FIXTURE_VARIANT(pages) {
	const char *(*node)(void);
};

FIXTURE_VARIANT_ADD(pages, doorbell) {
	.node = doorbell_node,
};

FIXTURE_VARIANT_ADD(pages, plain) {
	.node = plain_node,
};

/* The physical address of BAR2, from the third line of sysfs' resource. */
static __u64 bar2_phys(const char *node)
{
	char path[PATH_MAX], line[128] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/ivshmem/%s/device/resource",
		 base_of(node));
	file = fopen(path, "r");
	for (int i = 0; file && i < 3; i++)
		if (!fgets(line, sizeof(line), file))
			line[0] = '\0';
	if (file)
		fclose(file);
	return strtoull(line, NULL, 16);
}

FIXTURE_SETUP(pages)
{
	self->walker = pagewalk_open();
	if (self->walker < 0)
		SKIP(return, "the test module ivshmem_pagewalk is not loaded");
	self->node = variant->node();
	self->fd = open(self->node, O_RDWR);
	ASSERT_EQ(0, get_info(self->fd, &self->info));
	self->size = self->info.shmem_size;
	self->largest = sysfs_number(self->node, "page_size");
	self->phys = bar2_phys(self->node);
	ASSERT_NE(0, self->phys);
	self->memory = map(self->fd, 0, self->size);
	ASSERT_NE(MAP_FAILED, self->memory);
	catch_access_signals();
}

FIXTURE_TEARDOWN(pages)
{
	munmap(self->memory, self->size);
	close(self->fd);
	close(self->walker);
}

/* NULL, or what is wrong with the entries of a range that shows offset on. */
static const char *wrong_entries(FIXTURE_DATA(pages) *self, char *memory,
				 size_t size, size_t offset, bool writable)
{
	struct pagewalk walk;

	for (size_t at = 0; at < size; at += getpagesize()) {
		if (touch(memory + at))
			return "a page cannot be touched";
		if (pagewalk_read(self->walker, memory + at, &walk))
			return "the walker fails";
		if (!walk.entry)
			return "a touched page is not mapped";
		if (pagewalk_attr(&walk) != self->info.page_attr)
			return "an entry is not of the attribute in INFO";
		if (walk.size > self->largest)
			return "an entry is larger than page_size";
		if (pagewalk_is_writable(&walk) != writable)
			return "an entry has other rights than its mapping";
		if (pagewalk_is_executable(&walk))
			return "an entry is executable";
		if (pagewalk_phys(&walk, memory + at) !=
		    self->phys + offset + at)
			return "an entry maps another address";
	}
	return NULL;
}

#define EXPECT_ENTRIES(memory, size, offset, writable) do { \
	const char *wrong = wrong_entries(self, memory, size, offset, \
					  writable); \
	EXPECT_EQ(NULL, wrong) TH_LOG("%s", wrong); \
} while (0)

TEST_F(pages, of_the_whole_memory_are_as_reported)
{
	EXPECT_ENTRIES(self->memory, self->size, 0, true);
}

TEST_F(pages, are_as_large_as_reported_where_the_mapping_spans_them)
{
	struct pagewalk walk;

	ASSERT_EQ(0, touch(self->memory));
	ASSERT_EQ(0, pagewalk_read(self->walker, self->memory, &walk));
	EXPECT_EQ(self->largest, walk.size);
	EXPECT_EQ(0, (unsigned long)self->memory % self->largest);
}

TEST_F(pages, read_first_are_writable_at_once)
{
	struct pagewalk walk;
	long before;

	ASSERT_EQ(0, touch(self->memory));
	ASSERT_EQ(0, pagewalk_read(self->walker, self->memory, &walk));
	EXPECT_TRUE(pagewalk_is_writable(&walk));
	/* What poke() itself needs is there then. */
	ASSERT_EQ(0, poke(&walk.size, 0));
	before = minor_faults();
	ASSERT_EQ(0, poke(self->memory, 1));
	EXPECT_EQ(before, minor_faults());
}

TEST_F(pages, of_a_part_that_no_large_page_fits_are_as_reported)
{
	const size_t page = getpagesize(), size = self->size - 2 * page;
	char *part = map(self->fd, page, size);

	ASSERT_NE(MAP_FAILED, part);
	EXPECT_ENTRIES(part, size, page, true);
	munmap(part, size);
}

TEST_F(pages, at_an_address_of_another_alignment_are_as_reported)
{
	const size_t page = getpagesize();
	char *room = mmap(NULL, self->size + HUGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = room + HUGE - (unsigned long)room % HUGE - page;

	at = at < room ? at + HUGE : at;
	ASSERT_EQ(at, mmap(at, self->size, RW, MAP_SHARED | MAP_FIXED, self->fd,
			   0));
	EXPECT_ENTRIES(at, self->size, 0, true);
	munmap(room, self->size + HUGE);
}

TEST_F(pages, of_a_read_only_mapping_are_read_only)
{
	char *memory = mmap(NULL, self->size, PROT_READ, MAP_SHARED, self->fd,
			    0);

	ASSERT_NE(MAP_FAILED, memory);
	EXPECT_ENTRIES(memory, self->size, 0, false);
	ASSERT_EQ(0, mprotect(memory, self->size, RW));
	EXPECT_EQ(0, poke(memory, 1));
	EXPECT_ENTRIES(memory, self->size, 0, true);
	munmap(memory, self->size);
}

TEST_F(pages, keep_their_attribute_through_mprotect)
{
	const size_t half = self->size / 2;

	EXPECT_ENTRIES(self->memory, self->size, 0, true);
	ASSERT_EQ(0, mprotect(self->memory + half, half, PROT_READ));
	EXPECT_ENTRIES(self->memory, half, 0, true);
	EXPECT_ENTRIES(self->memory + half, half, half, false);
}

TEST_F(pages, keep_their_attribute_through_mremap)
{
	const size_t page = getpagesize(), part = self->size / 2 + page;
	char *room = mmap(NULL, self->size, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *moved;

	EXPECT_ENTRIES(self->memory, self->size, 0, true);
	moved = mremap(self->memory, part, part, MREMAP_MAYMOVE | MREMAP_FIXED,
		       room + page);
	ASSERT_EQ(room + page, moved);
	EXPECT_ENTRIES(moved, part, 0, true);
	EXPECT_ENTRIES(self->memory + part, self->size - part, part, true);
	munmap(moved, part);
}

TEST_F(pages, keep_their_attribute_beside_a_hole)
{
	const size_t page = getpagesize(), at = self->size / 2 - page;
	struct pagewalk walk;

	EXPECT_ENTRIES(self->memory, self->size, 0, true);
	ASSERT_EQ(0, munmap(self->memory + at, page));
	EXPECT_ENTRIES(self->memory, at, 0, true);
	EXPECT_ENTRIES(self->memory + at + page, self->size - at - page,
		       at + page, true);
	ASSERT_EQ(0, pagewalk_read(self->walker, self->memory + at, &walk));
	EXPECT_EQ(0, walk.entry);
}

TEST_F(pages, of_a_child_are_as_reported)
{
	int status;
	pid_t pid;

	EXPECT_ENTRIES(self->memory, self->size / 2, 0, true);
	pid = fork();
	if (!pid) {
		const char *wrong = wrong_entries(self, self->memory, self->size,
						  0, true);

		if (wrong)
			ksft_print_msg("child: %s\n", wrong);
		_exit(wrong != NULL);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(pages, are_there_also_when_huge_pages_are_disabled)
{
	ASSERT_EQ(0, prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	EXPECT_ENTRIES(self->memory, self->size, 0, true);
	ASSERT_EQ(0, prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	EXPECT_ENTRIES(self->memory, self->size, 0, true);
}

TEST_F(pages, are_there_also_with_madv_nohugepage)
{
	/* Refused where the kernel has no huge pages, or not for this. */
	madvise(self->memory, self->size, MADV_NOHUGEPAGE);
	EXPECT_ENTRIES(self->memory, self->size, 0, true);
}

TEST_F(pages, are_gone_when_the_driver_is_unbound)
{
	struct pagewalk walk;
	char address[16];

	EXPECT_ENTRIES(self->memory, self->size, 0, true);
	ASSERT_TRUE(sysfs_address(self->node, address));
	ASSERT_EQ(0, driver_unbind(address));
	for (size_t at = 0; at < self->size; at += getpagesize()) {
		pagewalk_read(self->walker, self->memory + at, &walk);
		EXPECT_EQ(0, walk.entry);
	}
	EXPECT_EQ(SIGBUS, touch(self->memory));
	ASSERT_EQ(0, driver_bind(address));
}

TEST_HARNESS_MAIN
#endif
