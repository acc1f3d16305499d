// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A process that dies, or is stopped and goes on later, at each single step of
 * what the library does in shared memory (ivsh_step()); another one then takes
 * its place. Nothing that was flushed is lost, nothing is torn, nothing that
 * was acknowledged comes again, and what goes on later can do no harm. Deaths at
 * random are channel_kills.c's.
 */
#include <sys/prctl.h>

#include "channel_memory.h"
#include "kselftest_harness.h"

#define CAPACITY 4096u
#define ROUNDS 20u
#define SECOND NSEC_PER_SEC
#define PRETENDS 1000000

/* What the two sides say of themselves, outside of the channel. */
struct account {
	uint64_t flushed;	/* messages that a producer has flushed */
	uint64_t acknowledged;	/* that a consumer has received, and flushed */
	uint64_t about;		/* the tag that it is about to acknowledge */
	int stopped;		/* whether the step was reached */
	int error;
	char step[64];		/* its name */
};

static struct account *account;
static struct bells bells;
static unsigned int stop_at;	/* this many steps from now; 0: never */
static bool stop_dies;

/* A consumer whose end looks closed, but for who looks closer. */
static struct {
	ivsh_word *closed;
	uint16_t generation;
	unsigned int times;
} pretender;

/* A former user of an end, that was stopped when it closed it, and goes on when
 * its successor does. */
static struct {
	ivsh_word *closed;
	uint16_t generation;
} straggler;

static void straggle(const char *name)
{
	if (strcmp(name, "end: not closed"))
		return;
	word_store(straggler.closed, straggler.generation);
	straggler.closed = NULL;
}

static void pretend(const char *name)
{
	bool asked = !strcmp(name, "ring: not asked");

	if (!asked && strcmp(name, "wait: not disarmed"))
		return;
	/* Not for ever, so that who believes it fails and does not hang. */
	if (!asked && ++pretender.times > PRETENDS)
		return;
	word_store(pretender.closed, asked ? 0 : pretender.generation);
}

void ivsh_step(const char *name)
{
	if (pretender.closed)
		pretend(name);
	if (straggler.closed)
		straggle(name);
	if (!stop_at || --stop_at)
		return;
	strncpy(account->step, name, sizeof(account->step) - 1);
	__atomic_store_n(&account->stopped, 1, __ATOMIC_SEQ_CST);
	if (stop_dies)
		raise(SIGKILL);
	raise(SIGSTOP);
}

static struct ivsh_channel *open_end(void *memory, enum ivsh_role role,
				     unsigned int flags)
{
	struct ivsh_directory *directory = join_as(memory, &bells, role);

	if (!directory)
		return NULL;
	ivsh_directory_set_waiting(directory, IVSH_WAIT_SLEEP);
	return ivsh_channel_open(directory, "c", role, CAPACITY, 0, flags);
}

/*
 * The tag of a message: its number, and who sent it. A producer that died
 * between flushing and saying so has a successor that sends the number again.
 */
#define TAG(number, generation) ((uint64_t)(generation) << 48 | (number))
#define NUMBER(tag) ((tag) & 0xffffffffffff)

/* Send messages numbered from *flushed, until count; -1 when one fails. */
static int produce(struct ivsh_channel *channel, uint64_t count)
{
	unsigned char message[1024];

	if (!channel)
		return -1;
	for (uint64_t i = account->flushed; i < count; i++) {
		size_t length = message_length(i, sizeof(message));

		message_fill(message, length, TAG(i, channel->generation));
		if (ivsh_channel_send(channel, message, length, SECOND / 50)) {
			account->error = errno;
			return -1;
		}
		/* Not back, by one that was stopped here. */
		if (account->flushed <= i)
			account->flushed = i + 1;
	}
	return 0;
}

/* Whether this may come next, after what was acknowledged. */
static bool may_come(uint64_t tag)
{
	uint64_t number = NUMBER(tag);

	if (number == account->acknowledged)
		return true;
	/* The consumer flushed, and died before it said so. */
	if (number == account->acknowledged + 1)
		return NUMBER(account->about) == account->acknowledged;
	/* The same number, from another producer. */
	return number + 1 == account->acknowledged && tag != account->about;
}

