// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Waiting and waking between processes: with doorbells (eventfds) and without,
 * by epoll, and for many producers at once. Counts the doorbells too.
 */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/time.h>

#include "channel_memory.h"
#include "kselftest_harness.h"

#define SECOND NSEC_PER_SEC

FIXTURE(pair) {
	void *memory;
	struct bells bells;
	struct bell bell[2];
	struct ivsh_directory *a, *b;
	struct ivsh_channel *producer, *consumer;
};

FIXTURE_VARIANT(pair) {
	bool doorbell;
	enum ivsh_waiting waiting;
};

FIXTURE_VARIANT_ADD(pair, with_a_doorbell_sleeping) {
	.doorbell = true,
	.waiting = IVSH_WAIT_SLEEP,
};

FIXTURE_VARIANT_ADD(pair, with_a_doorbell_adaptive) {
	.doorbell = true,
	.waiting = IVSH_WAIT_ADAPTIVE,
};

FIXTURE_VARIANT_ADD(pair, without_a_doorbell) {
	.doorbell = false,
	.waiting = IVSH_WAIT_ADAPTIVE,
};

FIXTURE_VARIANT_ADD(pair, polling) {
	.doorbell = false,
	.waiting = IVSH_WAIT_POLL,
};

FIXTURE_SETUP(pair)
{
	self->memory = memory_new(MEMORY_SIZE);
	bells_open(&self->bells);
	self->a = ivsh_directory_open(self->memory, MEMORY_SIZE, "a", 0);
	self->b = ivsh_directory_open(self->memory, MEMORY_SIZE, "b", 0);
	ivsh_directory_set_waiting(self->a, variant->waiting);
	ivsh_directory_set_waiting(self->b, variant->waiting);
	if (variant->doorbell) {
		use_bell(self->a, &self->bell[0], &self->bells, 0);
		use_bell(self->b, &self->bell[1], &self->bells, 1);
	}
	self->producer = ivsh_channel_open(self->a, "c", IVSH_PRODUCER, 4096,
					   0, 0);
	self->consumer = ivsh_channel_open(self->b, "c", IVSH_CONSUMER, 4096,
					   0, 0);
	ASSERT_NE(NULL, self->producer);
	ASSERT_NE(NULL, self->consumer);
}

FIXTURE_TEARDOWN(pair)
{
	ivsh_channel_close(self->producer);
	ivsh_channel_close(self->consumer);
	ivsh_directory_close(self->a);
	ivsh_directory_close(self->b);
	bells_close(&self->bells);
	munmap(self->memory, MEMORY_SIZE);
}

struct stream {
	struct ivsh_channel *channel;
	uint64_t count;
	size_t most;
};

static void *send_stream(void *argument)
{
	struct stream *stream = argument;
	unsigned char message[2048];

	for (uint64_t i = 0; i < stream->count; i++) {
		size_t length = message_length(i, stream->most);

		message_fill(message, length, i);
		if (ivsh_channel_send(stream->channel, message, length,
				      60 * SECOND))
			return (void *)1;
	}
	return NULL;
}

/* How many came in order and whole. */
static uint64_t receive_stream(struct ivsh_channel *channel, uint64_t count)
{
	unsigned char message[2048];
	uint64_t i;
	size_t length;

	for (i = 0; i < count; i++) {
		if (ivsh_channel_receive(channel, message, sizeof(message),
					 &length, 60 * SECOND))
			break;
		if (message_number(message) != i ||
		    !message_intact(message, length))
			break;
	}
	return i;
}

TEST_F(pair, told_not_to_wait_does_not_spin)
{
	int64_t start, took, least = INT64_MAX;

	self->b->spin_ns = SECOND / 1000;
	for (int i = 0; i < 20; i++) {
		start = ivsh_now_ns();
		ASSERT_EQ(-1, ivsh_channel_wait(self->consumer, 0));
		took = ivsh_now_ns() - start;
		ASSERT_EQ(ETIMEDOUT, errno);
		least = took < least ? took : least;
	}
	EXPECT_GT(SECOND / 2000, least);
}

