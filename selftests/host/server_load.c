// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemd under load and ill will: many peers that come and go, slow ones,
 * floods of connections, and descriptors that run out. What a peer learns must
 * always be what is there, and the server must outlive it all.
 */
#include "kselftest_harness.h"
#include "server_process.h"
#include "server_peer.h"

#define NR_PEERS 60
#define NR_VECTORS 4

FIXTURE(load) {
	struct server server;
	struct peer *peers[NR_PEERS];
};

FIXTURE_SETUP(load)
{
	ASSERT_TRUE(server_init(&self->server));
}

FIXTURE_TEARDOWN(load)
{
	int i;

	EXPECT_TRUE(!self->server.pid || server_alive(&self->server));
	for (i = 0; i < NR_PEERS; i++)
		peer_close(self->peers[i]);
	EXPECT_TRUE(server_fini(&self->server));
}

static void replace(struct server *server, struct peer **peer)
{
	peer_close(*peer);
	*peer = peer_join(server->socket, NR_VECTORS);
	server_read_log(server);
}

/* Each knows all, with all vectors; nobody saw what would end a QEMU. */
static bool all_know_all(struct peer **peers, unsigned int nr)
{
	unsigned int i, j;

	for (i = 0; i < nr; i++) {
		/* The youngest is the last that all others are told of. */
		for (j = 0; j < nr; j++) {
			while (!peers[i]->vectors[peers[j]->own_id])
				if (!peer_learn(peers[i], WAIT_MS))
					return false;
		}
		if (!peer_knows(peers[i], nr) || peers[i]->violations)
			return false;
	}
	return true;
}

TEST_F(load, holds_60_peers_with_4_vectors_that_come_and_go)
{
	unsigned int i, round, random = 1;

	ASSERT_TRUE(server_start(&self->server, "-n 4"));
	for (i = 0; i < NR_PEERS; i++) {
		replace(&self->server, &self->peers[i]);
		ASSERT_NE(NULL, self->peers[i]);
	}
	EXPECT_TRUE(all_know_all(self->peers, NR_PEERS));
	for (round = 0; round < 10; round++) {
		for (i = 0; i < NR_PEERS; i++) {
			random = random * 1103515245 + 12345;
			unsigned int which = (random >> 16) % NR_PEERS;

			replace(&self->server, &self->peers[which]);
			ASSERT_NE(NULL, self->peers[which]);
		}
		ASSERT_TRUE(all_know_all(self->peers, NR_PEERS));
	}
}

TEST_F(load, closes_what_a_peer_cost_when_it_leaves)
{
	unsigned int before, i;

	ASSERT_TRUE(server_start(&self->server, "-n 4"));
	replace(&self->server, &self->peers[0]);
	ASSERT_NE(NULL, self->peers[0]);
	before = server_open_files(&self->server);
	for (i = 1; i < 20; i++) {
		replace(&self->server, &self->peers[i]);
		ASSERT_NE(NULL, self->peers[i]);
	}
	EXPECT_EQ(before + 19 * 5, server_open_files(&self->server));
	for (i = 1; i < 20; i++) {
		int id = self->peers[i]->own_id;

		peer_close(self->peers[i]);
		self->peers[i] = NULL;
		EXPECT_TRUE(peer_misses(self->peers[0], id));
	}
	/* The last leave is sent before its eventfds are closed. */
	replace(&self->server, &self->peers[1]);
	EXPECT_EQ(before + 5, server_open_files(&self->server));
}

TEST_F(load, a_slow_peer_delays_nobody_and_loses_nothing)
{
	struct peer *slow;
	unsigned int i, round;

	ASSERT_TRUE(server_start(&self->server, "-n 4"));
	slow = peer_join(self->server.socket, NR_VECTORS);
	ASSERT_NE(NULL, slow);
	self->peers[0] = slow;
	/* Many times what its socket holds (278 messages). */
	for (round = 0; round < 10; round++) {
		for (i = 1; i < NR_PEERS; i++) {
			replace(&self->server, &self->peers[i]);
			ASSERT_NE(NULL, self->peers[i]);
		}
		ASSERT_TRUE(all_know_all(self->peers + 1, 1));
	}
	EXPECT_TRUE(all_know_all(self->peers, NR_PEERS));
	EXPECT_TRUE(peer_is_quiet(slow));
}

TEST_F(load, a_peer_that_never_read_its_greeting_loses_nothing)
{
	struct peer *late;
	unsigned int i;

	ASSERT_TRUE(server_start(&self->server, "-n 4"));
	late = peer_connect(self->server.socket, NR_VECTORS);
	ASSERT_LE(0, late->sock);
	self->peers[0] = late;
	for (i = 1; i < NR_PEERS; i++)
		replace(&self->server, &self->peers[i]);
	for (i = 1; i < NR_PEERS; i += 2)
		replace(&self->server, &self->peers[i]);
	EXPECT_TRUE(peer_read_greeting(late));
	EXPECT_TRUE(all_know_all(self->peers, NR_PEERS));
}

