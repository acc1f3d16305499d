// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemd: sets all up in an order in which a failure harms nobody, and waits
 * for events. It ends on SIGTERM and SIGINT, and on nothing that a peer does.
 * Where its descriptors are kept, it goes on from where another was ended, and
 * on SIGHUP ends for another to go on.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

#define ACCEPT_RETRY_MS 100
#define CONTROL_RETRY_MS 10
#define EVENTS_PER_TURN 64

struct server {
	struct options options;
	struct memory memory;
	struct listener listener;
	struct peers peers;
	struct control control;
	struct turns turns;
	struct state *state;
	int epoll_fd;
	int signal_fd;
	bool stopped;
	bool resumed;		/* what another server has left */
	bool handed_over;	/* another server will go on */
};

static int server_fail(const char *what)
{
	log_error("%s: %s", what, strerror(errno));
	return -1;
}

/* Events name their source by its address: listener, signal_fd, a peer, ... */
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
	if (store_is_there())
		sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (!store_is_there())
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

static void server_end(struct server *server)
{
	struct signalfd_siginfo info;

	if (read(server->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	server->stopped = true;
	server->handed_over = info.ssi_signo == SIGHUP;
}

static void server_turn(struct server *server, const struct epoll_event *events,
			int nr)
{
	bool joins = false;
	int i;

	for (i = 0; i < nr; i++) {
		void *source = events[i].data.ptr;

		if (source == &server->signal_fd)
			server_end(server);
		else if (source == &server->listener)
			joins = true;
		else if (!control_is_source(&server->control, source))
			peers_event(&server->peers, source, events[i].events);
	}
	peers_reap(&server->peers);
	/* These reap too, and the events before hold pointers to peers. */
	for (i = 0; i < nr; i++) {
		if (control_is_source(&server->control, events[i].data.ptr))
			control_event(&server->control, events[i].data.ptr);
	}
	control_accept(&server->control);
	if (joins)
		server_accept(server);
}

/* To be asked last: what a leave made us send can want a retry. */
static int server_timeout(const struct server *server)
{
	int timeout = peers_timeout(&server->peers);

	if (server->control.pending)
		return CONTROL_RETRY_MS;
	if (server->listener.paused &&
	    (timeout < 0 || timeout > ACCEPT_RETRY_MS))
		return ACCEPT_RETRY_MS;
	return timeout;
}

static uint64_t now_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void note_turn(struct turns *turns, uint64_t us, uint64_t cpu_us)
{
	turns->nr++;
	turns->slow += cpu_us > TURN_MAX_US;
	if (us > turns->longest_us)
		turns->longest_us = us;
	if (cpu_us > turns->longest_cpu_us)
		turns->longest_cpu_us = cpu_us;
}

/* By the clock, other programs' time on our processor is in it. */
static void server_work(struct server *server, const struct epoll_event *events,
			int nr)
{
	uint64_t since = now_us(CLOCK_MONOTONIC);
	uint64_t cpu_since = now_us(CLOCK_THREAD_CPUTIME_ID);

	server_resume_accept(server);
	server_turn(server, events, nr);
	peers_tick(&server->peers);
	peers_reap(&server->peers);
	note_turn(&server->turns, now_us(CLOCK_MONOTONIC) - since,
		  now_us(CLOCK_THREAD_CPUTIME_ID) - cpu_since);
}

static void server_loop(struct server *server)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int nr;

	peers_tick(&server->peers);
	peers_reap(&server->peers);
	while (!server->stopped) {
		nr = epoll_wait(server->epoll_fd, events, EVENTS_PER_TURN,
				server_timeout(server));
		server_work(server, events, nr < 0 ? 0 : nr);
	}
}

static int server_listen(struct server *server, bool adopted, int control_fd)
{
	struct listener *listener = &server->listener;

	if (!adopted && listener_open(listener, &server->options))
		return -1;
	/* In a directory of the service manager's we can make no socket. */
	if (control_fd >= 0 || listener->lock_fd >= 0)
		control_open(&server->control, listener, server->epoll_fd,
			     control_fd);
	return server_watch(server, server->listener.socket.fd,
			    &server->listener);
}

/* All descriptors have to have room in the store: a peer less is a crash. */
static int check_store(const struct options *options)
{
	unsigned int peers = limits_peers(options, options->nr_vectors);

	if (!store_is_there() ||
	    peers * (options->nr_vectors + 1) + 8 <= STORE_MAX)
		return 0;
	log_error("--budget %u: more descriptors than can be kept over a restart (%u)",
		  options->limits.budget, STORE_MAX);
	return -1;
}

static int server_begin(struct server *server)
{
	const struct options *options = &server->options;
	int fd = -1;

	if (check_store(options) || memory_open(&server->memory, options))
		return -1;
	server->state = state_create(limits_peers(options, options->nr_vectors),
				     options->nr_vectors, &fd);
	if (!server->state)
		return -1;
	if (server->memory.unlink_name)
		snprintf(server->state->shm_name,
			 sizeof(server->state->shm_name), "%s",
			 server->memory.unlink_name);
	/* The state last: with it, all is there. */
	store_add("memory", server->memory.fd);
	store_add("state", fd);
	close(fd);
	return 0;
}

/* Goes on where another server was ended. */
static int server_resume(struct server *server, int state_fd, int memory_fd)
{
	const struct options *options = &server->options;

	server->state = state_adopt(state_fd);
	close(state_fd);
	if (!server->state ||
	    memory_adopt(&server->memory, memory_fd, server->state->shm_name,
			 options))
		return -1;
	if (server->state->nr_vectors != options->nr_vectors)
		log_warn("the peers stay as they are: %u vectors, and -n asks for %u",
			 server->state->nr_vectors, options->nr_vectors);
	return 0;
}

static int server_remember(struct server *server)
{
	int state_fd = store_take("state"), memory_fd = store_take("memory");

	if (server->resumed)
		return server_resume(server, state_fd, memory_fd);
	/* Killed before it had a state: this memory nobody has seen. */
	if (memory_fd >= 0) {
		store_remove("memory");
		close(memory_fd);
	}
	return server_begin(server);
}

/* Nobody can connect before the memory is there: the greeting is at once. */
static int server_start(struct server *server)
{
	const struct options *options = &server->options;
	bool adopted;
	int control_fd;

	if (store_receive())
		return -1;
	server->resumed = store_has("state") && store_has("memory");
	control_fd = store_take("control");
	adopted = listener_adopt(&server->listener);
	if (!adopted && listener_lock(&server->listener, options->socket_path))
		return -1;
	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll_fd < 0)
		return server_fail("epoll");
	if (server_catch_signals(server) ||
	    server_remember(server) ||
	    peers_init(&server->peers, options, server->state, server->epoll_fd,
		       server->memory.fd) ||
	    (server->resumed && peers_adopt(&server->peers)) ||
	    server_listen(server, adopted, control_fd))
		return -1;
	store_drop_rest();
	if (server->resumed)
		log_notice("goes on with %u peers", server->peers.nr);
	return 0;
}

