// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The directory of channels: made by several peers at once, joined, left and
 * joined again, with each of its errors. channel_ring.c tests the messages.
 */
#include "channel_memory.h"
#include "kselftest_harness.h"

FIXTURE(directory) {
	struct ivsh_shared_directory *memory;
	struct ivsh_directory *a;
};

FIXTURE_SETUP(directory)
{
	self->memory = memory_new(MEMORY_SIZE);
	ASSERT_NE(NULL, self->memory);
	self->a = ivsh_directory_open(self->memory, MEMORY_SIZE, "a", 0);
	ASSERT_NE(NULL, self->a);
}

FIXTURE_TEARDOWN(directory)
{
	ivsh_directory_close(self->a);
	munmap(self->memory, MEMORY_SIZE);
}

#define EXPECT_REFUSED(wanted, call) do { \
	errno = 0; \
	EXPECT_EQ(NULL, (call)); \
	EXPECT_EQ(wanted, errno); \
} while (0)

#define EXPECT_FAILS(wanted, call) do { \
	errno = 0; \
	EXPECT_EQ(-1, (call)); \
	EXPECT_EQ(wanted, errno); \
} while (0)

#define OPEN(name, flags) \
	ivsh_directory_open(self->memory, MEMORY_SIZE, name, flags)

TEST(memory_that_is_none_small_or_askew_is_einval)
{
	unsigned char *memory = memory_new(65536);

	EXPECT_REFUSED(EINVAL, ivsh_directory_open(NULL, 65536, "a", 0));
	EXPECT_REFUSED(EINVAL, ivsh_directory_open(memory, 32767, "a", 0));
	EXPECT_REFUSED(EINVAL, ivsh_directory_open(memory + 8, 65000, "a", 0));
	EXPECT_REFUSED(EINVAL, ivsh_directory_open(memory, 65536, "a", 2));
	EXPECT_FAILS(EINVAL, ivsh_directory_format(memory + 8, 65000));
}

TEST(name_that_is_none_is_einval)
{
	const char *names[] = { "", " ", "a b", "a/b", "ä", "a\n",
				"12345678901234567890123456789012" };
	void *memory = memory_new(65536);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		EXPECT_REFUSED(EINVAL, ivsh_directory_open(memory, 65536,
							names[i], 0));
	EXPECT_EQ(0, *(uint64_t *)memory);
}

TEST(observer_of_zeroed_memory_is_enoent_and_writes_nothing)
{
	static const char zeros[65536];
	void *memory = memory_new(65536);

	EXPECT_REFUSED(ENOENT, ivsh_directory_open(memory, 65536, NULL, 0));
	EXPECT_EQ(0, memcmp(memory, zeros, sizeof(zeros)));
}

TEST(memory_with_something_else_is_ebadmsg_until_it_is_formatted)
{
	unsigned char *memory = memory_new(65536);

	memset(memory, 'x', 65536);
	EXPECT_REFUSED(EBADMSG, ivsh_directory_open(memory, 65536, "a", 0));
	EXPECT_EQ(0, ivsh_directory_format(memory, 65536));
	EXPECT_NE(NULL, ivsh_directory_open(memory, 65536, "a", 0));
}

TEST_F(directory, of_a_later_version_is_eprotonosupport)
{
	word_store(&self->memory->version, 2ull << 48);
	EXPECT_REFUSED(EPROTONOSUPPORT, OPEN("b", 0));
	word_store(&self->memory->version, IVSH_VERSION | 1);
	EXPECT_REFUSED(EPROTONOSUPPORT, OPEN("b", 0));
	word_store(&self->memory->version, IVSH_VERSION | 7ull << 32);
	EXPECT_NE(NULL, OPEN("later.minor.is.fine", 0));
}

TEST_F(directory, mapped_smaller_than_it_is_is_einval)
{
	EXPECT_REFUSED(EINVAL, ivsh_directory_open(self->memory, MEMORY_SIZE / 2,
						"b", 0));
}

TEST_F(directory, with_a_size_that_none_has_is_ebadmsg)
{
	word_store(&self->memory->size, 4097);
	EXPECT_REFUSED(EBADMSG, OPEN("b", 0));
	word_store(&self->memory->size, 4096);
	EXPECT_REFUSED(EBADMSG, OPEN("b", 0));
}

TEST_F(directory, entry_beyond_the_end_is_ebadmsg)
{
	size_t size = 4096;

	word_store(&self->memory->entry[0],
		   (word_load(&self->memory->entry[0]) & ~0xffffffull) | 0xffffff);
	EXPECT_REFUSED(EBADMSG, OPEN("b", 0));
	EXPECT_REFUSED(EBADMSG, ivsh_directory_segment(self->a, "s", &size));
	EXPECT_REFUSED(EBADMSG, ivsh_directory_get_entry(self->a, 0));
}

/* Children that all make the same, in an order of their own. */
static void make_all(void *memory, int number)
{
	struct ivsh_directory *directory;
	char name[32];
	size_t size = 8192;

	snprintf(name, sizeof(name), "peer%d", number);
	directory = ivsh_directory_open(memory, MEMORY_SIZE, name, 0);
	if (!directory)
		_exit(1);
	for (int i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "segment%d", (i + number * 5) % 16);
		if (!ivsh_directory_segment(directory, name, &size) ||
		    size != 8192)
			_exit(2);
	}
	_exit(0);
}

