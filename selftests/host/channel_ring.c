// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages of a channel between two handles of one process: what arrives, each
 * error, ends that are taken over, and memory that a hostile peer has written.
 */
#include "channel_memory.h"
#include "kselftest_harness.h"

#define CAPACITY 4096u

/* Both ends of a channel, for all tests. */
struct pair {
	void *memory;
	struct ivsh_directory *a, *b;
	struct ivsh_channel *producer, *consumer;
};

static bool open_pair(struct pair *pair, size_t slot_size)
{
	pair->memory = memory_new(MEMORY_SIZE);
	pair->a = ivsh_directory_open(pair->memory, MEMORY_SIZE, "a", 0);
	pair->b = ivsh_directory_open(pair->memory, MEMORY_SIZE, "b", 0);
	pair->producer = ivsh_channel_open(pair->a, "c", IVSH_PRODUCER,
					   CAPACITY, slot_size, 0);
	pair->consumer = ivsh_channel_open(pair->b, "c", IVSH_CONSUMER,
					   CAPACITY, slot_size, 0);
	return pair->producer && pair->consumer;
}

static void close_pair(struct pair *pair)
{
	ivsh_channel_close(pair->producer);
	ivsh_channel_close(pair->consumer);
	ivsh_directory_close(pair->a);
	ivsh_directory_close(pair->b);
	munmap(pair->memory, MEMORY_SIZE);
}

FIXTURE(channel) {
	struct pair pair;
	unsigned char buffer[CAPACITY];
};

FIXTURE(records) {
	struct pair pair;
};

FIXTURE(slots) {
	struct pair pair;
};

FIXTURE_SETUP(records)
{
	ASSERT_TRUE(open_pair(&self->pair, 0));
}

FIXTURE_TEARDOWN(records)
{
	close_pair(&self->pair);
}

FIXTURE_SETUP(slots)
{
	ASSERT_TRUE(open_pair(&self->pair, 64));
}

FIXTURE_TEARDOWN(slots)
{
	close_pair(&self->pair);
}

FIXTURE_VARIANT(channel) {
	size_t slot_size;
};

FIXTURE_VARIANT_ADD(channel, of_records) {
	.slot_size = 0,
};

FIXTURE_VARIANT_ADD(channel, of_slots) {
	.slot_size = 64,
};

FIXTURE_SETUP(channel)
{
	ASSERT_TRUE(open_pair(&self->pair, variant->slot_size));
}

FIXTURE_TEARDOWN(channel)
{
	close_pair(&self->pair);
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

#define LENGTH(number) (variant->slot_size ? variant->slot_size : \
			message_length(number, 1000))

static int send_number(struct ivsh_channel *channel, size_t length,
		       uint64_t number)
{
	unsigned char message[CAPACITY];

	message_fill(message, length, number);
	return ivsh_channel_send(channel, message, length, 0);
}

/* The number of the next message, or -errno; or -EILSEQ when it is torn. */
static int64_t receive_number(struct ivsh_channel *channel)
{
	unsigned char message[CAPACITY];
	size_t length;

	if (ivsh_channel_receive(channel, message, sizeof(message), &length, 0))
		return -errno;
	return message_intact(message, length) ? (int64_t)message_number(message)
					       : -EILSEQ;
}

TEST_F(channel, carries_messages_whole_and_in_order_many_times_around)
{
	uint64_t sent = 0, received = 0;

	while (received < 20000) {
		while (!send_number(self->pair.producer, LENGTH(sent), sent))
			sent++;
		ASSERT_EQ(ETIMEDOUT, errno);
		while (received < sent) {
			ASSERT_EQ((int64_t)received,
				  receive_number(self->pair.consumer));
			received++;
		}
		EXPECT_EQ(-ETIMEDOUT, receive_number(self->pair.consumer));
	}
}

TEST_F(channel, shows_messages_when_they_are_flushed)
{
	size_t length;
	void *room = ivsh_channel_reserve(self->pair.producer, 64);

	ASSERT_NE(NULL, room);
	memset(room, 'x', 64);
	EXPECT_EQ(0, ivsh_channel_commit(self->pair.producer, 64));
	EXPECT_REFUSED(EAGAIN, ivsh_channel_peek(self->pair.consumer, &length));
	EXPECT_EQ(0, ivsh_channel_flush(self->pair.producer));
	EXPECT_NE(NULL, ivsh_channel_peek(self->pair.consumer, &length));
	EXPECT_EQ(64, length);
	EXPECT_EQ(0, ivsh_channel_release(self->pair.consumer));
}

TEST_F(channel, full_or_empty_is_eagain)
{
	size_t length;

	EXPECT_REFUSED(EAGAIN, ivsh_channel_peek(self->pair.consumer, &length));
	while (!send_number(self->pair.producer, 64, 1))
		;
	EXPECT_REFUSED(EAGAIN, ivsh_channel_reserve(self->pair.producer, 64));
	EXPECT_NE(NULL, ivsh_channel_peek(self->pair.consumer, &length));
}

