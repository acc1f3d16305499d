// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemd that is killed while peers are connected: the next one goes on where
 * it ended, and no peer can tell. A keeper restarts it; what systemd does
 * instead is in server_store.c.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "server_process.h"
#include "server_peer.h"

#define NR_VECTORS 3
#define NR_PEERS 8

FIXTURE(restart) {
	struct server server;	/* its pid is the keeper's */
	struct peer *peers[NR_PEERS];
};

FIXTURE_SETUP(restart)
{
	ASSERT_TRUE(server_init(&self->server));
}

FIXTURE_TEARDOWN(restart)
{
	int i;

	for (i = 0; i < NR_PEERS; i++)
		peer_close(self->peers[i]);
	EXPECT_TRUE(server_fini(&self->server));
}

/* The server itself, or 0 while there is none. */
static pid_t kept_server(const struct server *server)
{
	char path[64];
	FILE *file;
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
		 (int)server->pid, (int)server->pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%d", &pid) != 1)
		pid = 0;
	fclose(file);
	return pid;
}

/* Kills the server and waits until the next one has gone on. */
static bool kill_server(struct server *server)
{
	pid_t pid = kept_server(server);

	server_read_log(server);
	server->log_length = 0;
	return pid > 0 && !kill(pid, SIGKILL) &&
	       server_says(server, "listening on") &&
	       kept_server(server) != pid;
}

static bool join(struct server *server, struct peer **peers, int nr)
{
	int i;

	for (i = 0; i < nr; i++) {
		peers[i] = peer_join(server->socket, NR_VECTORS);
		if (!peers[i])
			return false;
	}
	return true;
}

/* Each knows these and no others, with all vectors, and saw nothing amiss. */
static bool all_know_all(struct peer **peers, unsigned int nr)
{
	unsigned int i, j;

	for (i = 0; i < nr; i++) {
		for (j = 0; j < nr; j++) {
			while (peers[i]->vectors[peers[j]->own_id] != NR_VECTORS)
				if (!peer_learn(peers[i], WAIT_MS))
					return false;
		}
		if (!peer_knows(peers[i], nr) || peers[i]->violations)
			return false;
	}
	return true;
}

/* One more join comes after all that was to be said before. */
static bool nothing_else_comes(struct server *server, struct peer **peers,
			       unsigned int nr)
{
	peer_close(peers[nr - 1]);
	peers[nr - 1] = peer_join(server->socket, NR_VECTORS);
	return peers[nr - 1] && all_know_all(peers, nr);
}

#define START(more) \
	ASSERT_TRUE(server_start(&self->server, "-n 3 -l 64K --keeper " more))
#define JOIN(nr) ASSERT_TRUE(join(&self->server, self->peers, nr))

TEST_F(restart, peers_of_a_killed_server_stay_connected)
{
	START("");
	JOIN(2);
	ASSERT_TRUE(all_know_all(self->peers, 2));
	ASSERT_TRUE(kill_server(&self->server));
	EXPECT_TRUE(server_said(&self->server, "goes on with 2 peers"));
	EXPECT_TRUE(peer_is_quiet(self->peers[0]));
	EXPECT_TRUE(peer_is_quiet(self->peers[1]));
}

TEST_F(restart, a_new_peer_and_those_from_before_know_each_other)
{
	START("");
	JOIN(2);
	ASSERT_TRUE(kill_server(&self->server));
	self->peers[2] = peer_join(self->server.socket, NR_VECTORS);
	ASSERT_NE(NULL, self->peers[2]);
	EXPECT_EQ(2, self->peers[2]->own_id);
	EXPECT_TRUE(all_know_all(self->peers, 3));
}

