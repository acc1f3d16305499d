// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The backend of a host peer ("unix:/path"): a connection to an ivshmem server,
 * which sends the memory, our ID, our vectors and those of all other peers, and
 * later who joins and leaves. To ring a peer is to write to its eventfd.
 *
 * There is no thread: whatever call comes along reads what the server has sent.
 * Nothing of that is trusted. A connection that breaks, or breaks the protocol,
 * is "lost": memory and eventfds stay in use, and nothing more is read.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "deadline.h"
#include "eventfd.h"
#include "memory.h"
#include "message.h"
#include "peers.h"

#define PROTOCOL_VERSION 0
/* What ivshmemd says instead of a version, to those that it does not take. */
#define REFUSED (-1)
#define MEMORY (-1)

/* For the memory to come; then for the rest of the greeting. */
#define GREETING_NS (10LL * NSEC_PER_SEC)
/* The server does not say where its greeting ends: it falls silent. */
#define SILENCE_NS (NSEC_PER_SEC / 4)
/* Read at one time at most, so that a server that never stops holds up none. */
#define MESSAGES_MAX 4096

enum stage { WANT_VERSION, WANT_ID, WANT_MEMORY, GREETED };

struct server {
	/* Protects all below; taken by every call that reads or rings. */
	pthread_mutex_t lock;
	enum stage stage;
	struct ivsh_reader reader;
	struct ivsh_peers peers;
	struct timespec deadline;	/* of the greeting */
	bool own_complete;	/* all own vectors have come */
	bool settled;		/* all of the greeting has come */
	bool lost_told;
	bool signalled;		/* the eventfd "changed" is */
	int changed;		/* readable while there is an event to tell */
	int error;		/* why the connection is lost */
	atomic_bool lost;	/* also read without the lock; never unset */
};

static int fail(int error)
{
	errno = error;
	return -1;
}

static struct server *server_of(const struct ivsh_device *device)
{
	return device->state;
}

/* --- what the server says ------------------------------------------------ */

/* Writing to anything else could block, or do harm. */
static bool is_eventfd(int fd)
{
	char link[32], target[32];
	struct stat st;
	ssize_t len;

	/* An anonymous inode has no type; without /proc this must do. */
	if (fstat(fd, &st) || st.st_mode & S_IFMT)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, target, sizeof(target) - 1);
	if (len < 0)
		return true;
	target[len] = '\0';
	return !strcmp(target, "anon_inode:[eventfd]");
}

static int learn_version(struct server *server, int64_t version)
{
	if (version == REFUSED)
		return fail(ECONNREFUSED);
	if (version != PROTOCOL_VERSION)
		return fail(EPROTO);
	server->stage = WANT_ID;
	return 0;
}

static int learn_own_id(struct server *server, int64_t id)
{
	if (id < 0 || id > IVSH_PEER_MAX)
		return fail(EPROTO);
	server->peers.own_id = (uint32_t)id;
	server->stage = WANT_MEMORY;
	return 0;
}

/* Takes the fd. */
static int learn_memory(struct ivsh_device *device, int64_t value, int fd)
{
	if (ivsh_memory_take(device, fd))
		return fail(errno == ENOTTY ? EPROTO : errno);
	if (value != MEMORY)
		return fail(EPROTO);
	server_of(device)->stage = GREETED;
	return 0;
}

/* Takes the fd; -1 says that the peer has left. */
static int learn_peer(struct server *server, int64_t id, int fd)
{
	struct ivsh_peers *peers = &server->peers;

	if (id < 0 || id > IVSH_PEER_MAX || (fd >= 0 && !is_eventfd(fd)) ||
	    (fd < 0 && id == peers->own_id)) {
		if (fd >= 0)
			close(fd);
		return fail(EPROTO);
	}
	/* Servers send our vectors without a pause, first or last. */
	if (id != peers->own_id && ivsh_peers_nr_vectors(peers, peers->own_id))
		server->own_complete = true;
	if (fd >= 0)
		return ivsh_peers_add(peers, (uint32_t)id, fd);
	ivsh_peers_remove(peers, (uint32_t)id);
	return 0;
}

/* Takes the message's fd. */
static int learn(struct ivsh_device *device, const struct ivsh_message *message)
{
	struct server *server = server_of(device);

	if (server->stage == GREETED)
		return learn_peer(server, message->value, message->fd);
	if ((server->stage == WANT_MEMORY) != (message->fd >= 0)) {
		if (message->fd >= 0)
			close(message->fd);
		return fail(EPROTO);
	}
	if (server->stage == WANT_VERSION)
		return learn_version(server, message->value);
	if (server->stage == WANT_ID)
		return learn_own_id(server, message->value);
	return learn_memory(device, message->value, message->fd);
}