TEST(made_by_eight_peers_at_once_has_each_name_once)
{
	struct ivsh_directory *observer;
	int status, bad = 0;

	for (int round = 0; round < 50; round++) {
		void *memory = memory_new(MEMORY_SIZE);

		for (int i = 0; i < 8; i++)
			if (!fork())
				make_all(memory, i);
		while (wait(&status) > 0)
			bad += status != 0;
		observer = ivsh_directory_open(memory, MEMORY_SIZE, NULL, 0);
		ASSERT_NE(NULL, observer);
		EXPECT_EQ(8 + 16, ivsh_directory_count(observer));
		ivsh_directory_close(observer);
		munmap(memory, MEMORY_SIZE);
	}
	EXPECT_EQ(0, bad);
}

static uint64_t field_of(struct ivsh_directory *directory, const char *name,
			 enum ivsh_entry_field field)
{
	for (size_t i = 0; i < ivsh_directory_count(directory); i++) {
		struct ivsh_entry *entry = ivsh_directory_get_entry(directory, i);
		bool found = !strcmp(ivsh_entry_name(entry), name);
		uint64_t value = ivsh_entry_get(entry, field);

		ivsh_entry_free(entry);
		if (found)
			return value;
	}
	return UINT64_MAX;
}

TEST_F(directory, peer_that_leaves_and_joins_has_the_next_generation)
{
	struct ivsh_directory *b = OPEN("b", 0);

	EXPECT_EQ(1, field_of(self->a, "b", IVSH_FIELD_GENERATION));
	EXPECT_EQ(1, field_of(self->a, "b", IVSH_FIELD_JOINED));
	ivsh_directory_close(b);
	EXPECT_EQ(0, field_of(self->a, "b", IVSH_FIELD_JOINED));
	b = OPEN("b", 0);
	EXPECT_EQ(2, field_of(self->a, "b", IVSH_FIELD_GENERATION));
	ivsh_directory_close(b);
}

static void *beat(void *directory)
{
	for (;;) {
		ivsh_directory_beat(directory);
		usleep(10000);
	}
	return NULL;
}