TEST_F(restart, the_memory_is_the_same)
{
	struct stat before, after;

	START("");
	JOIN(1);
	ASSERT_TRUE(kill_server(&self->server));
	self->peers[1] = peer_join(self->server.socket, NR_VECTORS);
	ASSERT_NE(NULL, self->peers[1]);
	ASSERT_EQ(0, fstat(self->peers[0]->memory_fd, &before));
	ASSERT_EQ(0, fstat(self->peers[1]->memory_fd, &after));
	EXPECT_EQ(before.st_ino, after.st_ino);
	EXPECT_EQ(before.st_size, after.st_size);
}

/* The new peer is given the eventfds that the old ones listen to. */
TEST_F(restart, rings_go_from_new_peers_to_old_ones)
{
	struct message message;
	eventfd_t value = 0;
	int sock, i;

	START("");
	JOIN(1);
	ASSERT_TRUE(kill_server(&self->server));
	sock = connect_to(self->server.socket);
	/* Version, ID, memory, three own vectors, then vector 0 and 1 of peer 0. */
	for (i = 0; i < 8; i++)
		message = receive(sock, WAIT_MS);
	ASSERT_EQ(0, message.value);
	ASSERT_EQ(0, eventfd_write(message.fd, 5));
	EXPECT_EQ(0, eventfd_read(self->peers[0]->own_vectors[1], &value));
	EXPECT_EQ(5, value);
	close(sock);
}

TEST_F(restart, a_peer_that_left_while_there_was_no_server_is_announced)
{
	pid_t pid;

	START("");
	JOIN(3);
	ASSERT_TRUE(all_know_all(self->peers, 3));
	pid = kept_server(&self->server);
	ASSERT_EQ(0, kill(self->server.pid, SIGSTOP));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	peer_close(self->peers[1]);
	self->peers[1] = self->peers[2];
	self->peers[2] = NULL;
	ASSERT_EQ(0, kill(self->server.pid, SIGCONT));
	EXPECT_TRUE(peer_misses(self->peers[0], 1));
	EXPECT_TRUE(peer_misses(self->peers[1], 1));
	EXPECT_TRUE(all_know_all(self->peers, 2));
}

TEST_F(restart, a_connection_made_while_there_was_no_server_is_served)
{
	pid_t pid;

	START("");
	JOIN(1);
	pid = kept_server(&self->server);
	ASSERT_EQ(0, kill(self->server.pid, SIGSTOP));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	self->peers[1] = peer_connect(self->server.socket, NR_VECTORS);
	ASSERT_LE(0, self->peers[1]->sock);
	ASSERT_EQ(0, kill(self->server.pid, SIGCONT));
	EXPECT_TRUE(peer_read_greeting(self->peers[1]));
	EXPECT_TRUE(all_know_all(self->peers, 2));
}

TEST_F(restart, what_a_slow_peer_had_not_been_sent_yet_is_sent_by_the_next)
{
	int i;

	START("");
	JOIN(1);
	/* More than its socket holds: 300 joins and leaves of 4 messages. */
	for (i = 1; i < 300; i++) {
		struct peer *peer = peer_join(self->server.socket, NR_VECTORS);

		ASSERT_NE(NULL, peer);
		peer_close(peer);
		server_read_log(&self->server);
	}
	for (i = 1; i < NR_PEERS; i++) {
		self->peers[i] = peer_join(self->server.socket, NR_VECTORS);
		ASSERT_NE(NULL, self->peers[i]);
	}
	ASSERT_TRUE(kill_server(&self->server));
	ASSERT_TRUE(kill_server(&self->server));
	ASSERT_TRUE(all_know_all(self->peers, NR_PEERS));
	EXPECT_TRUE(nothing_else_comes(&self->server, self->peers, NR_PEERS));
}

struct killer {
	pthread_t thread;
	struct server *server;
	atomic_bool stop;
	atomic_uint served;		/* joins */
	atomic_uint kills;
};

/*
 * Kills at any instant, but mostly one that has served since the last kill:
 * else, on a busy machine, none would ever come to it.
 */