/* Make the device's fd readable while there is an event. */
static void publish(struct server *server)
{
	bool signal = ivsh_peers_changed(&server->peers) ||
		      (server->lost && !server->lost_told);
	uint64_t count;

	if (signal != server->signalled) {
		if (signal)
			eventfd_write(server->changed, 1);
		else
			ivsh_eventfd_take(server->changed, &count);
	}
	server->signalled = signal;
}

static void lose(struct ivsh_device *device, int error)
{
	struct server *server = server_of(device);

	server->error = error;
	server->lost = true;
	server->settled = true;
	ivsh_peers_settle(&server->peers);
	epoll_ctl(device->fd, EPOLL_CTL_DEL, server->reader.sock, NULL);
	/* The server shall know, too; close() would free a number in use. */
	shutdown(server->reader.sock, SHUT_RDWR);
}

/* Read what has come. */
static void drain(struct ivsh_device *device)
{
	struct server *server = server_of(device);
	struct ivsh_message message;
	int result = 1;

	for (int i = 0; i < MESSAGES_MAX && result > 0 && !server->lost; i++) {
		result = ivsh_reader_next(&server->reader, &message);
		if (result > 0)
			result = learn(device, &message) ? -1 : 1;
		if (result < 0)
			lose(device, errno);
	}
	publish(server);
}

/* Sleep until something has come: > 0, or for as long, or not beyond then. */
static int await_message(struct server *server, int64_t ns)
{
	struct pollfd fd = { .fd = server->reader.sock, .events = POLLIN };
	struct timespec left = deadline_left(&server->deadline);

	if (left.tv_sec || left.tv_nsec > ns)
		left = (struct timespec){ ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };
	return ppoll(&fd, 1, &left, NULL);
}

/* Read on, as long as the greeting is not over; false when it is. */
static bool learn_more(struct ivsh_device *device)
{
	struct server *server = server_of(device);
	struct timespec left = deadline_left(&server->deadline);

	if (server->settled)
		return false;
	if ((!left.tv_sec && !left.tv_nsec) ||
	    !await_message(server, SILENCE_NS)) {
		server->settled = true;
		ivsh_peers_settle(&server->peers);
		publish(server);
	} else {
		drain(device);
	}
	return true;
}

/* --- open and close ------------------------------------------------------ */

static int connect_to(int sock, const char *path)
{
	struct timeval timeout = { .tv_sec = GREETING_NS / NSEC_PER_SEC };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int result;

	if (!*path || strlen(path) >= sizeof(address.sun_path))
		return fail(EINVAL);
	strcpy(address.sun_path, path);
	/* For a server that does not accept. */
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	do {
		result = connect(sock, (struct sockaddr *)&address,
				 sizeof(address));
	} while (result && errno == EINTR);
	if (result && errno == EAGAIN)
		errno = ETIMEDOUT;
	if (result && errno == EPROTOTYPE)
		errno = ENOTTY;
	return result;
}

/* Until the memory is there, which is all that a device cannot do without. */
static int await_greeting(struct ivsh_device *device)
{
	struct server *server = server_of(device);

	while (server->stage != GREETED && !server->lost) {
		if (!await_message(server, GREETING_NS))
			return fail(ETIMEDOUT);
		drain(device);
	}
	return server->stage == GREETED ? 0 : fail(server->error);
}

static struct server *server_new(void)
{
	struct server *server = calloc(1, sizeof(*server));

	if (!server)
		return NULL;
	pthread_mutex_init(&server->lock, NULL);
	ivsh_peers_init(&server->peers);
	server->deadline = deadline_after(GREETING_NS);
	server->reader.fd = -1;
	server->reader.sock = -1;
	server->changed = -1;
	return server;
}

static int watch_fd(const struct ivsh_device *device, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(device->fd, EPOLL_CTL_ADD, fd, &event);
}

