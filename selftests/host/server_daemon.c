// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemd in the background, as "ivshmemd ...; qemu ..." wants it, and its pid
 * file.
 */
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "server_process.h"
#include "server_peer.h"

FIXTURE(daemon) {
	struct server server;
	const char *pid_file;
	char arguments[256];
	pid_t pid;		/* of the daemon */
	int pidfd;
};

FIXTURE_SETUP(daemon)
{
	ASSERT_TRUE(server_init(&self->server));
	self->pid_file = server_path(&self->server, "pid");
	snprintf(self->arguments, sizeof(self->arguments), "-S %s -p %s",
		 self->server.socket, self->pid_file);
	self->pidfd = -1;
}

static bool read_pid(const char *path, pid_t *pid)
{
	FILE *file = fopen(path, "re");
	bool read = file && fscanf(file, "%d\n", pid) == 1 && feof(file);

	if (file)
		fclose(file);
	return read;
}

#define START_DAEMON() do {						\
	ASSERT_TRUE(server_run(&self->server, self->arguments));	\
	ASSERT_EQ(0, server_wait(&self->server));			\
	ASSERT_TRUE(read_pid(self->pid_file, &self->pid));		\
	self->pidfd = (int)syscall(SYS_pidfd_open, self->pid, 0);	\
	ASSERT_LE(0, self->pidfd);					\
} while (0)

/* It is not our child: its pidfd says when it ended. */
static bool end_daemon(int *pidfd, pid_t pid, int with)
{
	struct pollfd pollfd = { .fd = *pidfd, .events = POLLIN };

	if (*pidfd < 0)
		return true;
	if (kill(pid, with) || poll(&pollfd, 1, WAIT_MS) != 1)
		return false;
	close(*pidfd);
	*pidfd = -1;
	return true;
}

FIXTURE_TEARDOWN(daemon)
{
	EXPECT_TRUE(end_daemon(&self->pidfd, self->pid, SIGTERM));
	EXPECT_TRUE(server_fini(&self->server));
}

TEST_F(daemon, listens_when_the_command_returns)
{
	struct peer *peer;

	START_DAEMON();
	peer = peer_join(self->server.socket, 1);
	EXPECT_NE(NULL, peer);
	peer_close(peer);
}

/* server_wait() in START_DAEMON reads to the end of file: none kept it open. */
static bool serves_named_memory(const struct server *server, const char *path,
				off_t size)
{
	struct peer *peer = peer_join(server->socket, 2);
	struct stat named, given;
	bool same;

	if (!peer)
		return false;
	same = !stat(path, &named) && !fstat(peer->memory_fd, &given) &&
	       named.st_ino == given.st_ino && named.st_dev == given.st_dev &&
	       named.st_size == size;
	peer_close(peer);
	return same;
}

/* ivshmem-server -p pidfile -S path -m shm-name -l shm-size -n vectors */
TEST_F(daemon, takes_the_command_line_of_qemus_documentation)
{
	char path[64];
	size_t length = strlen(self->arguments);

	snprintf(path, sizeof(path), "/dev/shm/ivshmem-test-%d", (int)getpid());
	snprintf(self->arguments + length, sizeof(self->arguments) - length,
		 " -m %s -l 1M -n 2", path + strlen("/dev/shm/"));
	START_DAEMON();
	EXPECT_TRUE(serves_named_memory(&self->server, path, 1 << 20));
}

/* ivshmem-server -v -F -p pidfile -S path -M name -m directory -l size -n N */
TEST_F(daemon, takes_every_letter_of_qemus_server)
{
	struct peer *peer;
	char arguments[512];

	snprintf(arguments, sizeof(arguments), "-v -F %s -M name -m /tmp -l 4M -n 2",
		 self->arguments);
	ASSERT_TRUE(server_run(&self->server, arguments));
	ASSERT_TRUE(server_says(&self->server, "listening on"));
	peer = peer_join(self->server.socket, 2);
	EXPECT_NE(NULL, peer);
	peer_close(peer);
}

TEST_F(daemon, keeps_nothing_of_its_caller_open)
{
	char path[64], target[64] = "";
	int fd;

	START_DAEMON();
	for (fd = 0; fd <= 2; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", self->pid, fd);
		ASSERT_LT(0, readlink(path, target, sizeof(target) - 1));
		EXPECT_STREQ("/dev/null", target);
	}
}

TEST_F(daemon, has_a_session_of_its_own)
{
	START_DAEMON();
	EXPECT_EQ(self->pid, getsid(self->pid));
}

TEST_F(daemon, removes_socket_lock_and_pid_file_at_the_end)
{
	START_DAEMON();
	ASSERT_TRUE(end_daemon(&self->pidfd, self->pid, SIGTERM));
	EXPECT_NE(0, access(self->pid_file, F_OK));
	EXPECT_NE(0, access(self->server.socket, F_OK));
	EXPECT_NE(0, access(server_path(&self->server, "socket.lock"), F_OK));
}

TEST_F(daemon, says_to_its_caller_why_it_cannot_start)
{
	ASSERT_TRUE(server_run(&self->server, "-S /nowhere/socket"));
	EXPECT_EQ(1, server_wait(&self->server));
	EXPECT_TRUE(server_said(&self->server, "/nowhere/socket.lock: No such"));
}

TEST_F(daemon, replaces_the_pid_file_of_a_killed_one)
{
	pid_t killed;

	START_DAEMON();
	killed = self->pid;
	ASSERT_TRUE(end_daemon(&self->pidfd, self->pid, SIGKILL));
	ASSERT_EQ(0, access(self->pid_file, F_OK));
	START_DAEMON();
	EXPECT_NE(killed, self->pid);
}

TEST_F(daemon, leaves_a_file_alone_that_is_no_pid_file)
{
	struct stat st;
	int fd = open(self->pid_file, O_CREAT | O_RDWR, 0600);

	ASSERT_EQ(9, write(fd, "precious\n", 9));
	ASSERT_TRUE(server_run(&self->server, self->arguments));
	EXPECT_EQ(1, server_wait(&self->server));
	EXPECT_TRUE(server_said(&self->server, "is not a pid file"));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(9, st.st_size);
	EXPECT_EQ(0, unlink(self->pid_file));
	close(fd);
}

TEST_F(daemon, does_not_take_the_pid_file_of_another)
{
	char other[256];
	pid_t pid = 0;

	START_DAEMON();
	snprintf(other, sizeof(other), "-S %s -p %s",
		 server_path(&self->server, "other"), self->pid_file);
	ASSERT_TRUE(server_run(&self->server, other));
	EXPECT_EQ(1, server_wait(&self->server));
	EXPECT_TRUE(server_said(&self->server, "another server that runs"));
	EXPECT_TRUE(read_pid(self->pid_file, &pid));
	EXPECT_EQ(self->pid, pid);
}

TEST_F(daemon, no_pid_file_is_written_in_the_foreground)
{
	char arguments[128];

	snprintf(arguments, sizeof(arguments), "-p %s", self->pid_file);
	ASSERT_TRUE(server_start(&self->server, arguments));
	EXPECT_NE(0, access(self->pid_file, F_OK));
	EXPECT_TRUE(server_said(&self->server, "pid: not written in the foreground"));
}

TEST_HARNESS_MAIN
