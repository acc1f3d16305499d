// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What may be done to a mapping that is there: mremap, partial munmap, fork,
 * many threads; how many faults it takes, and its flags in smaps.
 */
#include <stdio.h>

#include "mapping.h"

FIXTURE(remap) {
	int fd;
	size_t size;
	size_t page;
	char *memory;
	char *whole;	/* a second mapping, to look through */
};

FIXTURE_SETUP(remap)
{
	catch_access_signals();
	self->page = getpagesize();
	self->fd = open(plain_node(), O_RDWR);
	ASSERT_LE(0, self->fd);
	self->size = shmem_size(self->fd);
	ASSERT_LE(MIB, self->size);
	self->memory = map(self->fd, 0, self->size);
	self->whole = map(self->fd, 0, self->size);
	ASSERT_NE(MAP_FAILED, self->memory);
	ASSERT_NE(MAP_FAILED, self->whole);
	for (size_t at = 0; at < self->size; at += self->page)
		*(__u64 *)(self->whole + at) = 0x5a00 ^ at;
}

FIXTURE_TEARDOWN(remap)
{
	munmap(self->whole, self->size);
	close(self->fd);
}

static __u64 tag(size_t offset)
{
	return 0x5a00 ^ offset;
}

/* --- mremap --------------------------------------------------------------------- */

TEST_F(remap, grow_fails)
{
	char *half = map(self->fd, 0, self->size / 2);

	EXPECT_MAP_ERRNO(EFAULT, mremap(half, self->size / 2, self->size,
					MREMAP_MAYMOVE));
	EXPECT_MAP_ERRNO(EFAULT, mremap(self->memory, self->size,
					2 * self->size, MREMAP_MAYMOVE));
	EXPECT_EQ(0, touch(half));
	EXPECT_EQ(0, touch(self->memory + self->size - 8));
}

TEST_F(remap, grow_in_place_fails)
{
	char *half = map(self->fd, 0, self->size / 2);

	/* Make sure that it is not the room that is missing. */
	ASSERT_EQ(0, munmap(half + self->size / 4, self->size / 4));
	EXPECT_MAP_ERRNO(EFAULT, mremap(half, self->size / 4, self->size / 2,
					0));
	EXPECT_EQ(SIGSEGV, touch(half + self->size / 4));
}

TEST_F(remap, of_length_zero_fails)
{
	EXPECT_MAP_ERRNO(EFAULT, mremap(self->memory, 0, self->size,
					MREMAP_MAYMOVE));
}

TEST_F(remap, shrink_leaves_the_rest)
{
	ASSERT_EQ(0, touch(self->memory));
	ASSERT_EQ(self->memory, mremap(self->memory, self->size, self->page, 0));
	EXPECT_EQ(tag(0), *(__u64 *)self->memory);
	EXPECT_EQ(SIGSEGV, touch(self->memory + self->page));
}

