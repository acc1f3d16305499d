// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemd's protocol, as two or three peers see it. No device is needed.
 */
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "server_process.h"
#include "server_peer.h"

FIXTURE(server) {
	struct server server;
};

FIXTURE_SETUP(server)
{
	ASSERT_TRUE(server_init(&self->server));
	ASSERT_TRUE(server_start(&self->server, "-n 2 -l 1M"));
}

FIXTURE_TEARDOWN(server)
{
	EXPECT_TRUE(server_fini(&self->server));
}

static bool is_message(int sock, int64_t value, bool with_fd)
{
	struct message message = receive(sock, WAIT_MS);
	bool has_fd = message.fd >= 0;

	if (has_fd)
		close(message.fd);
	return message.value == value && has_fd == with_fd;
}

TEST_F(server, greets_with_version_id_memory_own_vectors_then_others)
{
	struct peer *first = peer_join(self->server.socket, 2);
	int sock = connect_to(self->server.socket);

	ASSERT_NE(NULL, first);
	EXPECT_TRUE(is_message(sock, 0, false));
	EXPECT_TRUE(is_message(sock, 1, false));
	EXPECT_TRUE(is_message(sock, -1, true));
	EXPECT_TRUE(is_message(sock, 1, true));
	EXPECT_TRUE(is_message(sock, 1, true));
	EXPECT_TRUE(is_message(sock, 0, true));
	EXPECT_TRUE(is_message(sock, 0, true));
	close(sock);
	peer_close(first);
}

TEST_F(server, announces_a_join_with_every_vector)
{
	struct peer *first = peer_join(self->server.socket, 2);
	struct peer *second = peer_join(self->server.socket, 2);

	ASSERT_NE(NULL, first);
	ASSERT_NE(NULL, second);
	EXPECT_TRUE(peer_knows(first, 2));
	EXPECT_EQ(2, first->vectors[second->own_id]);
	EXPECT_EQ(0, first->violations);
	peer_close(second);
	peer_close(first);
}

TEST_F(server, gives_the_same_memory_to_all)
{
	struct peer *first = peer_join(self->server.socket, 2);
	struct peer *second = peer_join(self->server.socket, 2);
	char byte = 0;

	ASSERT_NE(NULL, first);
	ASSERT_NE(NULL, second);
	EXPECT_EQ(1, pwrite(first->memory_fd, "x", 1, 4095));
	EXPECT_EQ(1, pread(second->memory_fd, &byte, 1, 4095));
	EXPECT_EQ('x', byte);
	peer_close(second);
	peer_close(first);
}

TEST_F(server, gives_each_vector_the_eventfd_of_its_place)
{
	struct peer *first = peer_join(self->server.socket, 2);
	int sock = connect_to(self->server.socket);
	struct message message;
	eventfd_t value = 0;
	int i;

	ASSERT_NE(NULL, first);
	for (i = 0; i < 7; i++)
		message = receive(sock, WAIT_MS);
	ASSERT_EQ(0, message.value);
	ASSERT_EQ(0, eventfd_write(message.fd, 3));
	EXPECT_EQ(0, eventfd_read(first->own_vectors[1], &value));
	EXPECT_EQ(3, value);
	EXPECT_EQ(-1, eventfd_read(first->own_vectors[0], &value));
	EXPECT_EQ(EAGAIN, errno);
	close(sock);
	peer_close(first);
}

TEST_F(server, announces_a_leave_once)
{
	struct peer *first = peer_join(self->server.socket, 2);
	struct peer *second = peer_join(self->server.socket, 2);
	struct peer *third;

	ASSERT_NE(NULL, first);
	ASSERT_NE(NULL, second);
	peer_close(second);
	EXPECT_TRUE(peer_misses(first, 1));
	/* A further join says that nothing else came before it. */
	third = peer_join(self->server.socket, 2);
	ASSERT_NE(NULL, third);
	EXPECT_TRUE(peer_knows(first, 2));
	EXPECT_EQ(0, first->violations);
	EXPECT_TRUE(peer_is_quiet(first));
	peer_close(third);
	peer_close(first);
}

