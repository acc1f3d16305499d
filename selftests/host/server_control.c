// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemd's control socket: what status tells, what kick does, and that nobody
 * on it can keep the server from serving.
 */
#include "kselftest_harness.h"
#include "server_control.h"

#define NR_VECTORS 2

FIXTURE(control) {
	struct server server;
	struct answer answer;
	struct peer *peers[3];
};

FIXTURE_SETUP(control)
{
	ASSERT_TRUE(server_init(&self->server));
}

FIXTURE_TEARDOWN(control)
{
	int i;

	for (i = 0; i < 3; i++)
		peer_close(self->peers[i]);
	EXPECT_TRUE(server_fini(&self->server));
}

#define START(more) \
	ASSERT_TRUE(server_start(&self->server, "-n 2 -l 64K " more))

#define JOIN(nr) do {							\
	for (int i_ = 0; i_ < (nr); i_++) {				\
		self->peers[i_] = peer_join(self->server.socket, NR_VECTORS); \
		ASSERT_NE(NULL, self->peers[i_]);			\
	}								\
} while (0)

/* The status has these words. */
#define TOLD(words) do {						\
	ASSERT_TRUE(control_ask(&self->server, "status\n", &self->answer)); \
	EXPECT_NE(NULL, strstr(self->answer.text, words))		\
		TH_LOG("no \"%s\" in:\n%s", words, self->answer.text);	\
} while (0)

#define REFUSED(bytes, words) do {					\
	ASSERT_TRUE(control_ask(&self->server, bytes, &self->answer));	\
	EXPECT_EQ(0, strncmp(self->answer.text, "error: " words,	\
			     strlen("error: " words)))			\
		TH_LOG("%s", self->answer.text);			\
} while (0)

/* Runs ivshmemd with these words and -S; another server's fields serve. */
static int asks(struct server *server, const char *words, struct answer *answer)
{
	struct server tool = *server;
	char arguments[256];
	int status;

	tool.output = -1;
	tool.log = NULL;
	snprintf(arguments, sizeof(arguments), "%s -S %s", words, server->socket);
	status = server_run(&tool, arguments) ? server_wait(&tool) : -1;
	snprintf(answer->text, sizeof(answer->text), "%s", tool.log);
	answer->length = strlen(answer->text);
	close(tool.output);
	free(tool.log);
	return status;
}

TEST_F(control, the_socket_is_for_its_owner_alone)
{
	struct stat st;
	mode_t mask = umask(0);

	START("--socket-mode 0666");
	umask(mask);
	ASSERT_EQ(0, stat(server_path(&self->server, "socket.control"), &st));
	EXPECT_EQ(0600, st.st_mode & 07777);
}

TEST_F(control, status_names_memory_and_limits)
{
	START("--budget 20 --max-per-uid 7 --stall-timeout 9");
	TOLD("memory: kind \"memfd\", size 65536\n");
	TOLD("limits: peers 10, ids 65536, budget 20, max_per_uid 7, stall_timeout_s 9, announce_leave \"yes\"\n");
}

TEST_F(control, status_names_a_directory_and_unannounced_leaves)
{
	ASSERT_TRUE(server_start(&self->server, "-m /tmp --announce-leave no"));
	TOLD("memory: kind \"directory\", name \"/tmp\", size 4194304\n");
	TOLD("announce_leave \"no\"\n");
}

TEST_F(control, status_names_a_shared_memory_object)
{
	char arguments[64], words[64];

	snprintf(arguments, sizeof(arguments), "-M ivshmemd-test-%d", getpid());
	ASSERT_TRUE(server_start(&self->server, arguments));
	snprintf(words, sizeof(words), "kind \"shm\", name \"ivshmemd-test-%d\"",
		 getpid());
	TOLD(words);
}

TEST_F(control, status_names_each_peer_with_process_user_and_program)
{
	char words[160];

	ASSERT_EQ(0, prctl(PR_SET_NAME, "a \"peer\" \\\n\x1b[2J"));
	START("");
	JOIN(2);
	snprintf(words, sizeof(words),
		 "peer: id 1, pid %d, uid %u, gid %u, program \"a \\\"peer\\\" \\\\",
		 getpid(), geteuid(), getegid());
	TOLD(words);
	EXPECT_EQ(NULL, strchr(self->answer.text, '\x1b'));
	EXPECT_NE(NULL, strstr(self->answer.text, "server: "));
	EXPECT_EQ(2, status_number(&self->server, "peers"));
	EXPECT_EQ(2, status_number(&self->server, "next_id"));
}

TEST_F(control, status_counts_messages_sent_and_eventfds_held)
{
	START("");
	JOIN(2);
	/* To peer 0: the greeting, and two vectors of each. */
	EXPECT_EQ(7, status_number(&self->server, "sent"));
	EXPECT_EQ(4, status_number(&self->server, "eventfds"));
	EXPECT_EQ(0, status_number(&self->server, "queue"));
}