static int server_open(struct ivsh_device *device, const char *name)
{
	struct server *server = device->state = server_new();

	device->path = strdup(name);
	if (!server || !device->path)
		return -1;
	device->fd = epoll_create1(EPOLL_CLOEXEC);
	if (device->fd < 0)
		return -1;
	server->changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->changed < 0 || watch_fd(device, server->changed))
		return -1;
	server->reader.sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server->reader.sock < 0 ||
	    connect_to(server->reader.sock, name + strlen("unix:")) ||
	    watch_fd(device, server->reader.sock))
		return -1;
	return await_greeting(device);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void server_close(struct ivsh_device *device)
{
	struct server *server = server_of(device);

	close_fd(device->fd);
	close_fd(device->memory_fd);
	if (!server)
		return;
	close_fd(server->reader.sock);
	close_fd(server->reader.fd);
	close_fd(server->changed);
	ivsh_peers_free(&server->peers);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

/* --- info ---------------------------------------------------------------- */

static int server_query(struct ivsh_device *device, struct ivsh_info *info)
{
	struct server *server = server_of(device);
	struct ivsh_peers *peers = &server->peers;

	if (ivsh_memory_query(device, info))
		return -1;
	pthread_mutex_lock(&server->lock);
	while (!server->own_complete && learn_more(device))
		;
	info->has_doorbell = true;
	info->own_id = peers->own_id;
	info->nr_vectors = ivsh_peers_nr_vectors(peers, peers->own_id);
	pthread_mutex_unlock(&server->lock);
	return 0;
}

/* --- rings, out and in --------------------------------------------------- */

/* What may not be there yet is waited for, as long as the greeting lasts. */
static int find_eventfd(struct ivsh_device *device, uint32_t id,
			uint32_t vector)
{
	struct ivsh_peers *peers = &server_of(device)->peers;
	int fd;

	do {
		fd = ivsh_peers_eventfd(peers, id, vector);
	} while (fd < 0 && learn_more(device));
	return fd;
}

/*
 * An eventfd that takes no more has a ring pending already. It is asked, and
 * not just written to, since O_NONBLOCK is what others make of it. Who in just
 * this moment fills it and clears O_NONBLOCK, can hold up the caller.
 */
static int signal_eventfd(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };
	uint64_t one = 1;
	ssize_t written;

	if (poll(&pollfd, 1, 0) < 0 && errno != EINTR)
		return -1;
	if (!(pollfd.revents & POLLOUT))
		return 0;
	do {
		written = write(fd, &one, sizeof(one));
	} while (written < 0 && errno == EINTR);
	return written < 0 && errno != EAGAIN ? -1 : 0;
}

static int server_ring(struct ivsh_device *device, uint32_t peer,
		       uint32_t vector)
{
	struct server *server = server_of(device);
	int fd, result;

	if (device->read_only)
		return fail(EACCES);
	if (peer > IVSH_PEER_MAX || vector > IVSH_VECTOR_MAX)
		return fail(EINVAL);
	pthread_mutex_lock(&server->lock);
	drain(device);
	fd = find_eventfd(device, peer, vector);
	result = fd < 0 ? fail(ENOTCONN) : signal_eventfd(fd);
	pthread_mutex_unlock(&server->lock);
	return result;
}

/* Our own eventfds stay until the device is closed. */
static int server_bind(struct ivsh_device *device, uint32_t vector)
{
	struct server *server = server_of(device);
	uint64_t before;
	int fd;

	pthread_mutex_lock(&server->lock);
	fd = find_eventfd(device, server->peers.own_id, vector);
	pthread_mutex_unlock(&server->lock);
	if (fd < 0)
		return fail(EINVAL);
	return ivsh_eventfd_take(fd, &before) ? -1 : fd;
}

static void server_unbind(struct ivsh_device *device, uint32_t vector, int fd)
{
	(void)device;
	(void)vector;
	(void)fd;
}

/* Who waits for a vector hears the server meanwhile, which would else stall. */
static struct pollfd server_watch(const struct ivsh_device *device)
{
	struct server *server = server_of(device);

	return (struct pollfd){
		.fd = server->lost ? -1 : server->reader.sock,
		.events = POLLIN,
	};
}

static int server_watched(struct ivsh_device *device)
{
	struct server *server = server_of(device);

	pthread_mutex_lock(&server->lock);
	drain(device);
	pthread_mutex_unlock(&server->lock);
	return 0;
}

/* --- events -------------------------------------------------------------- */

static int tell(struct server *server, struct ivsh_peer_event *event)
{
	if (ivsh_peers_changed(&server->peers)) {
		event->type = ivsh_peers_next(&server->peers, &event->peer,
					      &event->nr_vectors);
		return 1;
	}
	if (!server->lost)
		return 0;
	if (server->lost_told)
		return fail(ENODEV);
	event->type = IVSH_SERVER_LOST;
	event->error = server->error;
	server->lost_told = true;
	return 1;
}

static int server_next_event(struct ivsh_device *device,
			     struct ivsh_peer_event *event)
{
	struct server *server = server_of(device);
	int result;

	pthread_mutex_lock(&server->lock);
	drain(device);
	result = tell(server, event);
	publish(server);
	pthread_mutex_unlock(&server->lock);
	return result;
}

const struct ivsh_backend ivsh_server_backend = {
	.open = server_open,
	.close = server_close,
	.query = server_query,
	.ring = server_ring,
	.bind = server_bind,
	.unbind = server_unbind,
	.watch = server_watch,
	.watched = server_watched,
	.next_event = server_next_event,
};
