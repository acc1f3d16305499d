// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keeper: a process that starts the server, keeps its descriptors, and starts
 * it again with them when it was killed; for hosts without systemd. To the
 * server it is a service manager: the parts of sd_notify(3) and
 * sd_listen_fds(3) that store.c uses. Called by main.c, instead of the server.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server.h"

#define FIRST_FD 3			/* of LISTEN_FDS */
#define RESPAWN_MS_MIN 10
#define RESPAWN_MS_MAX 5000
#define MESSAGE_MAX 512

struct kept {
	char name[24];
	int fd;
};

struct keeper {
	struct named_socket notify;
	char *path;
	int signal_fd;
	bool foreground;
	pid_t server;
	bool ready;			/* a server was, once */
	bool stopping;
	bool handing_over;		/* SIGHUP: its end is no failure */
	unsigned int delay_ms;		/* before the next start */
	struct kept kept[STORE_MAX];
	unsigned int nr;
};

static void keeper_add(struct keeper *keeper, const char *name, int fd)
{
	struct kept *kept = &keeper->kept[keeper->nr];

	if (keeper->nr == STORE_MAX || strlen(name) >= sizeof(kept->name)) {
		log_error("keeper: no room for %s", name);
		close(fd);
		return;
	}
	strcpy(kept->name, name);
	kept->fd = fd;
	keeper->nr++;
}

static void keeper_remove(struct keeper *keeper, const char *name)
{
	unsigned int i;

	for (i = 0; i < keeper->nr; i++) {
		if (strcmp(keeper->kept[i].name, name))
			continue;
		close(keeper->kept[i].fd);
		keeper->kept[i--] = keeper->kept[--keeper->nr];
	}
}

/* Lines NAME=VALUE, as sd_notify(3) has them; unknown ones are for others. */
static void keeper_obey(struct keeper *keeper, char *text, int fd)
{
	bool add = false, remove = false;
	const char *name = "";
	char *line, *rest;

	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (!strcmp(line, "READY=1")) {
			keeper->ready = true;
			keeper->delay_ms = 0;
		} else if (!strcmp(line, "FDSTORE=1")) {
			add = true;
		} else if (!strcmp(line, "FDSTOREREMOVE=1")) {
			remove = true;
		} else if (!strncmp(line, "FDNAME=", 7)) {
			name = line + 7;
		}
	}
	if (add && *name && fd >= 0) {
		keeper_add(keeper, name, fd);
		return;
	}
	if (remove)
		keeper_remove(keeper, name);
	if (fd >= 0)
		close(fd);
}

/* Takes one message; false when there is none. */
static bool keeper_receive(struct keeper *keeper)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int)) +
					      CMSG_SPACE(sizeof(struct ucred))];
	char text[MESSAGE_MAX];
	struct iovec iov = { text, sizeof(text) - 1 };
	struct msghdr header = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	ssize_t length = recvmsg(keeper->notify.fd, &header,
				 MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct ucred cred = { 0 };
	struct cmsghdr *cmsg;
	int fd = -1;

	if (length < 0)
		return errno == EINTR;
	text[length] = '\0';
	for (cmsg = CMSG_FIRSTHDR(&header); cmsg;
	     cmsg = CMSG_NXTHDR(&header, cmsg)) {
		if (cmsg->cmsg_type == SCM_RIGHTS)
			memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
		else if (cmsg->cmsg_type == SCM_CREDENTIALS)
			memcpy(&cred, CMSG_DATA(cmsg), sizeof(cred));
	}
	if (cred.pid == keeper->server)
		keeper_obey(keeper, text, fd);
	else if (fd >= 0)
		close(fd);
	return true;
}

/* In the child: what was kept becomes 3, 4, ..., as sd_listen_fds(3) says. */
static int hand_down(const struct keeper *keeper)
{
	char *names = calloc(keeper->nr + 1, sizeof(keeper->kept[0].name) + 1);
	int nr = (int)keeper->nr, fds[STORE_MAX], i;
	char number[16];

	if (!nr)
		return 0;
	if (!names)
		return -1;
	for (i = 0; i < nr; i++) {
		fds[i] = fcntl(keeper->kept[i].fd, F_DUPFD_CLOEXEC,
			       FIRST_FD + nr);
		if (fds[i] < 0)
			return -1;
		strcat(strcat(names, i ? ":" : ""), keeper->kept[i].name);
	}
	for (i = 0; i < nr; i++) {
		if (dup2(fds[i], FIRST_FD + i) < 0)
			return -1;
	}
	snprintf(number, sizeof(number), "%d", nr);
	if (setenv("LISTEN_FDS", number, 1) || setenv("LISTEN_FDNAMES", names, 1))
		return -1;
	snprintf(number, sizeof(number), "%d", (int)getpid());
	return setenv("LISTEN_PID", number, 1);
}

/* Our signals stay blocked: the server takes them as soon as it can obey. */
static _Noreturn void become_server(const struct keeper *keeper, char **argv,
				    const char *program)
{
	if (!hand_down(keeper) &&
	    !setenv("NOTIFY_SOCKET", keeper->notify.path, 1))
		execv(program, argv);
	log_error("%s: %s", program, strerror(errno));
	_exit(EXIT_FAILURE);
}