static void *kill_again_and_again(void *argument)
{
	struct killer *killer = argument;
	unsigned int random = 1, served = 0;
	pid_t pid;

	while (!killer->stop) {
		random = random * 1103515245 + 12345;
		while (served == killer->served && (random >> 16) % 8 &&
		       !killer->stop)
			sched_yield();
		served = killer->served;
		usleep((random >> 8) % 3000);
		pid = kept_server(killer->server);
		if (pid > 0 && !kill(pid, SIGKILL))
			killer->kills++;
	}
	return NULL;
}

/* An accepted socket that was not yet in the keeper's hands is closed. */
static struct peer *join_between_kills(struct server *server)
{
	struct peer *peer;
	bool unlucky;

	do {
		server_read_log(server);
		server->log_length = 0;
		peer = peer_connect(server->socket, NR_VECTORS);
		if (peer->sock >= 0 && peer_read_greeting(peer))
			return peer;
		unlucky = peer->sock >= 0 && !peer->greeted;
		peer_close(peer);
	} while (unlucky);
	return NULL;
}

TEST_F_TIMEOUT(restart, killed_at_any_instant_it_tells_all_and_nothing_twice, 120)
{
	struct killer killer = { .server = &self->server };
	unsigned int i, random = 7, last = 0;

	START("");
	JOIN(NR_PEERS);
	ASSERT_EQ(0, pthread_create(&killer.thread, NULL, kill_again_and_again,
				    &killer));
	for (i = 0; i < 300 || killer.kills < 100; i++) {
		killer.served++;
		random = random * 1103515245 + 12345;
		last = (random >> 16) % (NR_PEERS - 1);
		peer_close(self->peers[last]);
		self->peers[last] = join_between_kills(&self->server);
		if (!self->peers[last])
			break;
	}
	killer.stop = true;
	pthread_join(killer.thread, NULL);
	TH_LOG("%u peers, %u kills", i, killer.kills);
	ASSERT_NE(NULL, self->peers[last]);
	ASSERT_TRUE(all_know_all(self->peers, NR_PEERS));
	EXPECT_TRUE(nothing_else_comes(&self->server, self->peers, NR_PEERS));
}

TEST_F(restart, the_keeper_gives_back_what_a_peer_cost_when_it_leaves)
{
	unsigned int before, i;

	START("");
	JOIN(2);
	ASSERT_TRUE(all_know_all(self->peers, 2));
	/* What the keeper was told before the server died has been done. */
	ASSERT_TRUE(kill_server(&self->server));
	before = server_open_files(&self->server);
	for (i = 0; i < 20; i++) {
		struct peer *peer = peer_join(self->server.socket, NR_VECTORS);

		ASSERT_NE(NULL, peer);
		peer_close(peer);
		ASSERT_TRUE(peer_misses(self->peers[0], 2 + (int)i));
	}
	ASSERT_TRUE(kill_server(&self->server));
	EXPECT_EQ(before, server_open_files(&self->server));
	EXPECT_EQ(0, self->peers[0]->violations);
}

TEST_F(restart, named_memory_stays_and_goes_at_the_end)
{
	char arguments[128], name[32];
	int fd;

	snprintf(name, sizeof(name), "ivshmemd-test-%d", getpid());
	snprintf(arguments, sizeof(arguments), "-n 3 --keeper -M %s", name);
	ASSERT_TRUE(server_start(&self->server, arguments));
	ASSERT_TRUE(kill_server(&self->server));
	fd = shm_open(name, O_RDWR, 0);
	EXPECT_LE(0, fd);
	close(fd);
	EXPECT_EQ(0, server_stop(&self->server));
	EXPECT_EQ(-1, shm_open(name, O_RDWR, 0));
}

TEST_F(restart, sighup_hands_over_to_a_new_server)
{
	pid_t before;

	START("");
	JOIN(2);
	before = kept_server(&self->server);
	self->server.log_length = 0;
	ASSERT_EQ(0, kill(self->server.pid, SIGHUP));
	ASSERT_TRUE(server_says(&self->server, "goes on with 2 peers"));
	ASSERT_TRUE(server_says(&self->server, "listening on"));
	EXPECT_NE(before, kept_server(&self->server));
	EXPECT_TRUE(all_know_all(self->peers, 2));
}