TEST_F(server, does_not_tell_a_new_peer_of_those_that_left)
{
	struct peer *first = peer_join(self->server.socket, 2);
	struct peer *second = peer_join(self->server.socket, 2);
	struct peer *third;

	ASSERT_NE(NULL, first);
	ASSERT_NE(NULL, second);
	peer_close(first);
	EXPECT_TRUE(peer_misses(second, 0));
	third = peer_join(self->server.socket, 2);
	ASSERT_NE(NULL, third);
	EXPECT_TRUE(peer_knows(third, 2));
	EXPECT_EQ(0, third->vectors[0]);
	peer_close(third);
	peer_close(second);
}

TEST_F(server, gives_no_id_twice)
{
	struct peer *stays = peer_join(self->server.socket, 2);
	int i;

	ASSERT_NE(NULL, stays);
	for (i = 1; i < 200; i++) {
		struct peer *peer = peer_join(self->server.socket, 2);

		ASSERT_NE(NULL, peer);
		EXPECT_EQ(i, peer->own_id);
		peer_close(peer);
		EXPECT_TRUE(peer_misses(stays, i));
	}
	EXPECT_EQ(0, stays->violations);
	peer_close(stays);
}

TEST_F(server, disconnects_a_peer_that_sends_a_byte)
{
	struct peer *first = peer_join(self->server.socket, 2);
	struct peer *second = peer_join(self->server.socket, 2);

	ASSERT_NE(NULL, first);
	ASSERT_NE(NULL, second);
	ASSERT_EQ(1, send(second->sock, "x", 1, 0));
	EXPECT_TRUE(peer_misses(first, 1));
	EXPECT_TRUE(server_says(&self->server, "peer 1: disconnected: it sent bytes"));
	peer_close(second);
	peer_close(first);
}

TEST_F(server, takes_a_closed_writing_side_as_a_leave)
{
	struct peer *first = peer_join(self->server.socket, 2);
	struct peer *second = peer_join(self->server.socket, 2);

	ASSERT_NE(NULL, first);
	ASSERT_NE(NULL, second);
	ASSERT_EQ(0, shutdown(second->sock, SHUT_WR));
	EXPECT_TRUE(peer_misses(first, 1));
	peer_close(second);
	peer_close(first);
}

TEST_F(server, logs_joins_and_leaves_when_verbose)
{
	struct peer *peer = peer_join(self->server.socket, 2);

	ASSERT_NE(NULL, peer);
	EXPECT_TRUE(server_says(&self->server, "ivshmemd: peer 0: joined"));
	peer_close(peer);
	EXPECT_TRUE(server_says(&self->server, "ivshmemd: peer 0: left"));
}

TEST_F(server, ends_on_sigterm_with_status_0_and_removes_its_files)
{
	ASSERT_EQ(0, kill(self->server.pid, SIGTERM));
	EXPECT_EQ(0, server_wait(&self->server));
	EXPECT_NE(0, access(self->server.socket, F_OK));
	EXPECT_NE(0, access(server_path(&self->server, "socket.lock"), F_OK));
}

TEST_F(server, ends_on_sigint_with_status_0)
{
	ASSERT_EQ(0, kill(self->server.pid, SIGINT));
	EXPECT_EQ(0, server_wait(&self->server));
}

TEST_F(server, leaves_memory_and_rings_working_when_killed)
{
	struct peer *peer = peer_join(self->server.socket, 2);
	eventfd_t value;

	ASSERT_NE(NULL, peer);
	kill(self->server.pid, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, server_wait(&self->server));
	EXPECT_EQ(1, pwrite(peer->memory_fd, "x", 1, 0));
	EXPECT_EQ(0, eventfd_write(peer->own_vectors[0], 1));
	EXPECT_EQ(0, eventfd_read(peer->own_vectors[0], &value));
	peer_close(peer);
	unlink(self->server.socket);
	unlink(server_path(&self->server, "socket.lock"));
	unlink(server_path(&self->server, "socket.control"));
}

TEST_HARNESS_MAIN