static int keeper_spawn(struct keeper *keeper, char **argv,
			const char *program)
{
	keeper->handing_over = false;
	keeper->server = fork();
	if (!keeper->server)
		become_server(keeper, argv, program);
	if (keeper->server < 0)
		log_error("fork: %s", strerror(errno));
	return keeper->server < 0 ? -1 : 0;
}

/* Whether the keeper's own end is due, with this status. */
static bool server_ended(struct keeper *keeper, int status, int *exit_status)
{
	*exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
	/* One that handed over has left all in place, for another to remove. */
	if (keeper->stopping)
		return !keeper->handing_over;
	if (!keeper->ready && WIFSIGNALED(status))
		log_error("the server was killed by signal %d before it was ready",
			  WTERMSIG(status));
	if (!keeper->ready)
		return true;
	if (WIFEXITED(status) && !*exit_status && !keeper->handing_over)
		return true;
	if (WIFSIGNALED(status))
		log_warn("the server was killed by signal %d: it is started again",
			 WTERMSIG(status));
	else if (*exit_status)
		log_warn("the server ended with status %d: it is started again",
			 *exit_status);
	return false;
}

static void keeper_signal(struct keeper *keeper)
{
	struct signalfd_siginfo info;

	while (read(keeper->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			continue;
		if (info.ssi_signo == SIGHUP)
			keeper->handing_over = true;
		else
			keeper->stopping = true;
		if (keeper->server > 0)
			kill(keeper->server, (int)info.ssi_signo);
	}
}

/* What the server sent before it ended is taken before it is missed. */
static bool keeper_reap(struct keeper *keeper, int *exit_status)
{
	int status;

	if (keeper->server <= 0 ||
	    waitpid(keeper->server, &status, WNOHANG) != keeper->server)
		return false;
	while (keeper_receive(keeper))
		;
	keeper->server = 0;
	return server_ended(keeper, status, exit_status);
}

/* A program that cannot run is tried again, but not at full speed. */
static int keeper_wait(struct keeper *keeper)
{
	struct pollfd pollfds[] = {
		{ .fd = keeper->notify.fd, .events = POLLIN },
		{ .fd = keeper->signal_fd, .events = POLLIN },
	};
	bool again = keeper->server <= 0;

	return poll(pollfds, 2, again ? (int)keeper->delay_ms : -1);
}

static void keeper_respawn(struct keeper *keeper, char **argv,
			   const char *program)
{
	keeper->delay_ms = keeper->delay_ms * 2 + RESPAWN_MS_MIN;
	if (keeper->delay_ms > RESPAWN_MS_MAX)
		keeper->delay_ms = RESPAWN_MS_MAX;
	keeper_spawn(keeper, argv, program);
}

/* There is no server to end: one more removes what the last has left. */
static int keeper_clean_up(struct keeper *keeper, char **argv,
			   const char *program)
{
	if (keeper_spawn(keeper, argv, program))
		return -1;
	return kill(keeper->server, SIGTERM);
}

static int keeper_loop(struct keeper *keeper, char **argv, const char *program)
{
	bool said_ready = false;
	int status = EXIT_FAILURE, nr;

	while (!keeper_reap(keeper, &status)) {
		nr = keeper_wait(keeper);
		while (keeper_receive(keeper))
			;
		keeper_signal(keeper);
		if (keeper->server <= 0 && keeper->stopping) {
			if (keeper_clean_up(keeper, argv, program))
				return EXIT_FAILURE;
		} else if (keeper->server <= 0 && !nr) {
			keeper_respawn(keeper, argv, program);
		}
		if (keeper->ready && !said_ready && !keeper->foreground &&
		    daemon_ready())
			return EXIT_FAILURE;
		said_ready = keeper->ready;
	}
	return status;
}

static int keeper_fail(void)
{
	log_error("keeper: %s", strerror(errno));
	return -1;
}

static int keeper_open(struct keeper *keeper, const struct options *options)
{
	sigset_t signals;
	int on = 1;

	if (asprintf(&keeper->path, "%s.keeper", options->socket_path) < 0) {
		keeper->path = NULL;
		return keeper_fail();
	}
	if (socket_open(&keeper->notify, keeper->path, SOCK_DGRAM, 0600,
			(gid_t)-1))
		return -1;
	if (setsockopt(keeper->notify.fd, SOL_SOCKET, SO_PASSCRED, &on,
		       sizeof(on)))
		return keeper_fail();
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	keeper->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return keeper->signal_fd < 0 ? keeper_fail() : 0;
}

int keeper_run(const struct options *options, char **argv)
{
	static struct keeper keeper = { .signal_fd = -1 };
	char program[4096];
	ssize_t length = readlink("/proc/self/exe", program,
				  sizeof(program) - 1);
	int status = EXIT_FAILURE;

	if (length < 0) {
		log_error("/proc/self/exe: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	program[length] = '\0';
	keeper.foreground = options->foreground;
	if (!keeper_open(&keeper, options) &&
	    (options->foreground || !options->pid_file ||
	     !daemon_write_pid_file(options->pid_file)) &&
	    !keeper_spawn(&keeper, argv, program))
		status = keeper_loop(&keeper, argv, program);
	socket_unlink(&keeper.notify);
	daemon_remove_pid_file();
	free(keeper.path);
	return status;
}
