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

/* Connecting needs the right to write: the owner and the group. */
#define SOCKET_MODE 0660
#define LOCK_MODE 0600

static int listener_fail(const struct listener *listener)
{
	log_error("%s: %s", listener->path, strerror(errno));
	return -1;
}

static void listener_unlock(struct listener *listener)
{
	if (listener->lock_fd >= 0)
		close(listener->lock_fd);
	listener->lock_fd = -1;
}

static int listener_try_lock(struct listener *listener)
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
	log_error("%s: another server is serving it", listener->path);
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

int listener_lock(struct listener *listener, const char *path)
{
	*listener = (struct listener) {
		.path = path, .lock_fd = -1, .fd = -1, .reserve_fd = -1,
	};
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		log_error("%s: longer than a socket's name can be (107 bytes)",
			  path);
		return -1;
	}
	if (asprintf(&listener->lock_path, "%s.lock", path) < 0) {
		listener->lock_path = NULL;
		return listener_fail(listener);
	}
	do {
		listener_unlock(listener);
		if (listener_try_lock(listener))
			return -1;
	} while (!listener_lock_is_named(listener));
	return 0;
}

/* A socket that nobody listens on was left by a server that was killed. */
static int listener_clear_stale(const struct listener *listener,
				const struct sockaddr_un *address)
{
	struct stat stat;
	int sock, err;

	if (lstat(listener->path, &stat))
		return errno == ENOENT ? 0 : listener_fail(listener);
	if (!S_ISSOCK(stat.st_mode)) {
		log_error("%s: exists and is no socket", listener->path);
		return -1;
	}
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return listener_fail(listener);
	err = connect(sock, (const struct sockaddr *)address,
		      sizeof(*address)) ? errno : 0;
	close(sock);
	if (err != ECONNREFUSED) {
		log_error("%s: another server is serving it", listener->path);
		return -1;
	}
	return unlink(listener->path) ? listener_fail(listener) : 0;
}

static int listener_bind(struct listener *listener,
			 const struct sockaddr_un *address)
{
	struct stat stat;
	mode_t mask = umask(0777 & ~SOCKET_MODE);
	int ret = bind(listener->fd, (const struct sockaddr *)address,
		       sizeof(*address));

	umask(mask);
	if (ret || lstat(listener->path, &stat))
		return -1;
	listener->dev = stat.st_dev;
	listener->ino = stat.st_ino;
	return listen(listener->fd, SOMAXCONN);
}

int listener_open(struct listener *listener)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(address.sun_path, listener->path);
	if (listener_clear_stale(listener, &address))
		return -1;
	listener->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	listener->fd = socket(AF_UNIX,
			      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (listener->fd < 0 || listener_bind(listener, &address))
		return listener_fail(listener);
	return 0;
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
	sock = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (sock >= 0)
		peer_refuse(sock, "out of file descriptors (see ulimit -n)");
	listener->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	listener->paused = sock < 0 || listener->reserve_fd < 0;
}

int listener_accept(struct listener *listener)
{
	int sock = accept4(listener->fd, NULL, NULL,
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

/* Another server may have the path by now: unlink only our own socket. */
static void listener_unlink(const struct listener *listener)
{
	struct stat stat;

	if (listener->ino && !lstat(listener->path, &stat) &&
	    stat.st_dev == listener->dev && stat.st_ino == listener->ino)
		unlink(listener->path);
}

/* Who came too late gets an answer: on an end of file QEMU would spin. */
static void listener_refuse_waiting(const struct listener *listener)
{
	int sock;

	while ((sock = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		peer_refuse(sock, "the server is ending");
}

void listener_close(struct listener *listener)
{
	listener_unlink(listener);
	if (listener->reserve_fd >= 0)
		close(listener->reserve_fd);
	if (listener->fd >= 0) {
		listener_refuse_waiting(listener);
		close(listener->fd);
	}
	if (listener->lock_fd >= 0)
		unlink(listener->lock_path);
	listener_unlock(listener);
	free(listener->lock_path);
}