TEST_F(channel, shows_an_eighth_without_a_flush)
{
	size_t length;

	for (int i = 0; i < 8; i++) {
		ASSERT_NE(NULL, ivsh_channel_reserve(self->pair.producer, 64));
		ASSERT_EQ(0, ivsh_channel_commit(self->pair.producer, 64));
	}
	EXPECT_NE(NULL, ivsh_channel_peek(self->pair.consumer, &length));
}

TEST_F(channel, peeked_twice_gives_the_same_message)
{
	size_t length;
	const void *first;

	ASSERT_EQ(0, send_number(self->pair.producer, 64, 1));
	first = ivsh_channel_peek(self->pair.consumer, &length);
	EXPECT_EQ(first, ivsh_channel_peek(self->pair.consumer, &length));
	EXPECT_EQ(0, ivsh_channel_release(self->pair.consumer));
	EXPECT_FAILS(EINVAL, ivsh_channel_release(self->pair.consumer));
}

TEST_F(channel, used_at_the_wrong_end_is_einval)
{
	size_t length;

	EXPECT_REFUSED(EINVAL, ivsh_channel_reserve(self->pair.consumer, 64));
	EXPECT_FAILS(EINVAL, ivsh_channel_commit(self->pair.consumer, 64));
	EXPECT_FAILS(EINVAL, ivsh_channel_send(self->pair.consumer, "x", 1, 0));
	EXPECT_REFUSED(EINVAL, ivsh_channel_peek(self->pair.producer, &length));
	EXPECT_FAILS(EINVAL, ivsh_channel_release(self->pair.producer));
	EXPECT_FAILS(EINVAL, ivsh_channel_receive(self->pair.producer, self->buffer,
						  1, &length, 0));
	EXPECT_FAILS(EINVAL, ivsh_channel_wait(self->pair.producer, -2));
	EXPECT_FAILS(EINVAL, ivsh_channel_send(self->pair.producer, "x", 1, -2));
}

TEST_F(channel, commit_of_more_than_was_reserved_is_einval)
{
	EXPECT_FAILS(EINVAL, ivsh_channel_commit(self->pair.producer, 64));
	ASSERT_NE(NULL, ivsh_channel_reserve(self->pair.producer, 64));
	EXPECT_FAILS(EINVAL, ivsh_channel_commit(self->pair.producer, 128));
	EXPECT_EQ(0, ivsh_channel_commit(self->pair.producer, 64));
	EXPECT_FAILS(EINVAL, ivsh_channel_commit(self->pair.producer, 64));
}

TEST_F(channel, message_longer_than_it_takes_is_emsgsize)
{
	size_t most = ivsh_channel_max_message(self->pair.producer);

	EXPECT_EQ(variant->slot_size ? 64 : CAPACITY / 2 - 8, most);
	EXPECT_REFUSED(EMSGSIZE, ivsh_channel_reserve(self->pair.producer, most + 1));
	EXPECT_REFUSED(EMSGSIZE, ivsh_channel_reserve(self->pair.producer, SIZE_MAX));
	EXPECT_NE(NULL, ivsh_channel_reserve(self->pair.producer, most));
}

TEST_F(channel, message_longer_than_the_buffer_is_emsgsize_and_stays)
{
	size_t length;

	ASSERT_EQ(0, send_number(self->pair.producer, 64, 5));
	EXPECT_FAILS(EMSGSIZE, ivsh_channel_receive(self->pair.consumer,
						    self->buffer, 63, &length,
						    0));
	EXPECT_EQ(64, length);
	EXPECT_EQ(5, receive_number(self->pair.consumer));
}

TEST_F(channel, many_messages_go_in_one_call)
{
	struct iovec out[8], in[10];
	unsigned char bytes[8][64], room[10][64];
	size_t sent, received;

	for (uint64_t i = 0; i < 8; i++) {
		message_fill(bytes[i], 64, i);
		out[i] = (struct iovec){ bytes[i], 64 };
	}
	for (int i = 0; i < 10; i++)
		in[i] = (struct iovec){ room[i], 64 };
	EXPECT_EQ(0, ivsh_channel_send_many(self->pair.producer, out, 8, 0, &sent));
	EXPECT_EQ(8, sent);
	EXPECT_EQ(0, ivsh_channel_receive_many(self->pair.consumer, in, 10, 0,
					       &received));
	EXPECT_EQ(8, received);
	EXPECT_EQ(0, memcmp(bytes, room, sizeof(bytes)));
	EXPECT_EQ(64, in[8].iov_len);
}

TEST_F(channel, many_messages_are_shown_and_given_back_an_eighth_at_a_time)
{
	uint64_t before = ivsh_channel_count(self->pair.consumer,
					     IVSH_COUNTER_PUBLISHED);
	struct iovec out[56], in[56];
	unsigned char room[56][64];
	size_t received;

	for (int i = 0; i < 56; i++) {
		out[i] = (struct iovec){ self->buffer, 64 };
		in[i] = (struct iovec){ room[i], 64 };
	}
	ASSERT_EQ(0, ivsh_channel_send_many(self->pair.producer, out, 56, 0, NULL));
	EXPECT_LE(7, ivsh_channel_count(self->pair.producer,
					IVSH_COUNTER_PUBLISHED));
	ASSERT_EQ(0, ivsh_channel_receive_many(self->pair.consumer, in, 56, 0,
					       &received));
	EXPECT_EQ(56, received);
	EXPECT_LE(before + 6, ivsh_channel_count(self->pair.consumer,
						 IVSH_COUNTER_PUBLISHED));
}

