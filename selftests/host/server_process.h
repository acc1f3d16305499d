/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ivshmemd under test: $IVSHMEMD, or that of the build tree ($O), or the one
 * in PATH. Each has a directory of its own, that is empty when the test ends.
 * For the programs server*.c; server_peer.h is what connects to it.
 */
#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ten times and more of what anything here takes, on a busy machine too. */
#define WAIT_MS 20000

struct server {
	char dir[64];
	char socket[100];	/* shorter than sun_path */
	pid_t pid;
	int output;		/* reading end of its stderr and stdout */
	char *log;		/* what was read of it */
	size_t log_length;
	rlim_t max_files;	/* of the server, 0: as we have */
	rlim_t max_file_size;	/* of the server, 0: as we have */
	bool unprivileged;	/* of a user of its own, if we are root */
};

static inline const char *server_program(void)
{
	static char path[4096];
	const char *build = getenv("O");

	if (getenv("IVSHMEMD"))
		return getenv("IVSHMEMD");
	if (!build)
		return "ivshmemd";
	snprintf(path, sizeof(path), "%s/server/ivshmemd", build);
	return path;
}

static inline bool server_init(struct server *server)
{
	memset(server, 0, sizeof(*server));
	server->output = -1;
	/* Daemons become our children, to be found by server_kill_all(). */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	strcpy(server->dir, "/tmp/ivshmemd-test.XXXXXX");
	if (!mkdtemp(server->dir))
		return false;
	snprintf(server->socket, sizeof(server->socket), "%s/socket",
		 server->dir);
	return true;
}

/* A path in the server's directory; up to four at the same time. */
static inline const char *server_path(struct server *server, const char *name)
{
	static char paths[4][100];
	static unsigned int turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", server->dir, name);
	return path;
}

/*
 * A user that nobody else is: the kernel counts the descriptors that are under
 * way for each user, and root has other tests.
 */
static inline void server_become_nobody(const struct server *server)
{
	if (chown(server->dir, 54323, 54323) || setgid(54323) || setuid(54323))
		_exit(127);
}

static inline void server_exec(const struct server *server, char **argv,
			       int output)
{
	struct rlimit files = { server->max_files, server->max_files };
	struct rlimit size = { server->max_file_size, server->max_file_size };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (server->max_files)
		setrlimit(RLIMIT_NOFILE, &files);
	if (server->unprivileged && !geteuid()) {
		server_become_nobody(server);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	}
	if (server->max_file_size)
		setrlimit(RLIMIT_FSIZE, &size);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	execvp(argv[0], argv);
	dprintf(output, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* Runs ivshmemd with these arguments (words separated by blanks). */
static inline bool server_run(struct server *server, const char *arguments)
{
	char words[512], *argv[32] = { (char *)server_program() };
	int argc = 1, ends[2];
	char *word;

	snprintf(words, sizeof(words), "%s", arguments);
	for (word = strtok(words, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	if (server->output >= 0)
		close(server->output);
	server->log_length = 0;
	if (pipe2(ends, O_CLOEXEC))
		return false;
	server->output = ends[0];
	fcntl(server->output, F_SETFL, O_NONBLOCK);
	fcntl(server->output, F_SETPIPE_SZ, 1 << 20);
	fflush(NULL);
	server->pid = fork();
	if (!server->pid)
		server_exec(server, argv, ends[1]);
	close(ends[1]);
	return server->pid > 0;
}

/* Takes what the server has said; false at its end. */
static inline bool server_read_log(struct server *server)
{
	ssize_t got;

	do {
		server->log = realloc(server->log, server->log_length + 4097);
		got = read(server->output, server->log + server->log_length,
			   4096);
		server->log_length += got > 0 ? (size_t)got : 0;
		server->log[server->log_length] = '\0';
	} while (got > 0);
	return got < 0 && errno == EAGAIN;
}

static inline bool server_said(struct server *server, const char *text)
{
	return server->log && server->log_length && strstr(server->log, text);
}

static inline const char *server_last_words(const struct server *server)
{
	size_t skip = server->log_length > 1000 ? server->log_length - 1000 : 0;

	return server->log_length ? server->log + skip : "nothing";
}

/* Waits until the server has said this. */
static inline bool server_says(struct server *server, const char *text)
{
	struct pollfd pollfd = { .fd = server->output, .events = POLLIN };
	bool open = true;

	while (open) {
		open = server_read_log(server);
		if (server_said(server, text))
			return true;
		if (open && poll(&pollfd, 1, WAIT_MS) <= 0)
			break;
	}
	fprintf(stderr, "# not said: \"%s\", but at last:\n%s\n", text,
		server_last_words(server));
	return false;
}

/* In the foreground, with these arguments beside, until it listens. */
static inline bool server_start(struct server *server, const char *arguments)
{
	char all[512];

	snprintf(all, sizeof(all), "-F -v -S %s %s", server->socket, arguments);
	return server_run(server, all) && server_says(server, "listening on");
}

/* The exit status, or 128 and the signal; says all that is left to say. */
static inline int server_wait(struct server *server)
{
	struct pollfd pollfd = { .fd = server->output, .events = POLLIN };
	int status;

	while (server_read_log(server)) {
		if (poll(&pollfd, 1, WAIT_MS) > 0)
			continue;
		kill(server->pid, SIGKILL);
		break;
	}
	if (waitpid(server->pid, &status, 0) != server->pid)
		return -1;
	server->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status)
				 : 128 + WTERMSIG(status);
}

static inline int server_stop(struct server *server)
{
	kill(server->pid, SIGTERM);
	return server_wait(server);
}

static inline bool server_alive(const struct server *server)
{
	return waitpid(server->pid, NULL, WNOHANG) == 0;
}

/* File descriptors that the server has open. */
static inline unsigned int server_open_files(const struct server *server)
{
	char path[64];
	unsigned int nr = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)server->pid);
	dir = opendir(path);
	while (dir && readdir(dir))
		nr++;
	if (dir)
		closedir(dir);
	return nr;
}

/* What a test that failed has left running, daemons too. */
static inline void server_kill_all(void)
{
	FILE *children = fopen("/proc/thread-self/children", "re");
	int pid;

	while (children && fscanf(children, "%d", &pid) == 1) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (children)
		fclose(children);
}

/* Returns how many files there were. */
static inline unsigned int server_empty_dir(struct server *server)
{
	DIR *dir = opendir(server->dir);
	unsigned int nr = 0;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		fprintf(stderr, "# left: %s\n", entry->d_name);
		unlinkat(dirfd(dir), entry->d_name, 0);
		nr++;
	}
	if (dir)
		closedir(dir);
	return nr;
}

/* Ends what still runs; false if it did not end well, or left a file. */
static inline bool server_fini(struct server *server)
{
	int status = server->pid ? server_stop(server) : 0;

	if (server->output >= 0)
		close(server->output);
	if (status)
		fprintf(stderr, "# status %d, at last it said:\n%s\n", status,
			server_last_words(server));
	free(server->log);
	server_kill_all();
	if (server_empty_dir(server))
		status = -1;
	return !rmdir(server->dir) && !status;
}

#endif