/* Two that poll on one processor wait for each other's time to run out. */
TEST_F_TIMEOUT(pair, carries_a_stream_through_a_small_ring, 300)
{
	struct stream stream = { self->producer, 5000, 1500 };
	pthread_t thread;
	void *failed;

	pthread_create(&thread, NULL, send_stream, &stream);
	EXPECT_EQ(stream.count, receive_stream(self->consumer, stream.count));
	pthread_join(thread, &failed);
	EXPECT_EQ(NULL, failed);
}

TEST_F(pair, waits_as_long_as_it_is_told)
{
	int64_t start = ivsh_now_ns();

	EXPECT_EQ(-1, ivsh_channel_wait(self->consumer, SECOND / 20));
	EXPECT_EQ(ETIMEDOUT, errno);
	EXPECT_LE(SECOND / 20, ivsh_now_ns() - start);
	EXPECT_EQ(-1, ivsh_channel_wait(self->consumer, 0));
	EXPECT_EQ(ETIMEDOUT, errno);
}

TEST_F(pair, idle_rings_nothing)
{
	for (int i = 0; i < 3; i++)
		ivsh_channel_wait(self->consumer, SECOND / 100);
	EXPECT_EQ(0, ivsh_channel_count(self->producer, IVSH_COUNTER_DOORBELLS));
	EXPECT_EQ(0, ivsh_channel_count(self->consumer, IVSH_COUNTER_DOORBELLS));
}

TEST_F(pair, messages_to_one_that_is_awake_ring_nothing)
{
	unsigned char message[64] = { 0 };
	size_t length;

	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(0, ivsh_channel_send(self->producer, message, 64, 0));
		ASSERT_EQ(0, ivsh_channel_receive(self->consumer, message, 64,
						  &length, 0));
	}
	EXPECT_EQ(0, ivsh_channel_count(self->producer, IVSH_COUNTER_DOORBELLS));
	EXPECT_EQ(0, ivsh_channel_count(self->consumer, IVSH_COUNTER_SLEEPS));
}

TEST_F(pair, producer_that_has_lacked_no_room_is_always_ready)
{
	size_t length;

	EXPECT_EQ(self->producer, ivsh_directory_wait(self->a, 0));
	while (!ivsh_channel_send(self->producer, "x", 1, 0))
		;
	EXPECT_EQ(NULL, ivsh_directory_wait(self->a, 0));
	while (ivsh_channel_peek(self->consumer, &length))
		EXPECT_EQ(0, ivsh_channel_release(self->consumer));
	EXPECT_EQ(self->producer, ivsh_directory_wait(self->a, 0));
}

TEST_F(pair, all_wait_as_long_as_they_are_told)
{
	int64_t start = ivsh_now_ns();

	errno = 0;
	EXPECT_EQ(NULL, ivsh_directory_wait(self->b, SECOND / 20));
	EXPECT_EQ(ETIMEDOUT, errno);
	EXPECT_LE(SECOND / 20, ivsh_now_ns() - start);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* One signal might come between two sleeps, and end none. */
static const struct itimerval often = {
	.it_value.tv_usec = 20000,
	.it_interval.tv_usec = 20000,
};

TEST_F(pair, interrupted_by_a_signal_is_eintr)
{
	struct sigaction action = { .sa_handler = on_alarm };

	/* Who polls does not enter the kernel, and does not notice. */
	bool polls = variant->waiting == IVSH_WAIT_POLL;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	EXPECT_EQ(-1, ivsh_channel_wait(self->consumer,
					(polls ? 2 : 20) * SECOND));
	EXPECT_EQ(polls ? ETIMEDOUT : EINTR, errno);
}

TEST_F(pair, all_interrupted_by_a_signal_is_eintr)
{
	struct sigaction action = { .sa_handler = on_alarm };
	bool polls = variant->waiting == IVSH_WAIT_POLL;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	EXPECT_EQ(NULL, ivsh_directory_wait(self->b, (polls ? 2 : 20) * SECOND));
	EXPECT_EQ(polls ? ETIMEDOUT : EINTR, errno);
}

static void *close_soon(void *channel)
{
	usleep(20000);
	ivsh_channel_close(channel);
	return NULL;
}

TEST_F(pair, sleeper_is_woken_when_the_other_side_closes)
{
	pthread_t thread;
	size_t length;
	char message[64];
	int64_t start = ivsh_now_ns();

	pthread_create(&thread, NULL, close_soon, self->producer);
	EXPECT_EQ(-1, ivsh_channel_receive(self->consumer, message, 64, &length,
					   30 * SECOND));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_GT(30 * SECOND, ivsh_now_ns() - start);
	pthread_join(thread, NULL);
	self->producer = NULL;
}

TEST_F(pair, epoll_tells_of_messages_once_armed)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	bool ready = true;
	char message[64] = "";
	size_t length;

	if (!variant->doorbell) {
		EXPECT_EQ(-1, ivsh_channel_arm(self->consumer, &ready));
		EXPECT_EQ(EOPNOTSUPP, errno);
		return;
	}
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD,
			       ivsh_directory_fd(self->b), &event));
	for (int i = 0; i < 100; i++) {
		EXPECT_EQ(0, ivsh_channel_arm(self->consumer, &ready));
		EXPECT_FALSE(ready);
		EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
		ASSERT_EQ(0, ivsh_channel_send(self->producer, "x", 1, 0));
		EXPECT_EQ(1, epoll_wait(epoll, &event, 1, 10000));
		EXPECT_EQ(0, ivsh_directory_clear(self->b));
		EXPECT_EQ(0, ivsh_channel_receive(self->consumer, message, 64,
						  &length, 0));
		/* Awake: not rung again. */
		ASSERT_EQ(0, ivsh_channel_send(self->producer, "y", 1, 0));
		EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
		EXPECT_EQ(0, ivsh_channel_arm(self->consumer, &ready));
		EXPECT_TRUE(ready);
		EXPECT_EQ(0, ivsh_channel_receive(self->consumer, message, 64,
						  &length, 0));
	}
	EXPECT_EQ(100, ivsh_channel_count(self->producer,
					  IVSH_COUNTER_DOORBELLS));
	close(epoll);
}

