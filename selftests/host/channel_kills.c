// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many messages with many deaths: a producer and a consumer stream as fast as
 * they can, and one or the other is killed at random and succeeded.
 * IVSHMEM_MESSAGES and IVSHMEM_KILLS say how many.
 *
 * Each producer numbers its messages from 0 and never sends one again, so that
 * each message of the run is told from all others. What is shown: all that was
 * flushed arrives, in order, once and whole; and what was acknowledged does not
 * arrive again. What was received and not yet acknowledged may.
 */
#include <stdio.h>
#include <sys/prctl.h>

#include "channel_memory.h"
#include "kselftest_harness.h"

#define CAPACITY 65536u
#define BATCH 64u
#define MAX_LENGTH 128u
#define MAX_PRODUCERS 65536u

/*
 * A place in the stream: which producer, and how many of its messages are
 * before. The tag of a message is its place.
 */
#define PLACE(producer, number) ((uint64_t)(producer) << 40 | (number))
#define PRODUCER(place) ((place) >> 40)
#define NUMBER(place) ((place) & 0xffffffffffull)

/* What the processes say of themselves, outside of the channel. */
struct account {
	uint64_t begun[MAX_PRODUCERS];		/* messages, by producer */
	uint64_t flushed[MAX_PRODUCERS];
	uint64_t received, acknowledged;	/* places */
	uint64_t count;				/* received, each once */
	char error[160];
};

static struct account *account;
static struct bells bells;
static void *memory;
static uint32_t producers;

static struct ivsh_channel *open_end(enum ivsh_role role)
{
	struct ivsh_directory *directory = join_as(memory, &bells, role);

	if (!directory)
		return NULL;
	return ivsh_channel_open(directory, "c", role, CAPACITY, 0, 0);
}

static _Noreturn void fail(const char *what, uint64_t place, uint64_t next)
{
	snprintf(account->error, sizeof(account->error),
		 "%s: errno %d, message %llu of producer %llu, expected %llu of %llu",
		 what, errno, (unsigned long long)NUMBER(place),
		 (unsigned long long)PRODUCER(place),
		 (unsigned long long)NUMBER(next),
		 (unsigned long long)PRODUCER(next));
	_exit(1);
}

/* --- the producer -------------------------------------------------------- */

static _Noreturn void produce(uint32_t producer)
{
	struct ivsh_channel *channel = open_end(IVSH_PRODUCER);
	static unsigned char data[BATCH][MAX_LENGTH];
	struct iovec messages[BATCH];
	uint64_t number = 0;

	if (!channel)
		_exit(2);
	for (;;) {
		size_t count = 1 + (size_t)random() % BATCH;

		for (size_t i = 0; i < count; i++) {
			size_t length = message_length(number + i, MAX_LENGTH);

			message_fill(data[i], length,
				     PLACE(producer, number + i));
			messages[i] = (struct iovec){ data[i], length };
		}
		account->begun[producer] = number + count;
		if (ivsh_channel_send_many(channel, messages, count, -1, NULL))
			fail("send", PLACE(producer, number), 0);
		number += count;
		account->flushed[producer] = number;
	}
}

/* --- the consumer -------------------------------------------------------- */

/* Nothing that was flushed is between them. */
static bool follows(uint64_t next, uint64_t place)
{
	if (PRODUCER(place) == PRODUCER(next))
		return NUMBER(place) == NUMBER(next);
	if (NUMBER(place) || PRODUCER(place) < PRODUCER(next) ||
	    PRODUCER(place) >= MAX_PRODUCERS ||
	    NUMBER(next) < account->flushed[PRODUCER(next)])
		return false;
	for (uint64_t i = PRODUCER(next) + 1; i < PRODUCER(place); i++)
		if (account->flushed[i])
			return false;
	return true;
}

/* The first that a consumer gets: not before what the last acknowledged. */
static bool may_begin(uint64_t received, uint64_t place)
{
	return follows(received, place) ||
	       (place >= account->acknowledged && place < received);
}

static bool known(uint64_t place)
{
	return NUMBER(place) < account->begun[PRODUCER(place)];
}

/* Copy, check, and note one message; the place after it. */
static uint64_t take(const void *message, size_t length, uint64_t next,
		     bool first)
{
	unsigned char copy[MAX_LENGTH] = { 0 };
	uint64_t place;

	if (length > sizeof(copy))
		fail("too long", length, next);
	memcpy(copy, message, length);
	place = message_number(copy);
	if (length != message_length(NUMBER(place), MAX_LENGTH) ||
	    !message_intact(copy, length))
		fail("torn", place, next);
	if (!(first ? may_begin(next, place) : follows(next, place)))
		fail("lost or duplicated", place, next);
	if (!known(place))
		fail("never sent", place, next);
	if (account->received <= place) {
		account->received = place + 1;
		__atomic_store_n(&account->count, account->count + 1,
				 __ATOMIC_RELAXED);
	}
	return place + 1;
}

