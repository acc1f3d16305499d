// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * daemon: going to the background, such that whoever started the server may
 * use it as soon as his command returned. Called by main.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server.h"

static int ready_pipe = -1;
static const char *pid_path;

/* The parent: what the child says first, or its exit status, is the answer. */
static void wait_for_child(pid_t pid, int from_child)
{
	int status = 0;
	char byte;

	if (read(from_child, &byte, 1) == 1)
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

int daemon_write_pid_file(const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file) {
		log_error("%s: %s", path, strerror(errno));
		return -1;
	}
	pid_path = path;
	fprintf(file, "%d\n", (int)getpid());
	if (!fclose(file))
		return 0;
	log_error("%s: %s", path, strerror(errno));
	return -1;
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
	close(null);
	if (write(ready_pipe, "", 1) != 1)
		log_error("the starting process: %s", strerror(errno));
	close(ready_pipe);
	ready_pipe = -1;
	return 0;
}

void daemon_remove_pid_file(void)
{
	if (pid_path)
		unlink(pid_path);
}