/* Receive until number count - 1; each one is flushed, so acknowledged. */
static int consume(struct ivsh_channel *channel, uint64_t count)
{
	unsigned char message[CAPACITY];
	const void *place;
	uint64_t tag;
	size_t length;

	if (!channel)
		return -1;
	while (account->acknowledged < count) {
		if (ivsh_channel_wait(channel, SECOND / 50) ||
		    !(place = ivsh_channel_peek(channel, &length))) {
			account->error = errno;
			return -1;
		}
		memcpy(message, place, length);
		tag = message_number(message);
		if (!message_intact(message, length) || !may_come(tag)) {
			account->error = EILSEQ;
			return -1;
		}
		account->about = tag;
		if (ivsh_channel_release(channel) ||
		    ivsh_channel_flush(channel)) {
			account->error = errno;
			return -1;
		}
		if (account->acknowledged <= NUMBER(tag))
			account->acknowledged = NUMBER(tag) + 1;
	}
	return 0;
}

FIXTURE(step) {
	void *memory;
};

FIXTURE_VARIANT(step) {
	enum ivsh_role role;
	bool dies;
};

FIXTURE_VARIANT_ADD(step, of_a_producer_that_dies) {
	.role = IVSH_PRODUCER,
	.dies = true,
};

FIXTURE_VARIANT_ADD(step, of_a_producer_that_is_stopped) {
	.role = IVSH_PRODUCER,
	.dies = false,
};

FIXTURE_VARIANT_ADD(step, of_a_consumer_that_dies) {
	.role = IVSH_CONSUMER,
	.dies = true,
};

FIXTURE_VARIANT_ADD(step, of_a_consumer_that_is_stopped) {
	.role = IVSH_CONSUMER,
	.dies = false,
};

FIXTURE_SETUP(step)
{
	account = memory_new(sizeof(*account));
	bells_open(&bells);
}

FIXTURE_TEARDOWN(step)
{
	munmap(account, sizeof(*account));
}

/* The whole life of one end, which ends at the step. */
static void live(void *memory, enum ivsh_role role, unsigned int step,
		 bool dies)
{
	struct ivsh_channel *channel;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	stop_at = step;
	stop_dies = dies;
	channel = open_end(memory, role, 0);
	if (role == IVSH_PRODUCER)
		produce(channel, ROUNDS);
	else
		consume(channel, ROUNDS);
	/* Found something to read that another one has read since. */
	ivsh_channel_close(channel);
	_exit(0);
}

/* Until it ends or stops; true if it is there no more. */
static bool wait_for_end(pid_t child)
{
	int status;

	waitpid(child, &status, WUNTRACED);
	return !WIFSTOPPED(status);
}

/* The one that was stopped goes on, and must come to nothing. */
static void go_on(pid_t child)
{
	kill(child, SIGCONT);
	waitpid(child, NULL, 0);
}

/* The dead one acknowledged the last message, and could not say so. */
static bool last_was_acknowledged(void)
{
	if (account->error != ETIMEDOUT ||
	    account->acknowledged + 1 != account->flushed ||
	    NUMBER(account->about) != account->acknowledged)
		return false;
	account->acknowledged++;
	return true;
}

/* Everything that the dead one had flushed comes, and then what is new. */
static bool others_go_on(void *memory, uint64_t goal)
{
	struct ivsh_channel *producer = open_end(memory, IVSH_PRODUCER, 0);
	struct ivsh_channel *consumer = open_end(memory, IVSH_CONSUMER, 0);

	if (!producer || !consumer)
		return false;
	if (consume(consumer, account->flushed) && !last_was_acknowledged())
		return false;
	while (account->flushed < goal) {
		if (produce(producer, account->flushed + 1) ||
		    consume(consumer, account->flushed))
			return false;
	}
	return account->acknowledged == goal;
}

