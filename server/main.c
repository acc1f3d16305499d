// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemd: sets all up in an order in which a failure harms nobody, and waits
 * for events. It ends on SIGTERM and SIGINT, and on nothing that a peer does.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "server.h"

#define ACCEPT_RETRY_MS 100
#define EVENTS_PER_TURN 64

struct server {
	struct options options;
	struct memory memory;
	struct listener listener;
	struct peers peers;
	int epoll_fd;
	int signal_fd;
	bool stopped;
};

static int server_fail(const char *what)
{
	log_error("%s: %s", what, strerror(errno));
	return -1;
}

/* Events name their source by its address: listener, signal_fd, or a peer. */
static int server_watch(struct server *server, int fd, void *source)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = source };

	if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return server_fail("epoll");
	return 0;
}

static int server_catch_signals(struct server *server)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	server->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (server->signal_fd < 0)
		return server_fail("signalfd");
	return server_watch(server, server->signal_fd, &server->signal_fd);
}

/* A peer costs its socket and its eventfds; nothing here uses select(). */
static void server_raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * One a turn: a leave that came before this connection was in the same turn,
 * and what it held is free again.
 */
static void server_accept(struct server *server)
{
	int sock = listener_accept(&server->listener);

	if (sock >= 0)
		peers_join(&server->peers, sock);
	/* The socket stays readable: do not spin until it can be accepted. */
	if (server->listener.paused)
		epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, server->listener.socket.fd,
			  NULL);
}

/* Listen again after a pause. */
static void server_resume_accept(struct server *server)
{
	if (!server->listener.paused)
		return;
	server->listener.paused = false;
	server_watch(server, server->listener.socket.fd, &server->listener);
}

static void server_turn(struct server *server, const struct epoll_event *events,
			int nr)
{
	bool joins = false;

	for (int i = 0; i < nr; i++) {
		void *source = events[i].data.ptr;

		if (source == &server->signal_fd)
			server->stopped = true;
		else if (source == &server->listener)
			joins = true;
		else
			peers_event(&server->peers, source, events[i].events);
	}
	peers_reap(&server->peers);
	/* Joins last: they reap, and the events hold pointers to peers. */
	if (joins)
		server_accept(server);
}

/* To be asked last: what a leave made us send can want a retry. */
static int server_timeout(const struct server *server)
{
	int timeout = peers_timeout(&server->peers);

	if (server->listener.paused &&
	    (timeout < 0 || timeout > ACCEPT_RETRY_MS))
		return ACCEPT_RETRY_MS;
	return timeout;
}

static void server_loop(struct server *server)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int nr;

	while (!server->stopped) {
		peers_tick(&server->peers);
		peers_reap(&server->peers);
		nr = epoll_wait(server->epoll_fd, events, EVENTS_PER_TURN,
				server_timeout(server));
		server_resume_accept(server);
		server_turn(server, events, nr < 0 ? 0 : nr);
	}
}

static int server_listen(struct server *server)
{
	if (listener_open(&server->listener, &server->options))
		return -1;
	return server_watch(server, server->listener.socket.fd, &server->listener);
}

/* Nobody can connect before the memory is there: the greeting is at once. */
static int server_start(struct server *server)
{
	const struct options *options = &server->options;

	if (listener_lock(&server->listener, options->socket_path))
		return -1;
	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll_fd < 0)
		return server_fail("epoll");
	if (server_catch_signals(server) ||
	    memory_open(&server->memory, options) ||
	    peers_init(&server->peers, options, server->epoll_fd,
		       server->memory.fd) ||
	    server_listen(server))
		return -1;
	if (options->foreground)
		return 0;
	if (options->pid_file && daemon_write_pid_file(options->pid_file))
		return -1;
	return daemon_ready();
}

static void server_stop(struct server *server)
{
	peers_free(&server->peers);
	memory_close(&server->memory);
	daemon_remove_pid_file();
	listener_close(&server->listener);
}

int main(int argc, char **argv)
{
	struct server server = {
		.memory.fd = -1,
		.listener = { .socket.fd = -1, .lock_fd = -1, .reserve_fd = -1 },
		.epoll_fd = -1,
		.signal_fd = -1,
	};
	int ret;

	options_parse(&server.options, argc, argv);
	log_set_verbose(server.options.verbose);
	if (!server.options.foreground && daemon_start())
		return EXIT_FAILURE;
	server_raise_fd_limit();
	ret = server_start(&server);
	if (!ret) {
		log_info("listening on %s", server.options.socket_path);
		server_loop(&server);
	}
	server_stop(&server);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