TEST_F(channel, message_that_was_peeked_and_then_received_cannot_be_released)
{
	size_t length;

	for (uint64_t i = 0; i < 3; i++)
		ASSERT_EQ(0, send_number(self->pair.producer, 64, i));
	ASSERT_NE(NULL, ivsh_channel_peek(self->pair.consumer, &length));
	EXPECT_EQ(0, receive_number(self->pair.consumer));
	EXPECT_FAILS(EINVAL, ivsh_channel_release(self->pair.consumer));
	EXPECT_EQ(1, receive_number(self->pair.consumer));
	EXPECT_EQ(2, receive_number(self->pair.consumer));
	EXPECT_EQ(-ETIMEDOUT, receive_number(self->pair.consumer));
}

TEST_F(channel, room_that_was_reserved_before_a_send_cannot_be_committed)
{
	ASSERT_EQ(0, send_number(self->pair.producer, 64, 0));
	ASSERT_NE(NULL, ivsh_channel_reserve(self->pair.producer, 64));
	ASSERT_EQ(0, send_number(self->pair.producer, 64, 1));
	EXPECT_FAILS(EINVAL, ivsh_channel_commit(self->pair.producer, 64));
	for (uint64_t i = 0; i < 2; i++)
		EXPECT_EQ(i, receive_number(self->pair.consumer));
	EXPECT_EQ(-ETIMEDOUT, receive_number(self->pair.consumer));
}

TEST_F(records, empty_message_needs_no_address)
{
	size_t length = 1;

	ASSERT_EQ(0, ivsh_channel_send(self->pair.producer, NULL, 0, 0));
	EXPECT_EQ(0, ivsh_channel_receive(self->pair.consumer, NULL, 0, &length, 0));
	EXPECT_EQ(0, length);
}

TEST_F(channel, many_messages_that_do_not_fit_go_as_far_as_they_do)
{
	struct iovec out[200];
	size_t sent = 0;

	for (int i = 0; i < 200; i++)
		out[i] = (struct iovec){ self->buffer, 64 };
	EXPECT_FAILS(ETIMEDOUT, ivsh_channel_send_many(self->pair.producer, out, 200,
						       0, &sent));
	EXPECT_EQ(variant->slot_size ? 64 : 56, sent);
}

/* Another one takes the producer's end when it has rung so many times. */
struct usurper {
	struct ivsh_shared_channel *shared;
	size_t rings;
};

static int usurp(void *context, uint32_t peer, uint32_t vector)
{
	struct usurper *usurper = context;
	struct ivsh_shared_end *end = usurper->shared->end;

	(void)peer;
	(void)vector;
	word_store(&end[IVSH_CONSUMER].sleep, IVSH_ASLEEP);
	if (!--usurper->rings)
		word_store(&end[IVSH_PRODUCER].index,
			   word_load(&end[IVSH_PRODUCER].index) + 1);
	return 0;
}

/* Each message is an eighth of the ring, so published on its own; in between
 * the ring's end is left out. */
TEST(many_that_ended_say_how_many_were_published)
{
	unsigned char message[600] = "";
	struct iovec out[5];
	struct pair pair;
	size_t sent;

	for (size_t i = 0; i < ARRAY_SIZE(out); i++)
		out[i] = (struct iovec){ message, sizeof(message) };
	for (size_t i = 1; i < ARRAY_SIZE(out); i++) {
		struct usurper usurper = { .rings = i };

		ASSERT_TRUE(open_pair(&pair, 0));
		for (int j = 0; j < 2; j++) {
			ASSERT_EQ(0, send_number(pair.producer, 600, j));
			ASSERT_EQ(j, receive_number(pair.consumer));
		}
		usurper.shared = pair.producer->shared;
		pair.a->wakeup.context = &usurper;
		pair.a->wakeup.ring = usurp;
		word_store(&pair.producer->other->sleep, IVSH_ASLEEP);
		EXPECT_FAILS(ESTALE, ivsh_channel_send_many(
			pair.producer, out, ARRAY_SIZE(out), 0, &sent));
		EXPECT_EQ(i, sent);
		close_pair(&pair);
	}
}

/* They are put into the ring, but nobody will ever see them. */
TEST_F(channel, many_sent_by_one_that_was_taken_over_are_none)
{
	unsigned char message[64] = "";
	struct iovec out[3];
	size_t sent = 7;

	for (size_t i = 0; i < ARRAY_SIZE(out); i++)
		out[i] = (struct iovec){ message, sizeof(message) };
	ASSERT_NE(NULL, ivsh_channel_reserve(self->pair.producer, 64));
	ASSERT_EQ(0, ivsh_channel_commit(self->pair.producer, 64));
	word_store(&self->pair.producer->own->index,
		   word_load(&self->pair.producer->own->index) + 1);
	EXPECT_FAILS(ESTALE, ivsh_channel_send_many(self->pair.producer, out,
						    ARRAY_SIZE(out), 0, &sent));
	EXPECT_EQ(0, sent);
}