/* Whoever started us may use the server from here on. */
static int server_say_ready(const struct server *server)
{
	const struct options *options = &server->options;

	if (!options->foreground) {
		if (!store_is_there() && options->pid_file &&
		    daemon_write_pid_file(options->pid_file))
			return -1;
		if (daemon_ready())
			return -1;
	}
	store_say_ready();
	log_info("listening on %s", server->listener.socket.path);
	return 0;
}

/* What outlives a server that hands over, or could not go on, stays as it is. */
static void server_stop(struct server *server)
{
	bool given_up = server->resumed && !server->stopped;
	bool final = !server->handed_over && !given_up;

	peers_free(&server->peers);
	memory_close(&server->memory, final);
	daemon_remove_pid_file();
	control_close(&server->control);
	listener_close(&server->listener, final);
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

	if (argc > 1 && (!strcmp(argv[1], "status") || !strcmp(argv[1], "kick")))
		return ask_main(argc - 1, argv + 1);
	control_init(&server.control, &(struct subject) {
			&server.peers, &server.memory, &server.turns });
	options_parse(&server.options, argc, argv);
	log_set_verbose(server.options.verbose);
	if (!server.options.foreground && !store_is_there() && daemon_start())
		return EXIT_FAILURE;
	server_raise_fd_limit();
	if (server.options.keeper && !store_is_there())
		return keeper_run(&server.options, argv);
	ret = server_start(&server);
	if (!ret)
		ret = server_say_ready(&server);
	if (!ret)
		server_loop(&server);
	server_stop(&server);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
