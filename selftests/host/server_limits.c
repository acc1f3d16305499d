// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who may become a peer of ivshmemd and how many there may be: users, groups,
 * the socket's mode and group, and leaves that are not announced.
 */
#include <grp.h>

#include "kselftest_harness.h"
#include "server_process.h"
#include "server_peer.h"

/* Nobody has these IDs. */
#define OTHER_UID 54321
#define OTHER_GID 54322

FIXTURE(limits) {
	struct server server;
};

FIXTURE_SETUP(limits)
{
	ASSERT_TRUE(server_init(&self->server));
}

FIXTURE_TEARDOWN(limits)
{
	EXPECT_TRUE(server_fini(&self->server));
}

/* The version that a process of these IDs is greeted with: 0, or -1. */
static int greeted_as(struct server *server, uid_t uid, gid_t gid,
		      gid_t supplementary)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		if (setgroups(1, &supplementary) || setgid(gid) || setuid(uid))
			_exit(100);
		_exit(receive(connect_to(server->socket), WAIT_MS).value == 0 ?
		      0 : 1);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status) ? -WEXITSTATUS(status) : 0;
}

#define START(arguments) do {						\
	if (geteuid())							\
		SKIP(return, "only root can be several users");		\
	ASSERT_TRUE(server_start(&self->server, arguments));		\
	ASSERT_EQ(0, chmod(self->server.dir, 0755));			\
	ASSERT_EQ(0, chmod(self->server.socket, 0777));			\
} while (0)

TEST_F(limits, everybody_who_can_connect_is_a_peer_by_default)
{
	START("");
	EXPECT_EQ(0, greeted_as(&self->server, OTHER_UID, OTHER_GID, 0));
}

TEST_F(limits, a_user_who_is_not_allowed_is_refused_and_named_in_the_log)
{
	START("--allow-uid 0");
	EXPECT_EQ(-1, greeted_as(&self->server, OTHER_UID, OTHER_GID, 0));
	EXPECT_TRUE(server_says(&self->server, "join refused: neither its user nor a group"));
	EXPECT_TRUE(server_says(&self->server, "user 54321)"));
}

TEST_F(limits, a_user_allowed_by_number_is_a_peer)
{
	START("--allow-uid 1 --allow-uid 54321");
	EXPECT_EQ(0, greeted_as(&self->server, OTHER_UID, OTHER_GID, 0));
	EXPECT_EQ(-1, greeted_as(&self->server, OTHER_UID + 1, OTHER_GID, 0));
}

TEST_F(limits, a_user_allowed_by_name_is_a_peer)
{
	START("--allow-uid root");
	EXPECT_EQ(0, greeted_as(&self->server, 0, OTHER_GID, 0));
}

TEST_F(limits, a_group_that_is_allowed_makes_its_members_peers)
{
	START("--allow-gid 54322");
	EXPECT_EQ(0, greeted_as(&self->server, OTHER_UID, OTHER_GID, 0));
	EXPECT_EQ(-1, greeted_as(&self->server, OTHER_UID, 1, 1));
}

TEST_F(limits, a_supplementary_group_counts_too)
{
	START("--allow-gid 54322");
	EXPECT_EQ(0, greeted_as(&self->server, OTHER_UID, 1, OTHER_GID));
}

TEST_F(limits, one_of_user_and_group_suffices)
{
	START("--allow-gid 54322 --allow-uid 0");
	EXPECT_EQ(0, greeted_as(&self->server, OTHER_UID, OTHER_GID, 1));
	EXPECT_EQ(0, greeted_as(&self->server, 0, 1, 1));
	EXPECT_EQ(-1, greeted_as(&self->server, OTHER_UID, 1, 1));
}

TEST_F(limits, a_refused_user_costs_no_id)
{
	struct peer *peer;

	START("--allow-uid 0");
	EXPECT_EQ(-1, greeted_as(&self->server, OTHER_UID, OTHER_GID, 0));
	peer = peer_join(self->server.socket, 1);
	ASSERT_NE(NULL, peer);
	EXPECT_EQ(0, peer->own_id);
	peer_close(peer);
}

