// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The system calls of a message, counted exactly by ptrace(2), between two peers
 * of a server on one host: none between ends that are busy. Who sleeps is rung by
 * three: what the server has to say, whether the eventfd takes a ring, the ring;
 * and it sleeps and takes the ring by two. In a guest with the registers mapped
 * ringing takes none.
 */
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <linux/ptrace.h>

#include "channel_memory.h"
#include "kselftest_harness.h"
#include "server_process.h"

#define MESSAGES 100
/* Who opens the other end rings once; who sleeps wakes each second to beat. */
#define MORE 10

struct end {
	struct ivsh_device *device;
	struct ivsh_region *region;
	struct ivsh_vector *vector;
	struct ivsh_directory *directory;
	struct ivsh_channel *channel;
};

static struct server server;

/* One end, of a peer of its own; released when the process ends. */
static struct ivsh_channel *end_open(struct end *end, enum ivsh_role role)
{
	char name[120];

	snprintf(name, sizeof(name), "unix:%s", server.socket);
	end->device = ivsh_device_open(name);
	if (!end->device)
		return NULL;
	end->region = ivsh_region_map(end->device, 0, 0, 0);
	end->vector = ivsh_vector_bind(end->device, 0);
	if (!end->region || !end->vector)
		return NULL;
	end->directory = ivsh_directory_open(
		ivsh_region_address(end->region), ivsh_region_size(end->region),
		role ? "consumer" : "producer", 0);
	if (!end->directory ||
	    ivsh_directory_set_waiting(end->directory, IVSH_WAIT_SLEEP) ||
	    ivsh_directory_use_doorbell(end->directory, end->device, end->vector))
		return NULL;
	end->channel = ivsh_channel_open(end->directory, "c", role, 0, 0, 0);
	return end->channel;
}

/* --- what is counted -------------------------------------------------------- */

/* Between two of these system calls are those that count. */
static void mark(void)
{
	syscall(SYS_getppid);
}

static int send_to_sleeper(void)
{
	struct end end;
	struct ivsh_channel *channel = end_open(&end, IVSH_PRODUCER);
	int failed = !channel;

	mark();
	for (int i = 0; !failed && i < MESSAGES; i++) {
		while (!word_load(&channel->other->sleep))
			;
		failed = ivsh_channel_send(channel, "x", 1, 0);
	}
	mark();
	return failed;
}

static int receive_asleep(void)
{
	struct end end;
	struct ivsh_channel *channel = end_open(&end, IVSH_CONSUMER);
	int failed = !channel;
	char message[8];
	size_t length;

	mark();
	for (int i = 0; !failed && i < MESSAGES; i++)
		failed = ivsh_channel_receive(channel, message, 8, &length, -1);
	mark();
	return failed;
}

static int send_and_receive(void)
{
	struct end out, in;
	struct ivsh_channel *producer = end_open(&out, IVSH_PRODUCER);
	struct ivsh_channel *consumer = end_open(&in, IVSH_CONSUMER);
	int failed = !producer || !consumer;
	char message[64] = "";
	size_t length;

	mark();
	for (int i = 0; !failed && i < 100 * MESSAGES; i++)
		failed = ivsh_channel_send(producer, message, 64, -1) ||
			 ivsh_channel_receive(consumer, message, 64, &length, -1);
	mark();
	return failed;
}

/* --- counting ---------------------------------------------------------------- */

struct calls {
	unsigned long all, rings, sleeps, takes;
};

static pid_t start(int (*run)(void), bool traced)
{
	pid_t child = fork();

	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (traced) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
	}
	_exit(run());
}

static void count(struct calls *calls, uint64_t number)
{
	calls->all++;
	calls->rings += number == SYS_write;
	calls->sleeps += number == SYS_ppoll;
	calls->takes += number == SYS_preadv2;
}

/* Its status; what it calls between its marks is counted. */
static int trace(pid_t child, struct calls *calls)
{
	struct ptrace_syscall_info info;
	bool counting = false;
	int status;

	memset(calls, 0, sizeof(*calls));
	waitpid(child, &status, 0);
	ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD);
	while (!ptrace(PTRACE_SYSCALL, child, NULL, NULL) &&
	       waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
		if (WSTOPSIG(status) != (SIGTRAP | 0x80) ||
		    ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info),
			   &info) <= 0 ||
		    info.op != PTRACE_SYSCALL_INFO_ENTRY)
			continue;
		if (info.entry.nr == SYS_getppid)
			counting = !counting;
		else if (counting)
			count(calls, info.entry.nr);
	}
	return status;
}

/* The calls of @traced while @other does the other half; whether both succeed. */
static bool trace_beside(int (*traced)(void), int (*other)(void),
			 struct calls *calls)
{
	pid_t partner = start(other, false);
	int failed = trace(start(traced, true), calls), status;

	return waitpid(partner, &status, 0) == partner && !failed && !status;
}

FIXTURE(calls) {
	struct calls calls;
};

FIXTURE_SETUP(calls)
{
	ASSERT_TRUE(server_init(&server));
	ASSERT_TRUE(server_start(&server, "-l 4M -n 1"));
}

FIXTURE_TEARDOWN(calls)
{
	EXPECT_TRUE(server_fini(&server));
}

TEST_F(calls, of_a_message_between_ends_that_are_busy_are_none)
{
	ASSERT_EQ(0, trace(start(send_and_receive, true), &self->calls));
	EXPECT_EQ(0, self->calls.all);
}

TEST_F(calls, of_a_message_to_one_that_sleeps_are_three)
{
	ASSERT_TRUE(trace_beside(send_to_sleeper, receive_asleep, &self->calls));
	EXPECT_EQ(MESSAGES, self->calls.rings);
	EXPECT_GE(3 * MESSAGES, self->calls.all);
}

TEST_F(calls, of_one_that_sleeps_are_two_for_each_message)
{
	ASSERT_TRUE(trace_beside(receive_asleep, send_to_sleeper, &self->calls));
	EXPECT_LE(MESSAGES, self->calls.takes);
	EXPECT_LE(self->calls.takes, self->calls.sleeps);
	EXPECT_GE(MESSAGES + MORE, self->calls.sleeps);
	EXPECT_EQ(self->calls.all, self->calls.sleeps + self->calls.takes);
}

TEST_HARNESS_MAIN