TEST_F(directory, name_with_a_heartbeat_is_ebusy)
{
	pid_t child = fork();

	if (!child)
		beat(self->a);
	EXPECT_REFUSED(EBUSY, OPEN("a", 0));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

TEST_F(directory, name_without_a_heartbeat_can_be_had_after_a_while)
{
	int64_t start = ivsh_now_ns();
	struct ivsh_directory *again = OPEN("a", 0);

	ASSERT_NE(NULL, again);
	EXPECT_LE(DEAD_NS, ivsh_now_ns() - start);
}

TEST_F(directory, name_taken_over_is_estale_for_the_former_peer)
{
	size_t size = 4096;

	ASSERT_NE(NULL, OPEN("a", IVSH_TAKE_OVER));
	EXPECT_REFUSED(ESTALE, ivsh_directory_segment(self->a, "s", &size));
	EXPECT_REFUSED(ESTALE, ivsh_channel_open(self->a, "c", IVSH_PRODUCER, 0,
					      0, 0));
}

TEST_F(directory, former_peer_does_not_end_the_membership_of_the_next)
{
	struct ivsh_directory *again = OPEN("a", IVSH_TAKE_OVER);

	ivsh_directory_close(self->a);
	EXPECT_EQ(1, field_of(again, "a", IVSH_FIELD_JOINED));
	self->a = again;
}

TEST_F(directory, segment_is_the_same_for_all_and_of_its_own)
{
	struct ivsh_directory *b = OPEN("b", 0);
	size_t size = 5000, same = 0, more = 4096;
	char *mine = ivsh_directory_segment(self->a, "s", &size);
	char *other = ivsh_directory_segment(self->a, "t", &more);

	EXPECT_EQ(8192, size);
	EXPECT_EQ(mine, ivsh_directory_segment(b, "s", &same));
	EXPECT_EQ(8192, same);
	EXPECT_EQ(mine + 8192, other);
	EXPECT_EQ((char *)self->memory + 0x5000, mine);
}

TEST_F(directory, segment_with_a_name_that_is_none_is_einval)
{
	size_t size = 4096;

	EXPECT_REFUSED(EINVAL, ivsh_directory_segment(self->a, "a/b", &size));
	EXPECT_REFUSED(EINVAL, ivsh_directory_segment(self->a, NULL, &size));
}

TEST_F(directory, segment_that_is_not_there_and_not_wanted_is_enoent)
{
	size_t size = 0;

	EXPECT_REFUSED(ENOENT, ivsh_directory_segment(self->a, "s", &size));
}

TEST_F(directory, segment_that_is_smaller_than_wanted_is_eexist)
{
	size_t size = 4096;

	ASSERT_NE(NULL, ivsh_directory_segment(self->a, "s", &size));
	size = 4097;
	EXPECT_REFUSED(EEXIST, ivsh_directory_segment(self->a, "s", &size));
}

TEST_F(directory, segment_without_a_byte_is_ebadmsg)
{
	size_t size = 0;

	word_store(&self->memory->entry[1],
		   ivsh_entry_word(IVSH_ENTRY_SEGMENT, "s", 0));
	EXPECT_REFUSED(EBADMSG, ivsh_directory_segment(self->a, "s", &size));
	size = 4096;
	EXPECT_REFUSED(EBADMSG, ivsh_directory_segment(self->a, "s", &size));
}

TEST_F(directory, segment_larger_than_the_room_is_enospc)
{
	size_t size = MEMORY_SIZE;

	EXPECT_REFUSED(ENOSPC, ivsh_directory_segment(self->a, "s", &size));
	size = SIZE_MAX;
	EXPECT_REFUSED(ENOSPC, ivsh_directory_segment(self->a, "s", &size));
	size = MEMORY_SIZE - 0x5000;
	EXPECT_NE(NULL, ivsh_directory_segment(self->a, "all", &size));
}

TEST_F(directory, entry_number_129_is_enospc)
{
	size_t size = 4096;
	char name[32];

	for (int i = 1; i < 128; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		ASSERT_NE(NULL, ivsh_directory_segment(self->a, name, &size));
	}
	EXPECT_REFUSED(ENOSPC, ivsh_directory_segment(self->a, "more", &size));
	EXPECT_EQ(128, ivsh_directory_count(self->a));
}

TEST_F(directory, name_that_its_maker_did_not_write_is_written_by_the_next)
{
	size_t size = 4096;
	uint64_t word = ivsh_entry_word(IVSH_ENTRY_SEGMENT, "s", 1);

	word_store(&self->memory->entry[1], word);
	EXPECT_NE(NULL, ivsh_directory_segment(self->a, "s", &size));
	EXPECT_EQ(4096, field_of(self->a, "s", IVSH_FIELD_SIZE));
}

TEST_F(directory, another_name_with_the_same_hash_is_eexist)
{
	struct ivsh_channel *channel;
	size_t size = 4096;

	ASSERT_NE(NULL, ivsh_directory_segment(self->a, "s", &size));
	word_store(&self->memory->record[1].name[0], 't');
	EXPECT_REFUSED(EEXIST, ivsh_directory_segment(self->a, "s", &size));
	channel = ivsh_channel_open(self->a, "c", IVSH_PRODUCER, 0, 0, 0);
	ASSERT_NE(NULL, channel);
	word_store(&self->memory->record[2].name[0], 'd');
	EXPECT_REFUSED(EEXIST, ivsh_channel_open(self->a, "c", IVSH_CONSUMER, 0,
						 0, 0));
	word_store(&self->memory->record[0].name[0], 'b');
	EXPECT_REFUSED(EEXIST, OPEN("a", IVSH_TAKE_OVER));
	ivsh_channel_close(channel);
}

TEST_F(directory, observer_can_look_and_nothing_else)
{
	struct ivsh_directory *observer = OPEN(NULL, 0);
	size_t size = 4096;

	ASSERT_NE(NULL, observer);
	EXPECT_EQ(1, ivsh_directory_count(observer));
	EXPECT_REFUSED(EOPNOTSUPP, ivsh_directory_segment(observer, "s", &size));
	EXPECT_REFUSED(EOPNOTSUPP, ivsh_channel_open(observer, "c", IVSH_PRODUCER,
						  0, 0, 0));
	ivsh_directory_close(observer);
	EXPECT_EQ(1, field_of(self->a, "a", IVSH_FIELD_JOINED));
}

TEST_F(directory, observer_may_map_it_read_only)
{
	struct ivsh_directory *observer;

	ASSERT_EQ(0, mprotect(self->memory, MEMORY_SIZE, PROT_READ));
	observer = OPEN(NULL, 0);
	ASSERT_NE(NULL, observer);
	EXPECT_EQ(1, ivsh_directory_count(observer));
	EXPECT_EQ(1, field_of(observer, "a", IVSH_FIELD_JOINED));
	ivsh_directory_close(observer);
	ASSERT_EQ(0, mprotect(self->memory, MEMORY_SIZE, PROT_READ | PROT_WRITE));
}

TEST_F(directory, entry_that_is_not_there_is_enoent)
{
	EXPECT_REFUSED(ENOENT, ivsh_directory_get_entry(self->a, 1));
	EXPECT_REFUSED(ENOENT, ivsh_directory_get_entry(self->a, SIZE_MAX));
}

TEST_F(directory, without_a_doorbell_has_no_file_descriptor)
{
	EXPECT_FAILS(EOPNOTSUPP, ivsh_directory_fd(self->a));
	EXPECT_FAILS(EOPNOTSUPP, ivsh_directory_clear(self->a));
}

TEST_F(directory, way_of_waiting_that_is_none_is_einval)
{
	EXPECT_FAILS(EINVAL, ivsh_directory_set_waiting(self->a, 3));
	EXPECT_REFUSED(EINVAL, ivsh_directory_wait(self->a, 0));
}

TEST_HARNESS_MAIN