TEST_F(control, status_shows_the_queue_of_a_peer_that_does_not_read)
{
	int i;

	START("");
	self->peers[0] = peer_connect(self->server.socket, NR_VECTORS);
	/* Its socket holds 278 messages; each of these is two and a leave. */
	for (i = 0; i < 200; i++) {
		struct peer *peer = peer_join(self->server.socket, NR_VECTORS);

		ASSERT_NE(NULL, peer);
		peer_close(peer);
		server_read_log(&self->server);
	}
	self->peers[1] = peer_join(self->server.socket, NR_VECTORS);
	ASSERT_NE(NULL, self->peers[1]);
	EXPECT_LT(0, status_number(&self->server, "queue"));
}

TEST_F(control, status_counts_joins_leaves_and_refusals)
{
	START("--budget 4");
	JOIN(2);
	EXPECT_EQ(NULL, peer_join(self->server.socket, NR_VECTORS));
	peer_close(self->peers[1]);
	self->peers[1] = NULL;
	ASSERT_TRUE(peer_misses(self->peers[0], 1));
	TOLD("counters: joins 2, leaves 1, refused 1, kicked 0, stalled 0\n");
}

TEST_F(control, counters_and_restarts_are_known_to_the_next_server)
{
	START("--keeper");
	JOIN(2);
	self->server.log_length = 0;
	ASSERT_EQ(0, kill((pid_t)status_number(&self->server, "pid"), SIGKILL));
	ASSERT_TRUE(server_says(&self->server, "listening on"));
	TOLD("counters: joins 2, ");
	TOLD("restarts 1, vectors 2, peers 2, next_id 2\n");
}

TEST_F(control, kick_disconnects_the_peer_and_tells_the_others)
{
	START("");
	JOIN(3);
	ASSERT_TRUE(peer_knows(self->peers[0], 3));
	ASSERT_TRUE(control_ask(&self->server, "kick 1\n", &self->answer));
	EXPECT_EQ(0, self->answer.length);
	EXPECT_TRUE(peer_misses(self->peers[0], 1));
	EXPECT_TRUE(peer_misses(self->peers[2], 1));
	while (peer_learn(self->peers[1], WAIT_MS))
		;
	EXPECT_EQ(0, recv(self->peers[1]->sock, self->answer.text, 1, 0));
	EXPECT_TRUE(server_says(&self->server, "peer 1: disconnected: kicked"));
	TOLD("joins 3, leaves 1, refused 0, kicked 1, stalled 0\n");
	EXPECT_EQ(0, self->peers[0]->violations);
}

TEST_F(control, kick_of_a_peer_that_is_not_there_is_an_error)
{
	START("");
	JOIN(1);
	REFUSED("kick 1\n", "kick 1: there is no such peer\n");
	EXPECT_EQ(1, asks(&self->server, "kick 1", &self->answer));
	EXPECT_STREQ("ivshmemd: kick 1: there is no such peer\n",
		     self->answer.text);
}

TEST_F(control, kick_without_a_valid_id_is_an_error)
{
	START("");
	REFUSED("kick \n", "kick: must be followed by a peer's ID");
	REFUSED("kick 65536\n", "kick: must be followed by a peer's ID");
	REFUSED("kick -1\n", "kick: must be followed by a peer's ID");
	REFUSED("kick 1 2\n", "kick: must be followed by a peer's ID");
}

TEST_F(control, an_unknown_line_is_an_error)
{
	START("");
	REFUSED("statu\n", "it knows");
	REFUSED("\n", "it knows");
	REFUSED("kick\n", "it knows");
	REFUSED("status\r\n", "it knows");
}

TEST_F(control, a_line_of_64_bytes_is_an_error_and_not_waited_for)
{
	char line[65];

	START("");
	memset(line, 's', 64);
	line[64] = '\0';
	REFUSED(line, "it knows");
}

TEST_F(control, a_line_may_come_byte_by_byte)
{
	const char *line = "status\n";
	int sock;

	START("");
	sock = control_connect(&self->server);
	ASSERT_LE(0, sock);
	for (; *line; line++) {
		ASSERT_EQ(1, send(sock, line, 1, 0));
		/* The server has worked in between. */
		ASSERT_LE(0, status_number(&self->server, "restarts"));
	}
	ASSERT_TRUE(control_read(sock, &self->answer));
	EXPECT_EQ(0, strncmp(self->answer.text, "server: ", 8));
	close(sock);
}

TEST_F(control, one_who_says_nothing_makes_room_for_others)
{
	int socks[10], i;
	char byte;

	START("");
	for (i = 0; i < 10; i++) {
		socks[i] = control_connect(&self->server);
		ASSERT_LE(0, socks[i]);
	}
	ASSERT_TRUE(control_ask(&self->server, "status\n", &self->answer));
	EXPECT_LT(0, self->answer.length);
	EXPECT_EQ(0, recv(socks[0], &byte, 1, 0));
	for (i = 0; i < 10; i++)
		close(socks[i]);
}