TEST_F(restart, sigterm_ends_keeper_and_server_and_removes_all_files)
{
	START("");
	JOIN(1);
	EXPECT_EQ(0, server_stop(&self->server));
	EXPECT_FALSE(peer_learn(self->peers[0], WAIT_MS) &&
		     peer_learn(self->peers[0], WAIT_MS));
	EXPECT_EQ(0, server_empty_dir(&self->server));
}

/* The next server may be anywhere between its fork and its loop. */
TEST_F(restart, sigterm_while_another_server_starts_is_a_good_end)
{
	struct timespec pause = { 0 };
	int i;

	for (i = 0; i < 60; i++) {
		START("");
		ASSERT_EQ(0, kill(self->server.pid, SIGHUP));
		pause.tv_nsec = i * 100000;
		nanosleep(&pause, NULL);
		ASSERT_EQ(0, server_stop(&self->server));
		ASSERT_EQ(0, server_empty_dir(&self->server));
	}
}

TEST_F(restart, a_server_that_cannot_start_ends_its_keeper_with_its_status)
{
	char arguments[160];

	snprintf(arguments, sizeof(arguments),
		 "-F -S %s --keeper -M a-name-of/two-parts", self->server.socket);
	ASSERT_TRUE(server_run(&self->server, arguments));
	EXPECT_EQ(2, server_wait(&self->server));
	snprintf(arguments, sizeof(arguments),
		 "-F -S %s --keeper --hugetlb=64T", self->server.socket);
	ASSERT_TRUE(server_run(&self->server, arguments));
	EXPECT_EQ(1, server_wait(&self->server));
	EXPECT_TRUE(server_said(&self->server, "No such device"));
}

TEST_F(restart, in_the_background_the_pid_file_names_the_keeper)
{
	char arguments[256];
	FILE *file;
	int pid = 0, status;

	snprintf(arguments, sizeof(arguments), "-S %s -n 3 --keeper -p %s",
		 self->server.socket, server_path(&self->server, "pid"));
	ASSERT_TRUE(server_run(&self->server, arguments));
	ASSERT_EQ(0, server_wait(&self->server));
	file = fopen(server_path(&self->server, "pid"), "re");
	ASSERT_NE(NULL, file);
	ASSERT_EQ(1, fscanf(file, "%d", &pid));
	fclose(file);
	JOIN(1);
	self->server.pid = pid;
	ASSERT_EQ(0, kill(kept_server(&self->server), SIGKILL));
	self->peers[1] = peer_join(self->server.socket, NR_VECTORS);
	ASSERT_NE(NULL, self->peers[1]);
	EXPECT_TRUE(all_know_all(self->peers, 2));
	ASSERT_EQ(0, kill(pid, SIGTERM));
	self->server.pid = 0;
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(restart, the_keeper_obeys_only_its_server)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const char remove[] = "FDSTOREREMOVE=1\nFDNAME=p0";

	START("");
	JOIN(1);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s.keeper",
		 self->server.socket);
	ASSERT_EQ(sizeof(remove), sendto(sock, remove, sizeof(remove), 0,
		  (struct sockaddr *)&address, sizeof(address)));
	ASSERT_TRUE(kill_server(&self->server));
	EXPECT_TRUE(server_said(&self->server, "goes on with 1 peers"));
	close(sock);
}