static void send_to_sleeper(struct ivsh_channel *producer)
{
	for (int i = 0; i < 100; i++) {
		while (!word_load(&producer->other->sleep))
			usleep(100);
		ivsh_channel_send(producer, "x", 1, 0);
	}
	_exit(ivsh_channel_count(producer, IVSH_COUNTER_DOORBELLS) != 100);
}

TEST(each_message_to_a_sleeper_rings_once)
{
	void *memory = memory_new(MEMORY_SIZE);
	struct ivsh_directory *a, *b;
	struct ivsh_channel *producer, *consumer;
	struct bells bells;
	struct bell bell[2];
	char message[64];
	size_t length;
	int status;

	bells_open(&bells);
	a = ivsh_directory_open(memory, MEMORY_SIZE, "a", 0);
	b = ivsh_directory_open(memory, MEMORY_SIZE, "b", 0);
	use_bell(a, &bell[0], &bells, 0);
	use_bell(b, &bell[1], &bells, 1);
	ivsh_directory_set_waiting(b, IVSH_WAIT_SLEEP);
	producer = ivsh_channel_open(a, "c", IVSH_PRODUCER, 0, 0, 0);
	consumer = ivsh_channel_open(b, "c", IVSH_CONSUMER, 0, 0, 0);
	if (!fork())
		send_to_sleeper(producer);
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(0, ivsh_channel_receive(consumer, message, 64,
						  &length, 30 * SECOND));
	wait(&status);
	EXPECT_EQ(0, status);
}

static int device_gone(void *context, int64_t timeout_ns)
{
	(void)context;
	(void)timeout_ns;
	return ivsh_fail(ENODEV);
}

#define EXPECT_ENODEV(failed) do { \
	errno = 0; \
	EXPECT_TRUE(failed); \
	EXPECT_EQ(ENODEV, errno); \
} while (0)