/* Where self->memory is moved to. */
static char *move(FIXTURE_DATA(remap) *self)
{
	char *room = mmap(NULL, self->size, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mremap(self->memory, self->size, self->size,
		      MREMAP_MAYMOVE | MREMAP_FIXED, room);
}

TEST_F(remap, move_takes_the_bytes_along)
{
	char *moved;

	ASSERT_EQ(0, touch(self->memory));
	moved = move(self);
	ASSERT_NE(MAP_FAILED, moved);
	EXPECT_EQ(0, memcmp(moved, self->whole, self->size));
	EXPECT_EQ(SIGSEGV, touch(self->memory));
}

TEST_F(remap, move_before_any_touch_works)
{
	char *moved = move(self);

	ASSERT_NE(MAP_FAILED, moved);
	EXPECT_EQ(0, memcmp(moved, self->whole, self->size));
}

TEST_F(remap, move_of_a_part_keeps_its_offset)
{
	const size_t at = 17 * self->page, length = 5 * self->page;
	char *room = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	ASSERT_EQ(room, mremap(self->memory + at, length, length,
			       MREMAP_MAYMOVE | MREMAP_FIXED, room));
	EXPECT_EQ(0, memcmp(room, self->whole + at, length));
	EXPECT_EQ(SIGSEGV, touch(self->memory + at));
	EXPECT_EQ(tag(at - self->page),
		  *(__u64 *)(self->memory + at - self->page));
	EXPECT_EQ(tag(at + length), *(__u64 *)(self->memory + at + length));
}

/* --- munmap, mprotect, fork ------------------------------------------------------- */

TEST_F(remap, hole_leaves_both_sides)
{
	const size_t from = 30 * self->page, to = 33 * self->page;

	ASSERT_EQ(0, touch(self->memory));
	ASSERT_EQ(0, munmap(self->memory + from, to - from));
	EXPECT_EQ(SIGSEGV, touch(self->memory + from));
	EXPECT_EQ(SIGSEGV, touch(self->memory + to - 8));
	EXPECT_EQ(0, memcmp(self->memory, self->whole, from));
	EXPECT_EQ(0, memcmp(self->memory + to, self->whole + to,
			    self->size - to));
}

TEST_F(remap, hole_before_any_touch_leaves_both_sides)
{
	const size_t from = self->page, to = self->size - self->page;

	ASSERT_EQ(0, munmap(self->memory + from, to - from));
	EXPECT_EQ(tag(to), *(__u64 *)(self->memory + to));
	EXPECT_EQ(tag(0), *(__u64 *)self->memory);
	EXPECT_EQ(SIGSEGV, touch(self->memory + from));
}

TEST_F(remap, rights_can_be_taken_and_given_back)
{
	ASSERT_EQ(0, poke(self->memory, tag(0)));
	ASSERT_EQ(0, mprotect(self->memory, self->page, PROT_READ));
	EXPECT_EQ(0, touch(self->memory));
	EXPECT_EQ(SIGSEGV, poke(self->memory, 0));
	ASSERT_EQ(0, mprotect(self->memory, self->page, PROT_NONE));
	EXPECT_EQ(SIGSEGV, touch(self->memory));
	ASSERT_EQ(0, mprotect(self->memory, self->page, RW));
	EXPECT_EQ(0, poke(self->memory, tag(0)));
	EXPECT_EQ(tag(0), *(__u64 *)self->memory);
}

TEST_F(remap, read_only_first_can_be_written_later)
{
	char *memory = mmap(NULL, self->size, PROT_READ, MAP_SHARED, self->fd,
			    0);

	ASSERT_EQ(0, touch(memory));
	ASSERT_EQ(SIGSEGV, poke(memory, 1));
	ASSERT_EQ(0, mprotect(memory, self->size, RW));
	EXPECT_EQ(0, poke(memory, 0x1234));
	EXPECT_EQ(0x1234, *(volatile __u64 *)self->whole);
}

TEST_F(remap, child_shares_the_memory_both_ways)
{
	volatile __u64 *word = (void *)(self->memory + 5 * self->page);
	int status;
	pid_t pid;

	*word = 1;
	pid = fork();
	if (!pid) {
		bool seen = *word == 1;
		/* And a page that the parent never touched. */
		bool other = !poke(self->memory + 100 * self->page, 3);

		*word = 2;
		_exit(!seen || !other);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(2, *word);
	EXPECT_EQ(3, *(__u64 *)(self->whole + 100 * self->page));
}

TEST_F(remap, child_keeps_what_the_parent_unmaps)
{
	int go[2], status;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(go));
	pid = fork();
	if (!pid)
		_exit(read(go[0], &byte, 1) != 1 ||
		      memcmp(self->memory, self->whole, self->size));
	munmap(self->memory, self->size);
	close(self->fd);
	ASSERT_EQ(1, write(go[1], "", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* --- faults ----------------------------------------------------------------------- */

static long faults_of_touching(char *memory, size_t size, bool writing)
{
	long before = minor_faults();

	for (size_t at = 0; at < size; at += getpagesize()) {
		if (writing)
			*(volatile char *)(memory + at) = 1;
		else
			(void)*(volatile char *)(memory + at);
	}
	return minor_faults() - before;
}

/* Not so where the kernel writes the entries: it waits for the first write. */
#ifdef __arm__
#define NEEDS_WRITABLE_ENTRIES \
	SKIP(return, "on 32-bit arm each page faults when it is first written")
#else
#define NEEDS_WRITABLE_ENTRIES ((void)0)
#endif

TEST_F(remap, faults_when_read_once_for_2_mib)
{
	faults_of_touching(self->whole, self->size, false);
	EXPECT_GE(self->size / (2 * MIB) + 2,
		  faults_of_touching(self->memory, self->size, false));
}

TEST_F(remap, faults_when_written_once_for_2_mib)
{
	NEEDS_WRITABLE_ENTRIES;
	faults_of_touching(self->whole, self->size, true);
	EXPECT_GE(self->size / (2 * MIB) + 2,
		  faults_of_touching(self->memory, self->size, true));
}

TEST_F(remap, faults_no_more_when_written_after_a_read)
{
	NEEDS_WRITABLE_ENTRIES;
	faults_of_touching(self->memory, self->size, false);
	EXPECT_EQ(0, faults_of_touching(self->memory, self->size, true));
}

TEST_F(remap, may_be_populated_and_locked)
{
	const int flags = MAP_SHARED | MAP_POPULATE | MAP_LOCKED;
	char *memory = mmap(NULL, self->size, RW, flags, self->fd, 0);

	ASSERT_NE(MAP_FAILED, memory);
	EXPECT_EQ(0, memcmp(memory, self->whole, self->size));
	EXPECT_EQ(0, mlock(self->memory, self->size));
}

struct toucher {
	pthread_t thread;
	pthread_barrier_t *barrier;
	char *memory;
	size_t size, start;
	bool wrong;
};

static void *touch_all(void *data)
{
	struct toucher *t = data;

	pthread_barrier_wait(t->barrier);
	for (size_t i = 0; i < t->size; i += getpagesize()) {
		size_t at = (t->start + i) % t->size;

		if (*(volatile __u64 *)(t->memory + at) != tag(at))
			t->wrong = true;
	}
	return NULL;
}

TEST_F(remap, one_window_can_be_faulted_by_many_threads)
{
	for (int round = 0; round < 50; round++) {
		struct toucher touchers[8] = {};
		pthread_barrier_t barrier;
		char *memory = map(self->fd, 0, self->size);

		pthread_barrier_init(&barrier, NULL, 8);
		for (int i = 0; i < 8; i++) {
			touchers[i] = (struct toucher){
				.barrier = &barrier,
				.memory = memory,
				.size = self->size,
				.start = i * self->size / 8,
			};
			ASSERT_EQ(0, pthread_create(&touchers[i].thread, NULL,
						    touch_all, &touchers[i]));
		}
		for (int i = 0; i < 8; i++) {
			ASSERT_EQ(0, pthread_join(touchers[i].thread, NULL));
			EXPECT_FALSE(touchers[i].wrong);
		}
		munmap(memory, self->size);
	}
}

TEST_F(remap, smaps_says_pfn_no_expand_no_dump_and_no_exec)
{
	const char *kind = has_feature(self->fd, IVSHMEM_FEATURE_STRUCT_PAGES) ?
			   " mm" : " pf";
	char line[512], start[32], flags[512] = "";
	FILE *smaps = fopen("/proc/self/smaps", "r");
	bool ours = false;

	ASSERT_NE(NULL, smaps);
	snprintf(start, sizeof(start), "%lx-", (unsigned long)self->memory);
	while (!flags[0] && fgets(line, sizeof(line), smaps)) {
		ours |= !strncmp(line, start, strlen(start));
		if (ours && !strncmp(line, "VmFlags:", 8))
			strcpy(flags, line + 8);
	}
	fclose(smaps);
	flags[strcspn(flags, "\n")] = '\0';
	EXPECT_NE(NULL, strstr(flags, kind)) TH_LOG("%s", flags);
	EXPECT_NE(NULL, strstr(flags, " de")) TH_LOG("%s", flags);
	EXPECT_NE(NULL, strstr(flags, " dd")) TH_LOG("%s", flags);
	EXPECT_NE(NULL, strstr(flags, " sh")) TH_LOG("%s", flags);
	EXPECT_EQ(NULL, strstr(flags, " io")) TH_LOG("%s", flags);
	EXPECT_EQ(NULL, strstr(flags, " ex")) TH_LOG("%s", flags);
	EXPECT_EQ(NULL, strstr(flags, " me")) TH_LOG("%s", flags);
}

TEST_HARNESS_MAIN