TEST_F(restart, a_server_outlives_its_keeper_and_says_that_it_is_alone)
{
	pid_t pid, keeper;

	START("");
	JOIN(1);
	pid = kept_server(&self->server);
	keeper = self->server.pid;
	ASSERT_EQ(0, kill(keeper, SIGKILL));
	ASSERT_EQ(keeper, waitpid(keeper, NULL, 0));
	self->server.pid = pid;		/* ours now: PR_SET_CHILD_SUBREAPER */
	self->peers[1] = peer_join(self->server.socket, NR_VECTORS);
	ASSERT_NE(NULL, self->peers[1]);
	EXPECT_TRUE(all_know_all(self->peers, 2));
	EXPECT_TRUE(server_says(&self->server, "peers will not survive a restart"));
	EXPECT_EQ(0, server_stop(&self->server));
	/* Its keeper's socket is left, and in nobody's way. */
	START("");
	self->peers[2] = peer_join(self->server.socket, NR_VECTORS);
	EXPECT_NE(NULL, self->peers[2]);
}

/* Until one is refused: the keeper's socket takes a few messages unread. */
static bool join_until_refused(struct server *server, struct peer **peers)
{
	unsigned int i;

	for (i = 0; i < NR_PEERS; i++) {
		peers[i] = peer_join(server->socket, NR_VECTORS);
		if (!peers[i])
			return true;
	}
	return false;
}

/* The keeper has to be given the processor before it reads. */
static struct peer *join_at_last(struct server *server)
{
	struct peer *peer = NULL;
	int i;

	for (i = 0; !peer && i < 1000; i++)
		peer = peer_join(server->socket, NR_VECTORS);
	return peer;
}

TEST_F(restart, a_stopped_keeper_costs_newcomers_their_place_and_nobody_else_anything)
{
	unsigned int before, i;

	START("");
	ASSERT_TRUE(kill_server(&self->server));
	before = server_open_files(&self->server);
	JOIN(2);
	ASSERT_EQ(0, kill(self->server.pid, SIGSTOP));
	ASSERT_TRUE(join_until_refused(&self->server, self->peers + 2));
	EXPECT_TRUE(server_says(&self->server, "the keeper, or systemd, does not answer"));
	/* A leave is told at once, and the keeper learns of it later. */
	peer_close(self->peers[1]);
	self->peers[1] = NULL;
	EXPECT_TRUE(peer_misses(self->peers[0], 1));
	ASSERT_EQ(0, kill(self->server.pid, SIGCONT));
	self->peers[1] = join_at_last(&self->server);
	ASSERT_NE(NULL, self->peers[1]);
	for (i = 1; i < NR_PEERS && self->peers[i]; i++) {
		int id = self->peers[i]->own_id;

		peer_close(self->peers[i]);
		self->peers[i] = NULL;
		EXPECT_TRUE(peer_misses(self->peers[0], id));
	}
	ASSERT_TRUE(kill_server(&self->server));
	EXPECT_TRUE(server_said(&self->server, "goes on with 1 peers"));
	/* One peer, and not a descriptor of those that left or were refused. */
	EXPECT_EQ(before + NR_VECTORS + 1, server_open_files(&self->server));
	EXPECT_EQ(0, self->peers[0]->violations);
}

TEST_F(restart, a_second_keeper_on_the_socket_fails_and_leaves_the_first_alone)
{
	struct server second = self->server;
	char arguments[160];

	START("");
	JOIN(1);
	snprintf(arguments, sizeof(arguments), "-F -S %s --keeper",
		 self->server.socket);
	second.output = -1;
	second.log = NULL;
	ASSERT_TRUE(server_run(&second, arguments));
	EXPECT_EQ(1, server_wait(&second));
	EXPECT_TRUE(server_said(&second, "another server is serving it"));
	close(second.output);
	free(second.log);
	ASSERT_TRUE(kill_server(&self->server));
}

TEST_F(restart, a_budget_beyond_what_can_be_kept_is_refused)
{
	char arguments[160];

	snprintf(arguments, sizeof(arguments),
		 "-F -S %s --keeper --budget 20000", self->server.socket);
	ASSERT_TRUE(server_run(&self->server, arguments));
	EXPECT_EQ(1, server_wait(&self->server));
	EXPECT_TRUE(server_said(&self->server, "--budget 20000: more descriptors than can be kept"));
}

TEST_HARNESS_MAIN