/* Until the channel has been empty for that long, or for ever; *next goes on. */
static void consume(struct ivsh_channel *channel, int64_t timeout_ns)
{
	uint64_t next = account->received;
	bool first = true;
	unsigned int left = 1;
	const void *message;
	size_t length;

	while (!ivsh_channel_wait(channel, timeout_ns)) {
		if (!first)
			account->acknowledged = next;
		while ((message = ivsh_channel_peek(channel, &length))) {
			next = take(message, length, next, first);
			first = false;
			if (ivsh_channel_release(channel))
				fail("release", next, next);
			if (--left)
				continue;
			if (ivsh_channel_flush(channel))
				fail("flush", next, next);
			account->acknowledged = next;
			left = 1 + (unsigned int)random() % (2 * BATCH);
		}
		if (errno != EAGAIN)
			fail("peek", next, next);
	}
	if (errno != ETIMEDOUT)
		fail("wait", next, next);
}

/* --- and who kills them -------------------------------------------------- */

static pid_t spawn(enum ivsh_role role)
{
	uint32_t producer = role == IVSH_PRODUCER ? ++producers : 0;
	struct ivsh_channel *channel;
	pid_t child = fork();

	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	srandom((unsigned int)getpid());
	if (role == IVSH_PRODUCER)
		produce(producer);
	channel = open_end(IVSH_CONSUMER);
	if (!channel)
		_exit(2);
	consume(channel, -1);
	_exit(2);
}

FIXTURE(stream) {
	unsigned long messages, kills;
	pid_t child[2];
};

static unsigned long from_environment(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 10) : otherwise;
}

FIXTURE_SETUP(stream)
{
	self->messages = from_environment("IVSHMEM_MESSAGES", 1000000);
	self->kills = from_environment("IVSHMEM_KILLS", 100);
	ASSERT_LT(self->kills, MAX_PRODUCERS);
	memory = memory_new(MEMORY_SIZE);
	account = memory_new(sizeof(*account));
	bells_open(&bells);
	srandom(1);
	for (int role = 0; role < 2; role++)
		self->child[role] = spawn(role);
}

FIXTURE_TEARDOWN(stream)
{
	for (int role = 0; role < 2; role++) {
		kill(self->child[role], SIGKILL);
		waitpid(self->child[role], NULL, 0);
	}
	bells_close(&bells);
	munmap(account, sizeof(*account));
	munmap(memory, MEMORY_SIZE);
}

/* Until so many have come; false if a process ended by itself. */
static bool wait_for_count(const pid_t child[2], uint64_t count)
{
	while (__atomic_load_n(&account->count, __ATOMIC_RELAXED) < count) {
		siginfo_t info = { .si_pid = 0 };

		for (int role = 0; role < 2; role++)
			if (waitid(P_PID, (id_t)child[role], &info,
				   WEXITED | WNOHANG | WNOWAIT) || info.si_pid)
				return false;
		usleep(50);
	}
	return true;
}

static int kill_one(pid_t child)
{
	int status;

	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return status;
}

TEST_F_TIMEOUT(stream, of_processes_killed_at_random_is_whole, 36000)
{
	for (unsigned long i = 0; i < self->kills; i++) {
		int role = random() % 2;

		ASSERT_TRUE(wait_for_count(self->child,
					   self->messages / self->kills * i))
			TH_LOG("after %lu: %s", i, account->error);
		usleep(random() % 200);
		ASSERT_TRUE(WIFSIGNALED(kill_one(self->child[role])))
			TH_LOG("after %lu: %s", i, account->error);
		self->child[role] = spawn(role);
	}
	ASSERT_TRUE(wait_for_count(self->child, self->messages))
		TH_LOG("at the end: %s", account->error);
	for (int role = 0; role < 2; role++)
		kill_one(self->child[role]);
	/* What was flushed and not yet read is there for the next. */
	consume(open_end(IVSH_CONSUMER), 0);
	EXPECT_TRUE(follows(account->received, PLACE(producers + 1, 0)));
	TH_LOG("%lu kills, %llu messages", self->kills,
	       (unsigned long long)account->count);
}

TEST_HARNESS_MAIN