TEST_F(load, a_peer_that_reads_nothing_for_the_stall_timeout_is_disconnected)
{
	struct peer *stalled, *other;
	unsigned int i;

	ASSERT_TRUE(server_start(&self->server, "-n 4 --stall-timeout 1"));
	stalled = peer_join(self->server.socket, NR_VECTORS);
	other = peer_join(self->server.socket, NR_VECTORS);
	ASSERT_NE(NULL, stalled);
	ASSERT_NE(NULL, other);
	/* Only a queue that does not move counts: this one fills it. */
	for (i = 0; i < 100; i++) {
		struct peer *guest = peer_join(self->server.socket, NR_VECTORS);

		ASSERT_NE(NULL, guest);
		while (other->vectors[guest->own_id] < NR_VECTORS)
			ASSERT_TRUE(peer_learn(other, WAIT_MS));
		peer_close(guest);
		ASSERT_TRUE(peer_misses(other, 2 + (int)i));
	}
	self->peers[0] = peer_join(self->server.socket, NR_VECTORS);
	EXPECT_TRUE(server_says(&self->server,
				"peer 0: disconnected: it does not read"));
	EXPECT_TRUE(peer_misses(other, 0));
	EXPECT_EQ(0, other->violations);
	peer_close(other);
	peer_close(stalled);
}

TEST_F(load, outlives_a_flood_of_connections_that_close_at_once)
{
	struct peer *stays;
	int i;

	ASSERT_TRUE(server_start(&self->server, "-n 4"));
	stays = peer_join(self->server.socket, NR_VECTORS);
	ASSERT_NE(NULL, stays);
	for (i = 0; i < 5000; i++) {
		close(connect_to(self->server.socket));
		server_read_log(&self->server);
		while (!peer_is_quiet(stays))
			ASSERT_TRUE(peer_learn(stays, 0));
	}
	self->peers[0] = stays;
	self->peers[1] = peer_join(self->server.socket, NR_VECTORS);
	ASSERT_NE(NULL, self->peers[1]);
	EXPECT_TRUE(all_know_all(self->peers, 2));
}

TEST_F(load, refuses_beyond_the_budget_with_a_version_that_qemu_rejects)
{
	struct message message;
	int sock;

	ASSERT_TRUE(server_start(&self->server, "-n 4 --budget 11"));
	self->peers[0] = peer_join(self->server.socket, NR_VECTORS);
	self->peers[1] = peer_join(self->server.socket, NR_VECTORS);
	ASSERT_NE(NULL, self->peers[1]);
	sock = connect_to(self->server.socket);
	message = receive(sock, WAIT_MS);
	EXPECT_EQ(-1, message.value);
	EXPECT_EQ(-1, message.fd);
	EXPECT_EQ(0, recv(sock, &message, 1, 0));
	close(sock);
	EXPECT_TRUE(server_says(&self->server, "join refused: the budget"));
	EXPECT_TRUE(all_know_all(self->peers, 2));
	EXPECT_TRUE(peer_is_quiet(self->peers[0]));
}

TEST_F(load, a_leave_gives_its_part_of_the_budget_back)
{
	ASSERT_TRUE(server_start(&self->server, "-n 4 --budget 8"));
	self->peers[0] = peer_join(self->server.socket, NR_VECTORS);
	self->peers[1] = peer_join(self->server.socket, NR_VECTORS);
	ASSERT_NE(NULL, self->peers[1]);
	EXPECT_EQ(NULL, peer_join(self->server.socket, NR_VECTORS));
	replace(&self->server, &self->peers[1]);
	EXPECT_NE(NULL, self->peers[1]);
}

TEST_F(load, holds_225_peers_with_4_vectors_by_default_and_no_more)
{
	int socks[225], i;

	ASSERT_TRUE(server_start(&self->server, "-n 4"));
	for (i = 0; i < 225; i++) {
		socks[i] = connect_to(self->server.socket);
		EXPECT_EQ(0, receive(socks[i], WAIT_MS).value);
		server_read_log(&self->server);
	}
	EXPECT_EQ(NULL, peer_join(self->server.socket, NR_VECTORS));
	for (i = 0; i < 225; i++)
		close(socks[i]);
}

TEST_F_TIMEOUT(load, serves_200_peers_with_8_vectors_when_the_budget_says_so, 120)
{
	struct peer *peers[200];
	int i;

	ASSERT_TRUE(server_start(&self->server, "-n 8 --budget 1600"));
	for (i = 0; i < 200; i++) {
		peers[i] = peer_join(self->server.socket, 8);
		ASSERT_NE(NULL, peers[i]);
		server_read_log(&self->server);
	}
	EXPECT_EQ(NULL, peer_join(self->server.socket, 8));
	for (i = 0; i < 200; i++) {
		ASSERT_TRUE(peer_knows(peers[i], 200));
		EXPECT_EQ(0, peers[i]->violations);
		EXPECT_TRUE(peer_is_quiet(peers[i]));
	}
	for (i = 0; i < 200; i++)
		peer_close(peers[i]);
}