TEST_F(limits, a_user_has_at_most_max_per_uid_peers)
{
	struct peer *first, *second;

	ASSERT_TRUE(server_start(&self->server, "--max-per-uid 2"));
	first = peer_join(self->server.socket, 1);
	second = peer_join(self->server.socket, 1);
	ASSERT_NE(NULL, second);
	EXPECT_EQ(NULL, peer_join(self->server.socket, 1));
	EXPECT_TRUE(server_says(&self->server, "as many peers as --max-per-uid"));
	peer_close(second);
	EXPECT_TRUE(peer_misses(first, 1));
	second = peer_join(self->server.socket, 1);
	EXPECT_NE(NULL, second);
	peer_close(second);
	peer_close(first);
}

TEST_F(limits, one_users_peers_do_not_count_for_another)
{
	struct peer *peer;

	START("--max-per-uid 1");
	peer = peer_join(self->server.socket, 1);
	ASSERT_NE(NULL, peer);
	EXPECT_EQ(0, greeted_as(&self->server, OTHER_UID, OTHER_GID, 0));
	peer_close(peer);
}

TEST_F(limits, socket_has_the_mode_and_the_group_asked_for)
{
	struct stat st;
	mode_t mask = umask(0077);

	if (geteuid())
		SKIP(return, "only root can give a file to any group");
	ASSERT_TRUE(server_start(&self->server,
				 "--socket-mode 0626 --socket-group 54322"));
	umask(mask);
	ASSERT_EQ(0, stat(self->server.socket, &st));
	EXPECT_EQ(0626, st.st_mode & 07777);
	EXPECT_EQ(OTHER_GID, st.st_gid);
}

TEST_F(limits, leaves_are_not_announced_when_so_told)
{
	struct peer *first, *second, *third;

	ASSERT_TRUE(server_start(&self->server, "-n 2 --announce-leave=no"));
	first = peer_join(self->server.socket, 2);
	second = peer_join(self->server.socket, 2);
	ASSERT_NE(NULL, second);
	ASSERT_TRUE(peer_knows(first, 2));
	peer_close(second);
	EXPECT_TRUE(server_says(&self->server, "peer 1: left"));
	third = peer_join(self->server.socket, 2);
	ASSERT_NE(NULL, third);
	EXPECT_TRUE(peer_knows(first, 3));
	EXPECT_TRUE(peer_is_quiet(first));
	EXPECT_TRUE(peer_knows(third, 2));
	EXPECT_EQ(0, third->vectors[1]);
	peer_close(third);
	peer_close(first);
}

/* A QEMU keeps the eventfds of peers whose leave it never heard of. */
TEST_F(limits, peers_that_left_unannounced_stay_in_the_budget)
{
	struct peer *stays;
	int i;

	ASSERT_TRUE(server_start(&self->server,
				 "-n 2 --budget 8 --announce-leave=no"));
	stays = peer_join(self->server.socket, 2);
	for (i = 1; i < 4; i++) {
		struct peer *peer = peer_join(self->server.socket, 2);

		ASSERT_NE(NULL, peer);
		ASSERT_TRUE(peer_knows(stays, 1 + (unsigned int)i));
		peer_close(peer);
	}
	ASSERT_TRUE(server_says(&self->server, "peer 3: left"));
	EXPECT_EQ(NULL, peer_join(self->server.socket, 2));
	EXPECT_TRUE(server_says(&self->server, "join refused: the budget"));
	peer_close(stays);
	ASSERT_TRUE(server_says(&self->server, "peer 0: left"));
	stays = peer_join(self->server.socket, 2);
	EXPECT_NE(NULL, stays);
	peer_close(stays);
}

TEST_HARNESS_MAIN
