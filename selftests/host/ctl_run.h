/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs ivshmemctl for the ctl*.c tests, and keeps what it printed. The program
 * is $IVSHMEMCTL, or the one built in $O, or the one in PATH.
 */
#ifndef CTL_RUN_H
#define CTL_RUN_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct ctl_result {
	int status;		/* -1: it did not exit by itself */
	char output[8192];
	char errors[8192];
};

static inline void ctl_export_path(void)
{
	const char *build = getenv("O");
	char path[4096] = "ivshmemctl";

	if (build)
		snprintf(path, sizeof(path), "%s/tools/ivshmemctl", build);
	setenv("IVSHMEMCTL", path, false);
}

static inline void ctl_take(int fd, char *text, size_t size)
{
	ssize_t length = pread(fd, text, size - 1, 0);

	text[length < 0 ? 0 : length] = '\0';
	close(fd);
}

/* @arguments are words for a shell, which may redirect; stdin is empty. */
static inline void ctl_run(struct ctl_result *result, const char *arguments)
{
	int out = memfd_create("output", MFD_CLOEXEC);
	int err = memfd_create("errors", MFD_CLOEXEC);
	char command[1024];
	pid_t child;
	int status;

	snprintf(command, sizeof(command), "exec \"$IVSHMEMCTL\" %s",
		 arguments);
	child = fork();
	if (!child) {
		ctl_export_path();
		dup2(memfd_create("input", 0), STDIN_FILENO);
		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(126);
	}
	waitpid(child, &status, 0);
	result->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	ctl_take(out, result->output, sizeof(result->output));
	ctl_take(err, result->errors, sizeof(result->errors));
}

#endif /* CTL_RUN_H */