TEST_F(load, refuses_when_out_of_descriptors_and_serves_again_later)
{
	struct message message;
	unsigned int i;
	int sock;

	self->server.max_files = 40;
	ASSERT_TRUE(server_start(&self->server, "-n 4"));
	for (i = 0; i < NR_PEERS; i++) {
		self->peers[i] = peer_join(self->server.socket, NR_VECTORS);
		if (!self->peers[i])
			break;
	}
	EXPECT_LT(2, i);
	ASSERT_GT(10, i);
	sock = connect_to(self->server.socket);
	message = receive(sock, WAIT_MS);
	EXPECT_EQ(-1, message.value);
	close(sock);
	EXPECT_TRUE(server_says(&self->server, "join refused: "));
	EXPECT_TRUE(all_know_all(self->peers, i));
	replace(&self->server, &self->peers[0]);
	ASSERT_NE(NULL, self->peers[0]);
	EXPECT_TRUE(all_know_all(self->peers, i));
}

/* sendmsg() says ETOOMANYREFS then, and no EPOLLOUT tells of the end of it. */
TEST_F(load, loses_nothing_when_too_many_descriptors_are_under_way)
{
	struct pollfd pollfds[6];
	unsigned int i, known = 0;

	self->server.max_files = 45;
	self->server.unprivileged = true;
	ASSERT_TRUE(server_start(&self->server, "-n 4"));
	for (i = 0; i < 6; i++) {
		self->peers[i] = peer_connect(self->server.socket, NR_VECTORS);
		ASSERT_LE(0, self->peers[i]->sock);
	}
	ASSERT_TRUE(server_says(&self->server, "peer 5: joined"));
	/* What one reads lets another's be sent: all read in turn. */
	for (i = 0; i < 6; i++)
		pollfds[i] = (struct pollfd) { self->peers[i]->sock, POLLIN, 0 };
	while (known < 36) {
		ASSERT_LT(0, poll(pollfds, 6, WAIT_MS));
		for (i = 0, known = 0; i < 6; i++) {
			if (pollfds[i].revents)
				ASSERT_TRUE(peer_learn(self->peers[i], 0));
			known += self->peers[i]->nr_known;
		}
	}
	EXPECT_TRUE(all_know_all(self->peers, 6));
}

/* Without vectors it is accept() that runs out: the reserve has to be used. */
TEST_F(load, refuses_when_it_cannot_even_accept)
{
	unsigned int i, refused = 0;
	int socks[200];

	self->server.max_files = 21;
	ASSERT_TRUE(server_start(&self->server, "-n 0"));
	for (i = 0; i < 200; i++) {
		socks[i] = connect_to(self->server.socket);
		ASSERT_LE(0, socks[i]);
		refused += receive(socks[i], WAIT_MS).value == -1;
	}
	EXPECT_LT(180, refused);
	EXPECT_TRUE(server_says(&self->server, "out of file descriptors"));
	for (i = 0; i < 200; i++)
		close(socks[i]);
	self->peers[0] = peer_join(self->server.socket, 0);
	EXPECT_NE(NULL, self->peers[0]);
}

TEST_F(load, serves_256_vectors)
{
	struct peer *first, *second;

	ASSERT_TRUE(server_start(&self->server, "-n 256"));
	first = peer_join(self->server.socket, 256);
	second = peer_join(self->server.socket, 256);
	ASSERT_NE(NULL, first);
	ASSERT_NE(NULL, second);
	EXPECT_TRUE(peer_knows(first, 2));
	EXPECT_TRUE(peer_knows(second, 2));
	peer_close(second);
	EXPECT_TRUE(peer_misses(first, 1));
	EXPECT_EQ(0, first->violations);
	peer_close(first);
}

TEST_F(load, tells_nobody_of_peers_without_vectors)
{
	struct peer *first, *second;

	ASSERT_TRUE(server_start(&self->server, "-n 0"));
	first = peer_join(self->server.socket, 0);
	second = peer_join(self->server.socket, 0);
	ASSERT_NE(NULL, first);
	ASSERT_NE(NULL, second);
	peer_close(second);
	EXPECT_TRUE(server_says(&self->server, "peer 1: left"));
	EXPECT_TRUE(peer_is_quiet(first));
	peer_close(first);
}

TEST_F_TIMEOUT(load, refuses_all_when_65536_ids_have_been_given, 120)
{
	struct message message;
	int i, sock;

	ASSERT_TRUE(server_start(&self->server, "-n 0"));
	for (i = 0; i < NR_IDS; i++) {
		sock = connect_to(self->server.socket);
		ASSERT_EQ(0, receive(sock, WAIT_MS).value);
		message = receive(sock, WAIT_MS);
		ASSERT_EQ(i, message.value);
		close(sock);
		if (i % 64 == 0) {
			server_read_log(&self->server);
			self->server.log_length = 0;
		}
	}
	sock = connect_to(self->server.socket);
	EXPECT_EQ(-1, receive(sock, WAIT_MS).value);
	close(sock);
	EXPECT_TRUE(server_says(&self->server, "all 65536 peer IDs"));
}

TEST_HARNESS_MAIN