TEST_F(channel, closed_by_its_producer_is_epipe_after_the_last_message)
{
	ASSERT_EQ(0, send_number(self->pair.producer, 64, 7));
	ivsh_channel_close(self->pair.producer);
	EXPECT_EQ(7, receive_number(self->pair.consumer));
	EXPECT_EQ(-EPIPE, receive_number(self->pair.consumer));
	self->pair.producer = ivsh_channel_open(self->pair.a, "c", IVSH_PRODUCER, 0,
					   variant->slot_size, 0);
	EXPECT_EQ(-ETIMEDOUT, receive_number(self->pair.consumer));
	ASSERT_EQ(0, send_number(self->pair.producer, 64, 8));
	EXPECT_EQ(8, receive_number(self->pair.consumer));
}

TEST_F(channel, closed_by_its_consumer_is_epipe_until_another_opens_it)
{
	ivsh_channel_close(self->pair.consumer);
	EXPECT_FAILS(EPIPE, send_number(self->pair.producer, 64, 1));
	/* There is room, but nobody would read what is put there. */
	EXPECT_FAILS(EPIPE, send_number(self->pair.producer, 64, 1));
	EXPECT_EQ(0, ivsh_channel_wait(self->pair.producer, 0));
	EXPECT_FAILS(EPIPE, send_number(self->pair.producer, 64, 1));
	self->pair.consumer = ivsh_channel_open(self->pair.b, "c", IVSH_CONSUMER, 0,
					   variant->slot_size, 0);
	EXPECT_EQ(0, send_number(self->pair.producer, 64, 2));
	EXPECT_EQ(2, receive_number(self->pair.consumer));
}

TEST_F(channel, that_is_open_is_ebusy)
{
	EXPECT_REFUSED(EBUSY, ivsh_channel_open(self->pair.b, "c", IVSH_PRODUCER, 0,
					     variant->slot_size, 0));
	EXPECT_REFUSED(EBUSY, ivsh_channel_open(self->pair.a, "c", IVSH_CONSUMER, 0,
					     variant->slot_size, 0));
}

TEST_F(channel, of_a_peer_that_joined_again_can_be_opened)
{
	struct ivsh_directory *again;

	ASSERT_EQ(0, send_number(self->pair.producer, 64, 1));
	again = ivsh_directory_open(self->pair.memory, MEMORY_SIZE, "a",
				    IVSH_TAKE_OVER);
	ASSERT_NE(NULL, again);
	EXPECT_NE(NULL, ivsh_channel_open(again, "c", IVSH_PRODUCER, 0,
					  variant->slot_size, 0));
}

TEST_F(channel, producer_that_is_taken_over_is_estale_and_sends_nothing)
{
	struct ivsh_channel *next;

	ASSERT_EQ(0, send_number(self->pair.producer, 64, 1));
	next = ivsh_channel_open(self->pair.b, "c", IVSH_PRODUCER, 0,
				 variant->slot_size, IVSH_TAKE_OVER);
	ASSERT_NE(NULL, next);
	EXPECT_FAILS(ESTALE, send_number(self->pair.producer, 64, 666));
	EXPECT_FAILS(ESTALE, send_number(self->pair.producer, 64, 666));
	ASSERT_EQ(0, send_number(next, 64, 2));
	EXPECT_EQ(1, receive_number(self->pair.consumer));
	EXPECT_EQ(2, receive_number(self->pair.consumer));
	EXPECT_EQ(-ETIMEDOUT, receive_number(self->pair.consumer));
	ivsh_channel_close(next);
}

TEST_F(channel, producer_that_is_taken_over_does_not_close_it)
{
	struct ivsh_channel *next;

	next = ivsh_channel_open(self->pair.b, "c", IVSH_PRODUCER, 0,
				 variant->slot_size, IVSH_TAKE_OVER);
	ivsh_channel_close(self->pair.producer);
	self->pair.producer = NULL;
	EXPECT_EQ(-ETIMEDOUT, receive_number(self->pair.consumer));
	ivsh_channel_close(next);
	EXPECT_EQ(-EPIPE, receive_number(self->pair.consumer));
}

TEST_F(channel, consumer_that_is_taken_over_is_estale_and_keeps_nothing)
{
	struct ivsh_channel *next;
	size_t length;

	ASSERT_EQ(0, send_number(self->pair.producer, 64, 1));
	ASSERT_NE(NULL, ivsh_channel_peek(self->pair.consumer, &length));
	next = ivsh_channel_open(self->pair.a, "c", IVSH_CONSUMER, 0,
				 variant->slot_size, IVSH_TAKE_OVER);
	ASSERT_NE(NULL, next);
	EXPECT_FAILS(ESTALE, ivsh_channel_release(self->pair.consumer));
	EXPECT_EQ(-ESTALE, receive_number(self->pair.consumer));
	EXPECT_EQ(1, receive_number(next));
	ivsh_channel_close(next);
}

