// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * listener: the socket that peers connect to, and the lock that keeps a second
 * server off its path. main.c accepts through it and hands on what it gets.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server.h"

#define LOCK_MODE 0600

static void listener_unlock(struct listener *listener)
{
	if (listener->lock_fd >= 0)
		close(listener->lock_fd);
	listener->lock_fd = -1;
}

static int listener_try_lock(struct listener *listener, const char *path)
{
	listener->lock_fd = open(listener->lock_path,
				 O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
				 LOCK_MODE);
	if (listener->lock_fd < 0) {
		log_error("%s: %s", listener->lock_path, strerror(errno));
		return -1;
	}
	if (!flock(listener->lock_fd, LOCK_EX | LOCK_NB))
		return 0;
	log_error("%s: another server is serving it", path);
	listener_unlock(listener);
	return -1;
}

/* A server that ended may have unlinked it between our open and our flock. */
static bool listener_lock_is_named(const struct listener *listener)
{
	struct stat locked, named;

	return !fstat(listener->lock_fd, &locked) &&
	       !lstat(listener->lock_path, &named) &&
	       locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

static int listener_set_path(struct listener *listener, const char *path)
{
	if (socket_check_path(path))
		return -1;
	listener->socket.path = strdup(path);
	if (!listener->socket.path ||
	    asprintf(&listener->lock_path, "%s.lock", path) < 0) {
		free((char *)listener->socket.path);
		listener->socket.path = NULL;
		listener->lock_path = NULL;
		log_error("%s: %s", path, strerror(ENOMEM));
		return -1;
	}
	return 0;
}

int listener_lock(struct listener *listener, const char *path)
{
	if (listener_set_path(listener, path))
		return -1;
	listener->lock_fd = store_take("lock");
	if (listener->lock_fd >= 0)
		return 0;
	do {
		listener_unlock(listener);
		if (listener_try_lock(listener, path))
			return -1;
	} while (!listener_lock_is_named(listener));
	store_add("lock", listener->lock_fd);
	return 0;
}

static void listener_reserve(struct listener *listener)
{
	listener->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int listener_open(struct listener *listener, const struct options *options)
{
	listener_reserve(listener);
	if (socket_open(&listener->socket, listener->socket.path, SOCK_STREAM,
			options->socket_mode, options->socket_group))
		return -1;
	store_add("listener", listener->socket.fd);
	return 0;
}

/* With a lock it was our socket before; without, it is systemd's. */
bool listener_adopt(struct listener *listener)
{
	struct sockaddr_un address = { 0 };
	socklen_t size = sizeof(address) - 1;
	int fd = store_take_listener(SOCK_STREAM);

	if (fd < 0)
		return false;
	listener_reserve(listener);
	getsockname(fd, (struct sockaddr *)&address, &size);
	if (listener_set_path(listener, address.sun_path)) {
		close(fd);
		return false;
	}
	listener->socket.fd = fd;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	listener->lock_fd = store_take("lock");
	if (listener->lock_fd >= 0)
		socket_identify(&listener->socket);
	return true;
}

/* Out of descriptors: use the reserve to say no to one connection. */
static void listener_refuse_one(struct listener *listener)
{
	int sock;

	if (listener->reserve_fd < 0) {
		listener->paused = true;
		return;
	}
	close(listener->reserve_fd);
	sock = accept4(listener->socket.fd, NULL, NULL,
		       SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (sock >= 0)
		peer_refuse(sock, "out of file descriptors (see ulimit -n)");
	listener->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	listener->paused = sock < 0 || listener->reserve_fd < 0;
}

int listener_accept(struct listener *listener)
{
	int sock = accept4(listener->socket.fd, NULL, NULL,
			   SOCK_NONBLOCK | SOCK_CLOEXEC);

	listener->paused = false;
	if (sock >= 0 || errno == EAGAIN || errno == EINTR ||
	    errno == ECONNABORTED)
		return sock;
	if (errno == EMFILE || errno == ENFILE)
		listener_refuse_one(listener);
	else
		listener->paused = true;
	if (listener->paused)
		log_warn("accept: %s", strerror(errno));
	return -1;
}

/* Who came too late gets an answer: on an end of file QEMU would spin. */
static void listener_refuse_waiting(const struct listener *listener)
{
	int sock;

	while ((sock = accept4(listener->socket.fd, NULL, NULL,
			       SOCK_CLOEXEC)) >= 0)
		peer_refuse(sock, "the server is ending");
}

/* A socket that is not ours is served by the next server. */
void listener_close(struct listener *listener, bool final)
{
	bool ours = final && listener->lock_fd >= 0;

	if (ours)
		socket_unlink(&listener->socket);
	if (listener->reserve_fd >= 0)
		close(listener->reserve_fd);
	if (listener->socket.fd >= 0) {
		if (ours)
			listener_refuse_waiting(listener);
		close(listener->socket.fd);
	}
	if (ours)
		unlink(listener->lock_path);
	listener_unlock(listener);
	free((char *)listener->socket.path);
	free(listener->lock_path);
}