TEST_F(control, one_who_does_not_read_harms_nobody)
{
	int socks[4], i;

	START("");
	JOIN(2);
	for (i = 0; i < 4; i++) {
		int small = 1;

		socks[i] = control_connect(&self->server);
		setsockopt(socks[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
		ASSERT_EQ(7, send(socks[i], "status\n", 7, 0));
		shutdown(socks[i], SHUT_RD);
	}
	self->peers[2] = peer_join(self->server.socket, NR_VECTORS);
	ASSERT_NE(NULL, self->peers[2]);
	EXPECT_TRUE(peer_knows(self->peers[0], 3));
	TOLD("peers 3, ");
	for (i = 0; i < 4; i++)
		close(socks[i]);
}

TEST_F(control, what_is_asked_costs_no_descriptor_afterwards)
{
	unsigned int before;
	int i;

	START("");
	TOLD("server: ");
	before = server_open_files(&self->server);
	for (i = 0; i < 100; i++)
		ASSERT_TRUE(control_ask(&self->server, "kick 7\n", &self->answer));
	TOLD("server: ");
	EXPECT_EQ(before, server_open_files(&self->server));
}

TEST_F(control, it_answers_when_it_is_out_of_descriptors_and_one_gets_free)
{
	struct peer *peers[40];
	int i, nr = 0, sock;

	self->server.max_files = 24;
	ASSERT_TRUE(server_start(&self->server, "-n 0"));
	while (nr < 40 && (peers[nr] = peer_join(self->server.socket, 0)))
		nr++;
	ASSERT_GT(40, nr);
	sock = control_connect(&self->server);
	ASSERT_EQ(7, send(sock, "status\n", 7, 0));
	peer_close(peers[--nr]);
	EXPECT_TRUE(control_read(sock, &self->answer));
	EXPECT_EQ(0, strncmp(self->answer.text, "server: ", 8));
	close(sock);
	for (i = 0; i < nr; i++)
		peer_close(peers[i]);
}

TEST_F(control, a_file_in_the_place_of_the_control_socket_leaves_the_peers_served)
{
	const char *path = server_path(&self->server, "socket.control");
	int fd = open(path, O_CREAT | O_RDWR, 0600);

	START("");
	JOIN(1);
	EXPECT_TRUE(server_said(&self->server, "exists and is no socket"));
	EXPECT_TRUE(server_said(&self->server, "no control socket: status and kick will not work"));
	EXPECT_EQ(0, server_stop(&self->server));
	EXPECT_EQ(0, unlink(path));
	close(fd);
}

TEST_F(control, that_of_a_killed_server_is_replaced)
{
	START("");
	kill(self->server.pid, SIGKILL);
	ASSERT_EQ(128 + SIGKILL, server_wait(&self->server));
	START("");
	TOLD("server: ");
}

TEST_F(control, status_is_shown)
{
	START("");
	ASSERT_EQ(0, asks(&self->server, "status", &self->answer));
	EXPECT_NE(NULL, strstr(self->answer.text, "limits: peers 450, "));
}

TEST_F(control, status_in_json_is_one_object_of_the_same_names)
{
	START("");
	JOIN(2);
	ASSERT_EQ(0, asks(&self->server, "status --json", &self->answer));
	EXPECT_EQ(0, strncmp(self->answer.text, "{\"server\":{", 11));
	EXPECT_NE(NULL, strstr(self->answer.text, "},\"peers\":[{\"id\":0,\"pid\":"));
	EXPECT_STREQ("}]}\n", self->answer.text + self->answer.length - 4);
}

TEST_F(control, kick_is_silent_and_done_when_it_returns)
{
	START("");
	JOIN(2);
	ASSERT_TRUE(peer_knows(self->peers[0], 2));
	ASSERT_EQ(0, asks(&self->server, "kick 1", &self->answer));
	EXPECT_STREQ("", self->answer.text);
	EXPECT_FALSE(peer_is_quiet(self->peers[0]));
}

TEST_F(control, without_a_server_asking_is_an_error)
{
	EXPECT_EQ(1, asks(&self->server, "status", &self->answer));
	EXPECT_NE(NULL, strstr(self->answer.text,
			       "socket.control: No such file or directory: is there a server on this socket?\n"));
}

TEST_F(control, words_that_cannot_be_asked_are_usage_errors)
{
	EXPECT_EQ(2, asks(&self->server, "kick", &self->answer));
	EXPECT_EQ(2, asks(&self->server, "kick x", &self->answer));
	EXPECT_EQ(2, asks(&self->server, "kick 65536", &self->answer));
	EXPECT_EQ(2, asks(&self->server, "kick 1 2", &self->answer));
	EXPECT_EQ(2, asks(&self->server, "kick --json 1", &self->answer));
	EXPECT_EQ(2, asks(&self->server, "status 1", &self->answer));
	EXPECT_EQ(2, asks(&self->server, "status --frob", &self->answer));
}

TEST_HARNESS_MAIN