TEST_F(channel, consumer_that_is_taken_over_takes_none_of_many)
{
	struct iovec in[8];
	unsigned char room[8][64];
	struct ivsh_channel *next;
	size_t received;

	for (uint64_t i = 0; i < 8; i++) {
		ASSERT_EQ(0, send_number(self->pair.producer, 64, i));
		in[i] = (struct iovec){ room[i], 64 };
	}
	EXPECT_EQ(0, receive_number(self->pair.consumer));
	next = ivsh_channel_open(self->pair.a, "c", IVSH_CONSUMER, 0,
				 variant->slot_size, IVSH_TAKE_OVER);
	ASSERT_NE(NULL, next);
	EXPECT_FAILS(ESTALE, ivsh_channel_receive_many(self->pair.consumer, in, 8,
						       0, &received));
	EXPECT_EQ(0, received);
	ivsh_channel_close(next);
}

/* A turn of the ring later, what they find makes no sense to them. */
TEST_F(channel, consumer_that_was_taken_over_long_ago_is_estale)
{
	struct ivsh_channel *next;

	next = ivsh_channel_open(self->pair.a, "c", IVSH_CONSUMER, 0,
				 variant->slot_size, IVSH_TAKE_OVER);
	ASSERT_NE(NULL, next);
	for (int64_t i = 0; i < 100; i++) {
		ASSERT_EQ(0, send_number(self->pair.producer, 64, i));
		ASSERT_EQ(i, receive_number(next));
	}
	EXPECT_EQ(-ESTALE, receive_number(self->pair.consumer));
	ivsh_channel_close(next);
}

TEST_F(channel, producer_that_was_taken_over_long_ago_is_estale)
{
	struct ivsh_channel *next;
	int64_t i = 0;

	while (!send_number(self->pair.producer, 64, i))
		i++;
	ASSERT_EQ(ETIMEDOUT, errno);
	next = ivsh_channel_open(self->pair.b, "c", IVSH_PRODUCER, 0,
				 variant->slot_size, IVSH_TAKE_OVER);
	ASSERT_NE(NULL, next);
	for (int64_t j = 0; j < i; j++)
		ASSERT_EQ(j, receive_number(self->pair.consumer));
	for (int64_t j = 0; j < 100; j++) {
		ASSERT_EQ(0, send_number(next, 64, j));
		ASSERT_EQ(j, receive_number(self->pair.consumer));
	}
	ASSERT_EQ(0, ivsh_channel_flush(self->pair.consumer));
	EXPECT_FAILS(ESTALE, send_number(self->pair.producer, 64, 666));
	ivsh_channel_close(next);
}

TEST_F(records, overwritten_since_another_took_the_end_are_estale)
{
	struct ivsh_channel *next;

	ASSERT_EQ(0, send_number(self->pair.producer, 64, 0));
	ASSERT_EQ(0, send_number(self->pair.producer, 64, 1));
	EXPECT_EQ(0, receive_number(self->pair.consumer));
	next = ivsh_channel_open(self->pair.a, "c", IVSH_CONSUMER, 0, 0,
				 IVSH_TAKE_OVER);
	ASSERT_NE(NULL, next);
	word_store((ivsh_word *)(next->data + 72), UINT64_MAX);
	EXPECT_EQ(-ESTALE, receive_number(self->pair.consumer));
	ivsh_channel_close(next);
}

TEST_F(channel, consumer_that_died_finds_what_it_did_not_acknowledge_again)
{
	for (uint64_t i = 0; i < 8; i++)
		ASSERT_EQ(0, send_number(self->pair.producer, 64, i));
	EXPECT_EQ(0, receive_number(self->pair.consumer));
	EXPECT_EQ(1, receive_number(self->pair.consumer));
	EXPECT_EQ(0, ivsh_channel_flush(self->pair.consumer));
	EXPECT_EQ(2, receive_number(self->pair.consumer));
	self->pair.consumer = ivsh_channel_open(self->pair.b, "c", IVSH_CONSUMER, 0,
					   variant->slot_size, IVSH_TAKE_OVER);
	EXPECT_EQ(2, receive_number(self->pair.consumer));
	EXPECT_EQ(3, receive_number(self->pair.consumer));
}

TEST_F(channel, of_another_slot_size_is_eexist)
{
	EXPECT_REFUSED(EEXIST, ivsh_channel_open(self->pair.a, "c", IVSH_CONSUMER, 0,
					      32, 0));
}