/* And none of them touches the memory, which is gone too. */
TEST(once_the_device_is_gone_every_call_is_enodev)
{
	void *memory = memory_new(MEMORY_SIZE);
	struct ivsh_directory *a;
	struct ivsh_channel *producer, *consumer;
	struct bells bells;
	struct bell bell;
	size_t length = 4096;
	bool ready = false;

	bells_open(&bells);
	a = ivsh_directory_open(memory, MEMORY_SIZE, "a", 0);
	use_bell(a, &bell, &bells, 0);
	a->wakeup.wait = device_gone;
	producer = ivsh_channel_open(a, "out", IVSH_PRODUCER, 0, 0, 0);
	consumer = ivsh_channel_open(a, "in", IVSH_CONSUMER, 0, 0, 0);
	EXPECT_ENODEV(ivsh_channel_wait(consumer, SECOND));
	ASSERT_EQ(0, mprotect(memory, MEMORY_SIZE, PROT_NONE));
	EXPECT_ENODEV(!ivsh_channel_reserve(producer, 8));
	EXPECT_ENODEV(ivsh_channel_commit(producer, 8));
	EXPECT_ENODEV(ivsh_channel_flush(producer));
	EXPECT_ENODEV(ivsh_channel_send(producer, "x", 1, 0));
	EXPECT_ENODEV(!ivsh_channel_peek(consumer, &length));
	EXPECT_ENODEV(ivsh_channel_release(consumer));
	EXPECT_ENODEV(ivsh_channel_flush(consumer));
	EXPECT_ENODEV(ivsh_channel_wait(consumer, 0));
	EXPECT_ENODEV(!ivsh_directory_wait(a, 0));
	EXPECT_ENODEV(!ivsh_directory_segment(a, "s", &length));
	EXPECT_ENODEV(!ivsh_channel_open(a, "out", IVSH_PRODUCER, 0, 0, 0));
	EXPECT_ENODEV(!ivsh_directory_get_entry(a, 0));
	EXPECT_EQ(0, ivsh_channel_arm(consumer, &ready));
	EXPECT_TRUE(ready);
	ivsh_directory_beat(a);
	ivsh_channel_close(producer);
	ivsh_channel_close(consumer);
	ivsh_directory_close(a);
	bells_close(&bells);
	munmap(memory, MEMORY_SIZE);
}

/* Sixteen producers, each a process; one consumer that sleeps. */
static void produce(void *memory, struct bells *bells, int number)
{
	struct ivsh_directory *directory;
	struct ivsh_channel *channel;
	struct stream stream = { .count = 500, .most = 200 };
	struct bell bell;
	char name[16];

	snprintf(name, sizeof(name), "in.%d", number);
	directory = ivsh_directory_open(memory, MEMORY_SIZE, name, 0);
	if (!directory)
		_exit(1);
	use_bell(directory, &bell, bells, number);
	channel = ivsh_channel_open(directory, name, IVSH_PRODUCER, 4096, 0, 0);
	if (!channel)
		_exit(2);
	stream.channel = channel;
	if (send_stream(&stream))
		_exit(3);
	ivsh_channel_close(channel);
	ivsh_directory_close(directory);
	_exit(0);
}

TEST(sixteen_producers_wake_one_consumer_by_one_vector)
{
	void *memory = memory_new(MEMORY_SIZE);
	struct ivsh_channel *channels[16], *channel;
	struct ivsh_directory *directory;
	uint64_t next[16] = { 0 }, open = 16, number;
	unsigned char message[256];
	struct bells bells;
	struct bell bell;
	char name[16];
	size_t length, which;
	int status;

	bells_open(&bells);
	directory = ivsh_directory_open(memory, MEMORY_SIZE, "all", 0);
	use_bell(directory, &bell, &bells, 17);
	for (int i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "in.%d", i);
		channels[i] = ivsh_channel_open(directory, name, IVSH_CONSUMER,
						4096, 0, 0);
		ASSERT_NE(NULL, channels[i]);
		if (!fork())
			produce(memory, &bells, i);
	}
	while (open) {
		channel = ivsh_directory_wait(directory, 60 * SECOND);
		ASSERT_NE(NULL, channel);
		for (which = 0; channels[which] != channel; which++)
			;
		if (ivsh_channel_receive(channel, message, sizeof(message),
					 &length, 0)) {
			ASSERT_EQ(EPIPE, errno);
			ivsh_channel_close(channel);
			channels[which] = NULL;
			open--;
			continue;
		}
		number = message_number(message);
		ASSERT_EQ(next[which], number);
		ASSERT_TRUE(message_intact(message, length));
		next[which]++;
	}
	for (int i = 0; i < 16; i++) {
		EXPECT_EQ(500, next[i]);
		wait(&status);
		EXPECT_EQ(0, status);
	}
}

TEST_HARNESS_MAIN
