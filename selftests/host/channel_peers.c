// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Channels between two programs that share a file and nothing else. The other
 * one is this program too, or the one in $CHANNEL_PEER: lib_i386.py gives each
 * that of another processor.
 *
 *     channel_peers send|receive|leave FILE SLOT_SIZE
 */
#include <fcntl.h>

#include "channel_memory.h"
#include "kselftest_harness.h"

#define LIMIT_NS (60 * NSEC_PER_SEC)
#define MESSAGES 20000
#define MOST 1500
#define CAPACITY 16384

struct peer {
	void *memory;
	struct ivsh_directory *directory;
	struct ivsh_channel *channel;
};

static bool join(struct peer *peer, int fd, const char *name,
		 enum ivsh_role role, size_t slot_size)
{
	peer->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE,
			    MAP_SHARED, fd, 0);
	if (peer->memory == MAP_FAILED)
		return false;
	peer->directory = ivsh_directory_open(peer->memory, MEMORY_SIZE, name, 0);
	if (!peer->directory)
		return false;
	peer->channel = ivsh_channel_open(peer->directory, "stream", role,
					  CAPACITY, slot_size, 0);
	return peer->channel;
}

static void leave(struct peer *peer)
{
	ivsh_channel_close(peer->channel);
	ivsh_directory_close(peer->directory);
	munmap(peer->memory, MEMORY_SIZE);
}

static bool send_messages(struct ivsh_channel *channel, size_t slot_size,
			  uint64_t count)
{
	unsigned char message[MOST];

	for (uint64_t i = 0; i < count; i++) {
		size_t length = slot_size ?: message_length(i, MOST);

		message_fill(message, length, i);
		if (ivsh_channel_send(channel, message, length, LIMIT_NS))
			return false;
	}
	return !ivsh_channel_flush(channel);
}

/* How many came in order and whole. */
static uint64_t receive_messages(struct ivsh_channel *channel)
{
	unsigned char message[MOST];
	uint64_t i;
	size_t length;

	for (i = 0; i < MESSAGES; i++)
		if (ivsh_channel_receive(channel, message, sizeof(message),
					 &length, LIMIT_NS) ||
		    message_number(message) != i ||
		    !message_intact(message, length))
			break;
	return i;
}

/* --- the other program ---------------------------------------------------------- */

static bool play(const char *role, const char *path, size_t slot_size)
{
	bool receives = !strcmp(role, "receive");
	struct peer peer = { 0 };
	bool done;

	if (!join(&peer, open(path, O_RDWR), role,
		  receives ? IVSH_CONSUMER : IVSH_PRODUCER, slot_size))
		return false;
	if (!strcmp(role, "leave"))
		return send_messages(peer.channel, slot_size, 10);
	done = receives ? receive_messages(peer.channel) == MESSAGES :
			  send_messages(peer.channel, slot_size, MESSAGES);
	leave(&peer);
	return done;
}

static void __attribute__((constructor)) be_the_other(int argc, char **argv)
{
	if (argc == 4)
		_exit(!play(argv[1], argv[2], strtoul(argv[3], NULL, 0)));
}

static pid_t start_other(const char *role, int fd, size_t slot_size)
{
	const char *program = getenv("CHANNEL_PEER") ?: "/proc/self/exe";
	char path[32], size[16];
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
	snprintf(size, sizeof(size), "%zu", slot_size);
	pid = fork();
	if (!pid) {
		execl(program, "channel_peers", role, path, size, NULL);
		_exit(127);
	}
	return pid;
}

/* --- this one ------------------------------------------------------------------- */

FIXTURE(other) {
	int fd;
	struct peer peer;
};

FIXTURE_VARIANT(other) {
	size_t slot_size;
};

FIXTURE_VARIANT_ADD(other, of_records) {
	.slot_size = 0,
};

FIXTURE_VARIANT_ADD(other, of_slots) {
	.slot_size = 256,
};

FIXTURE_SETUP(other)
{
	self->fd = memfd_create("channel_peers", MFD_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ftruncate(self->fd, MEMORY_SIZE));
}

FIXTURE_TEARDOWN(other)
{
	leave(&self->peer);
	close(self->fd);
}

TEST_F(other, receives_what_we_send)
{
	pid_t pid = start_other("receive", self->fd, variant->slot_size);
	int status = -1;

	ASSERT_TRUE(join(&self->peer, self->fd, "us", IVSH_PRODUCER,
			 variant->slot_size));
	EXPECT_TRUE(send_messages(self->peer.channel, variant->slot_size,
				  MESSAGES));
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
}

TEST_F(other, sends_what_we_receive)
{
	pid_t pid = start_other("send", self->fd, variant->slot_size);
	int status = -1;

	ASSERT_TRUE(join(&self->peer, self->fd, "us", IVSH_CONSUMER,
			 variant->slot_size));
	EXPECT_EQ(MESSAGES, receive_messages(self->peer.channel));
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