TEST_F(channel, argument_outside_its_range_is_einval)
{
	size_t bad_capacity[] = { 1, 4095, 2048, 12288, 1u << 31 };
	size_t bad_slot[] = { 1, 4, 12, 8192 };

	for (size_t i = 0; i < ARRAY_SIZE(bad_capacity); i++)
		EXPECT_REFUSED(EINVAL, ivsh_channel_open(self->pair.a, "d", IVSH_PRODUCER,
						      bad_capacity[i], 0, 0));
	for (size_t i = 0; i < ARRAY_SIZE(bad_slot); i++)
		EXPECT_REFUSED(EINVAL, ivsh_channel_open(self->pair.a, "d", IVSH_PRODUCER,
						      0, bad_slot[i], 0));
	EXPECT_REFUSED(EINVAL, ivsh_channel_open(self->pair.a, "d", 2, 0, 0, 0));
	EXPECT_REFUSED(EINVAL, ivsh_channel_open(self->pair.a, "d", IVSH_PRODUCER, 0,
					      0, 4));
	EXPECT_REFUSED(EINVAL, ivsh_channel_open(self->pair.a, "", IVSH_PRODUCER, 0,
					      0, 0));
	EXPECT_EQ(3, ivsh_directory_count(self->pair.a));
}

TEST_F(channel, default_is_one_mebibyte_or_what_fits)
{
	struct ivsh_channel *channel;
	size_t expected[] = { 1 << 20, 1 << 20, 1 << 20, 1 << 19, 1 << 18 };
	char name[] = "d0";

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++, name[1]++) {
		channel = ivsh_channel_open(self->pair.a, name, IVSH_PRODUCER, 0, 0,
					    0);
		ASSERT_NE(NULL, channel);
		EXPECT_EQ(expected[i], ivsh_channel_capacity(channel));
	}
}

TEST_F(channel, larger_than_the_room_is_enospc)
{
	EXPECT_REFUSED(ENOSPC, ivsh_channel_open(self->pair.a, "d", IVSH_PRODUCER,
					      MEMORY_SIZE, 0, 0));
}

TEST_F(channel, silence_ends_with_each_sign_of_life)
{
	struct ivsh_channel *lonely;

	EXPECT_EQ(0, ivsh_channel_peer_silence_ns(self->pair.consumer));
	EXPECT_LT(0, ivsh_channel_peer_silence_ns(self->pair.consumer));
	ivsh_directory_beat(self->pair.a);
	EXPECT_EQ(0, ivsh_channel_peer_silence_ns(self->pair.consumer));
	lonely = ivsh_channel_open(self->pair.a, "d", IVSH_CONSUMER, 4096, 0, 0);
	EXPECT_EQ(INT64_MAX, ivsh_channel_peer_silence_ns(lonely));
}

/* --- a hostile peer ------------------------------------------------------ */

#define HEAD (&self->pair.consumer->other->index)
#define TAIL (&self->pair.producer->other->index)

TEST_F(channel, head_further_than_the_ring_is_ebadmsg)
{
	uint64_t head = word_load(HEAD);

	word_store(HEAD, head + ((uint64_t)(CAPACITY + 8) << 16));
	EXPECT_EQ(-EBADMSG, receive_number(self->pair.consumer));
	word_store(HEAD, head);
	EXPECT_EQ(-EBADMSG, receive_number(self->pair.consumer));
}

TEST_F(channel, head_behind_the_tail_is_ebadmsg)
{
	word_store(HEAD, word_load(HEAD) - (8ull << 16));
	EXPECT_EQ(-EBADMSG, receive_number(self->pair.consumer));
}

TEST_F(channel, tail_beyond_the_head_is_ebadmsg)
{
	word_store(TAIL, word_load(TAIL) + (8ull << 16));
	EXPECT_FAILS(EBADMSG, send_number(self->pair.producer, 64, 1));
}

TEST_F(channel, own_index_that_someone_wrote_is_ebadmsg)
{
	word_store(HEAD, word_load(HEAD) + (8ull << 16));
	EXPECT_FAILS(EBADMSG, send_number(self->pair.producer, 64, 1));
}

TEST_F(channel, own_tail_that_someone_wrote_is_ebadmsg)
{
	ASSERT_EQ(0, send_number(self->pair.producer, 64, 1));
	word_store(TAIL, word_load(TAIL) + (8ull << 16));
	EXPECT_EQ(-EBADMSG, receive_number(self->pair.consumer));
}

TEST_F(channel, broken_one_leaves_the_others_working)
{
	struct ivsh_channel *p, *c;

	p = ivsh_channel_open(self->pair.a, "d", IVSH_PRODUCER, 4096, 0, 0);
	c = ivsh_channel_open(self->pair.b, "d", IVSH_CONSUMER, 4096, 0, 0);
	word_store(HEAD, UINT64_MAX);
	EXPECT_EQ(-EBADMSG, receive_number(self->pair.consumer));
	ASSERT_EQ(0, send_number(p, 64, 1));
	EXPECT_EQ(1, receive_number(c));
}

TEST_F(channel, opened_on_indices_that_make_no_sense_is_ebadmsg)
{
	ivsh_channel_close(self->pair.consumer);
	self->pair.consumer = NULL;
	word_store(TAIL, word_load(TAIL) + (1ull << 40));
	EXPECT_REFUSED(EBADMSG, ivsh_channel_open(self->pair.b, "c", IVSH_CONSUMER, 0,
					       variant->slot_size, 0));
}