TEST_F_TIMEOUT(step, leaves_a_channel_that_others_go_on_with, 300)
{
	unsigned int step;

	for (step = 1; step < 1000; step++) {
		pid_t child;
		bool ended;

		self->memory = memory_new(MEMORY_SIZE);
		memset(account, 0, sizeof(*account));
		/* The consumer finds messages; the producer finds room. */
		if (variant->role == IVSH_CONSUMER)
			ASSERT_EQ(-1, produce(open_end(self->memory,
						       IVSH_PRODUCER, 0),
					      ROUNDS));
		child = fork();
		if (!child)
			live(self->memory, variant->role, step, variant->dies);
		ended = wait_for_end(child);
		if (!account->stopped)
			break;		/* there are no more steps */
		ASSERT_EQ(variant->dies, ended);
		ASSERT_TRUE(others_go_on(self->memory, ROUNDS + 40))
			TH_LOG("step %u (%s): error %d, flushed %llu, acknowledged %llu",
			       step, account->step, account->error,
			       (unsigned long long)account->flushed,
			       (unsigned long long)account->acknowledged);
		if (!ended) {
			go_on(child);
			ASSERT_TRUE(others_go_on(self->memory, ROUNDS + 80))
				TH_LOG("after step %u (%s) went on: error %d",
				       step, account->step, account->error);
		}
		munmap(self->memory, MEMORY_SIZE);
	}
	TH_LOG("%u steps", step - 1);
	EXPECT_LT(20, step);
}

FIXTURE(pretended) {
	void *memory;
	struct ivsh_channel *end;
};

FIXTURE_VARIANT(pretended) {
	enum ivsh_role role;
};

FIXTURE_VARIANT_ADD(pretended, to_a_consumer) {
	.role = IVSH_CONSUMER,
};

FIXTURE_VARIANT_ADD(pretended, to_a_producer) {
	.role = IVSH_PRODUCER,
};

static int bell_rang(void *context, int64_t timeout_ns)
{
	(void)context;
	(void)timeout_ns;
	return 0;
}

FIXTURE_SETUP(pretended)
{
	const enum ivsh_role role = variant->role;
	struct ivsh_channel *other;

	self->memory = memory_new(MEMORY_SIZE);
	bells_open(&bells);
	other = open_end(self->memory, !role, 0);
	self->end = open_end(self->memory, role, 0);
	ASSERT_NE(NULL, other);
	ASSERT_NE(NULL, self->end);
	self->end->directory->wakeup.wait = bell_rang;
	pretender.generation = other->generation;
	pretender.closed = &other->own->closed;
	pretender.times = 0;
}

FIXTURE_TEARDOWN(pretended)
{
	pretender.closed = NULL;
	munmap(self->memory, MEMORY_SIZE);
}

TEST_F(pretended, to_be_ready_again_and_again_does_not_lengthen_a_wait)
{
	unsigned char message[1024] = "";
	size_t length;
	int ret = 0;

	while (!ret && self->end->consumer)
		ret = ivsh_channel_receive(self->end, message, sizeof(message),
					   &length, SECOND / 500);
	while (!ret)
		ret = ivsh_channel_send(self->end, message, sizeof(message),
					SECOND / 500);
	EXPECT_EQ(ETIMEDOUT, errno);
	EXPECT_LT(0, pretender.times);
	EXPECT_GT(PRETENDS, pretender.times);
}

TEST(word_of_a_former_user_does_not_hide_that_its_successor_closed)
{
	struct ivsh_channel *producer, *consumer;
	void *memory = memory_new(MEMORY_SIZE);
	char message[8];
	size_t length;

	bells_open(&bells);
	consumer = open_end(memory, IVSH_CONSUMER, 0);
	producer = open_end(memory, IVSH_PRODUCER, 0);
	producer = open_end(memory, IVSH_PRODUCER, 0);
	ASSERT_NE(NULL, consumer);
	ASSERT_NE(NULL, producer);
	ASSERT_EQ(2, producer->generation);
	straggler.generation = 1;
	straggler.closed = &producer->own->closed;
	ivsh_channel_close(producer);
	EXPECT_EQ(-1, ivsh_channel_receive(consumer, message, sizeof(message),
					   &length, 0));
	EXPECT_EQ(EPIPE, errno);
	munmap(memory, MEMORY_SIZE);
}

TEST_HARNESS_MAIN
