// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * daemon: going to the background, such that whoever started the server may
 * use it as soon as his command returned. Called by main.c.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server.h"

static int ready_pipe = -1;
static int pid_file_fd = -1;
static const char *pid_file_path;

/* The parent: what the child says first, or its exit status, is the answer. */
static void wait_for_child(pid_t pid, int from_child)
{
	int status = 0;
	char byte;

	if (TEMP_FAILURE_RETRY(read(from_child, &byte, 1)) == 1)
		_exit(EXIT_SUCCESS);
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	_exit(EXIT_FAILURE);
}

int daemon_start(void)
{
	int pipe_fds[2];
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC)) {
		log_error("pipe: %s", strerror(errno));
		return -1;
	}
	pid = fork();
	if (pid < 0) {
		log_error("fork: %s", strerror(errno));
		return -1;
	}
	if (pid > 0) {
		close(pipe_fds[1]);
		wait_for_child(pid, pipe_fds[0]);
	}
	close(pipe_fds[0]);
	ready_pipe = pipe_fds[1];
	setsid();
	return 0;
}

/* A number, as a server that was killed leaves it, or nothing. */
static bool is_pid_file(int fd)
{
	char text[32];
	ssize_t i, length = pread(fd, text, sizeof(text), 0);
	struct stat st;

	if (length < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    length == sizeof(text))
		return false;
	for (i = 0; i < length; i++) {
		if (!isdigit((unsigned char)text[i]) && text[i] != '\n')
			return false;
	}
	return true;
}

/* The lock tells a live server's file from a dead one's. */
static int claim_pid_file(int fd, const char *path)
{
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		log_error("%s: pid file of another server that runs", path);
		return -1;
	}
	if (!is_pid_file(fd)) {
		log_error("%s: exists and is not a pid file", path);
		return -1;
	}
	if (ftruncate(fd, 0) || dprintf(fd, "%d\n", (int)getpid()) < 0) {
		log_error("%s: %s", path, strerror(errno));
		return -1;
	}
	return 0;
}

int daemon_write_pid_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0) {
		log_error("%s: %s", path, strerror(errno));
		return -1;
	}
	if (claim_pid_file(fd, path)) {
		close(fd);
		return -1;
	}
	pid_file_fd = fd;
	pid_file_path = path;
	return 0;
}

int daemon_ready(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0) {
		log_error("/dev/null: %s", strerror(errno));
		return -1;
	}
	log_to_syslog();
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
	/* With a service manager nobody waits: that is told by sd_notify(3). */
	if (ready_pipe < 0)
		return 0;
	if (write(ready_pipe, "", 1) != 1)
		log_error("the starting process: %s", strerror(errno));
	close(ready_pipe);
	ready_pipe = -1;
	return 0;
}

void daemon_remove_pid_file(void)
{
	struct stat ours, there;

	if (pid_file_fd < 0)
		return;
	if (!fstat(pid_file_fd, &ours) && !lstat(pid_file_path, &there) &&
	    ours.st_dev == there.st_dev && ours.st_ino == there.st_ino)
		unlink(pid_file_path);
	close(pid_file_fd);
}