/* Else what is written at the end of the ring would go beyond it. */
TEST_F(channel, producer_opened_inside_of_a_message_is_ebadmsg)
{
	ivsh_channel_close(self->pair.producer);
	self->pair.producer = NULL;
	for (int end = 0; end < 2; end++)
		word_store(&self->pair.consumer->shared->end[end].index,
			   (uint64_t)(CAPACITY - 4) << 16);
	EXPECT_REFUSED(EBADMSG, ivsh_channel_open(self->pair.a, "c", IVSH_PRODUCER, 0,
					       variant->slot_size, IVSH_TAKE_OVER));
}

TEST_F(channel, consumer_opened_inside_of_a_message_is_ebadmsg)
{
	ivsh_channel_close(self->pair.consumer);
	self->pair.consumer = NULL;
	for (int end = 0; end < 2; end++)
		word_store(&self->pair.producer->shared->end[end].index,
			   (uint64_t)(CAPACITY - 4) << 16);
	EXPECT_REFUSED(EBADMSG, ivsh_channel_open(self->pair.b, "c", IVSH_CONSUMER, 0,
					       variant->slot_size, IVSH_TAKE_OVER));
}

TEST_F(channel, consumer_that_resets_drops_all_messages_and_goes_on)
{
	word_store(TAIL, 1ull << 40);
	ivsh_channel_close(self->pair.consumer);
	self->pair.consumer = ivsh_channel_open(self->pair.b, "c", IVSH_CONSUMER, 0,
					   variant->slot_size,
					   IVSH_RESET | IVSH_TAKE_OVER);
	ASSERT_NE(NULL, self->pair.consumer);
	ASSERT_EQ(0, send_number(self->pair.producer, 64, 3));
	EXPECT_EQ(3, receive_number(self->pair.consumer));
}

TEST_F(channel, producer_that_resets_goes_on_where_the_consumer_is)
{
	word_store(HEAD, 1ull << 40);
	ivsh_channel_close(self->pair.producer);
	self->pair.producer = ivsh_channel_open(self->pair.a, "c", IVSH_PRODUCER, 0,
					   variant->slot_size,
					   IVSH_RESET | IVSH_TAKE_OVER);
	ASSERT_NE(NULL, self->pair.producer);
	ASSERT_EQ(0, send_number(self->pair.producer, 64, 3));
	EXPECT_EQ(3, receive_number(self->pair.consumer));
}

TEST_F(channel, producer_that_resets_keeps_messages_that_make_sense)
{
	ASSERT_EQ(0, send_number(self->pair.producer, 64, 3));
	ivsh_channel_close(self->pair.producer);
	self->pair.producer = ivsh_channel_open(self->pair.a, "c", IVSH_PRODUCER, 0,
					   variant->slot_size, IVSH_RESET);
	EXPECT_EQ(3, receive_number(self->pair.consumer));
}

static struct ivsh_channel *reset(struct ivsh_directory *directory,
				  enum ivsh_role role, size_t slot_size)
{
	return ivsh_channel_open(directory, "c", role, 0, slot_size,
				 IVSH_RESET | IVSH_TAKE_OVER);
}

/* Whichever end it is, and whoever comes first. */
TEST_F(channel, index_inside_of_a_message_is_mended_when_both_ends_reset)
{
	struct pair *pair = &self->pair;

	for (int i = 0; i < 4; i++) {
		bool consumer_first = i & 1;

		word_store(i & 2 ? HEAD : TAIL,
			   word_load(i & 2 ? HEAD : TAIL) + (4ull << 16));
		ivsh_channel_close(pair->producer);
		ivsh_channel_close(pair->consumer);
		pair->producer = pair->consumer = NULL;
		if (consumer_first)
			ivsh_channel_close(reset(pair->b, IVSH_CONSUMER,
						 variant->slot_size));
		ivsh_channel_close(reset(pair->a, IVSH_PRODUCER,
					 variant->slot_size));
		pair->consumer = reset(pair->b, IVSH_CONSUMER,
				       variant->slot_size);
		ASSERT_NE(NULL, pair->consumer);
		pair->producer = reset(pair->a, IVSH_PRODUCER,
				       variant->slot_size);
		ASSERT_NE(NULL, pair->producer);
		ASSERT_EQ(0, send_number(pair->producer, 64, i));
		ASSERT_EQ(i, receive_number(pair->consumer));
	}
}

TEST_F(records, length_that_no_record_has_is_ebadmsg)
{
	uint64_t bad[] = { 65, CAPACITY / 2 - 7, CAPACITY, IVSH_SKIP,
			   1ull << 32, UINT64_MAX, 1ull << 63 };
	ivsh_word *header = (ivsh_word *)self->pair.consumer->data;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		self->pair.consumer = ivsh_channel_open(
			self->pair.b, "c", IVSH_CONSUMER, 0, 0,
			IVSH_TAKE_OVER | IVSH_RESET);
		ASSERT_NE(NULL, self->pair.consumer);
		header = (ivsh_word *)(self->pair.consumer->data +
				       self->pair.consumer->position % CAPACITY);
		ASSERT_EQ(0, send_number(self->pair.producer, 64, 1));
		word_store(header, bad[i]);
		EXPECT_EQ(-EBADMSG, receive_number(self->pair.consumer))
			TH_LOG("length %#llx", (unsigned long long)bad[i]);
	}
}

/* It is full, and what it has not published yet it never will. */
TEST_F(records, producer_taken_over_while_it_waits_for_room_is_estale)
{
	struct ivsh_channel *producer = self->pair.producer;
	char message[40] = { 0 };

	while (ivsh_channel_reserve(producer, sizeof(message)))
		ASSERT_EQ(0, ivsh_channel_commit(producer, sizeof(message)));
	ASSERT_EQ(EAGAIN, errno);
	ASSERT_NE(word_load(HEAD) >> 16, producer->position);
	word_store(HEAD, word_load(HEAD) + 1);
	EXPECT_FAILS(ESTALE, ivsh_channel_send(producer, message,
					       sizeof(message), NSEC_PER_SEC));
}

TEST_F(records, skip_that_leads_to_nothing_is_ebadmsg)
{
	/* 8 bytes are published, and say that the message is at the start. */
	word_store((ivsh_word *)self->pair.consumer->data, IVSH_SKIP);
	word_store(HEAD, word_load(HEAD) + (8ull << 16));
	EXPECT_EQ(-EBADMSG, receive_number(self->pair.consumer));
}

/* The first of many is asked for, the others come with it. */
TEST_F(records, length_that_no_record_has_among_many_is_ebadmsg)
{
	static unsigned char room[4][2 * CAPACITY];
	struct iovec in[4];
	size_t received;

	for (uint64_t i = 0; i < 4; i++) {
		ASSERT_EQ(0, send_number(self->pair.producer, 56, i));
		in[i] = (struct iovec){ room[i], sizeof(room[i]) };
	}
	word_store((ivsh_word *)(self->pair.consumer->data + 128), CAPACITY + 8);
	EXPECT_FAILS(EBADMSG, ivsh_channel_receive_many(self->pair.consumer, in, 4,
							0, &received));
	EXPECT_EQ(2, received);
}

TEST_F(slots, part_of_a_slot_among_many_is_ebadmsg)
{
	unsigned char room[4][64];
	struct iovec in[4];
	size_t received;

	for (uint64_t i = 0; i < 4; i++)
		in[i] = (struct iovec){ room[i], 64 };
	ASSERT_EQ(0, send_number(self->pair.producer, 64, 0));
	ASSERT_EQ(0, send_number(self->pair.producer, 64, 1));
	word_store(HEAD, word_load(HEAD) + (8ull << 16));
	EXPECT_FAILS(EBADMSG, ivsh_channel_receive_many(self->pair.consumer, in, 4,
							0, &received));
	EXPECT_EQ(2, received);
}

TEST_F(slots, part_of_a_slot_is_ebadmsg)
{
	word_store(HEAD, word_load(HEAD) + (8ull << 16));
	EXPECT_EQ(-EBADMSG, receive_number(self->pair.consumer));
}

TEST_F(channel, geometry_that_is_none_is_ebadmsg)
{
	word_store(&self->pair.producer->shared->geometry, 7);
	EXPECT_REFUSED(EBADMSG, ivsh_channel_open(self->pair.a, "c", IVSH_CONSUMER, 0,
					       variant->slot_size, 0));
}

TEST_F(channel, entry_of_a_size_that_no_channel_has_is_ebadmsg)
{
	struct ivsh_shared_directory *shared = self->pair.memory;

	word_store(&shared->entry[2], (word_load(&shared->entry[2]) &
				       ~0xffffffull) | 4);
	EXPECT_REFUSED(EBADMSG, ivsh_channel_open(self->pair.a, "c", IVSH_CONSUMER, 0,
					       variant->slot_size,
					       IVSH_TAKE_OVER));
}

TEST_F(channel, position_goes_on_where_48_bits_end)
{
	uint64_t near_end = (0xffffffffffffull - 2 * CAPACITY + 1) << 16;

	for (int end = 0; end < 2; end++)
		word_store(&self->pair.producer->shared->end[end].index, near_end);
	ivsh_channel_close(self->pair.producer);
	ivsh_channel_close(self->pair.consumer);
	self->pair.producer = ivsh_channel_open(self->pair.a, "c", IVSH_PRODUCER, 0,
					   variant->slot_size, IVSH_TAKE_OVER);
	self->pair.consumer = ivsh_channel_open(self->pair.b, "c", IVSH_CONSUMER, 0,
					   variant->slot_size, IVSH_TAKE_OVER);
	ASSERT_NE(NULL, self->pair.producer);
	ASSERT_NE(NULL, self->pair.consumer);
	for (int64_t i = 0; i < 500; i++) {
		ASSERT_EQ(0, send_number(self->pair.producer, LENGTH(i), i));
		ASSERT_EQ(i, receive_number(self->pair.consumer));
	}
}

TEST_HARNESS_MAIN
