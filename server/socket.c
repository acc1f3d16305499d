// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * socket: a socket with a name in the file system, made so that only those may
 * connect who shall, and unlinked only if it is still ours. For listener.c
 * and keeper.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server.h"

static int socket_fail(const char *path)
{
	log_error("%s: %s", path, strerror(errno));
	return -1;
}

int socket_check_path(const char *path)
{
	if (strlen(path) < sizeof(((struct sockaddr_un *)0)->sun_path))
		return 0;
	log_error("%s: longer than a socket's name can be (107 bytes)", path);
	return -1;
}

/* A socket that nobody listens on was left by a server that was killed. */
static int clear_stale(const char *path, const struct sockaddr_un *address,
		       int type)
{
	struct stat stat;
	int sock, err;

	if (lstat(path, &stat))
		return errno == ENOENT ? 0 : socket_fail(path);
	if (!S_ISSOCK(stat.st_mode)) {
		log_error("%s: exists and is no socket", path);
		return -1;
	}
	sock = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return socket_fail(path);
	err = connect(sock, (const struct sockaddr *)address,
		      sizeof(*address)) ? errno : 0;
	close(sock);
	if (err != ECONNREFUSED) {
		log_error("%s: another server is serving it", path);
		return -1;
	}
	return unlink(path) ? socket_fail(path) : 0;
}

int socket_identify(struct named_socket *named)
{
	struct stat stat;

	if (lstat(named->path, &stat))
		return -1;
	named->dev = stat.st_dev;
	named->ino = stat.st_ino;
	return 0;
}

/* Nobody can connect before group and mode are right: listen() comes last. */
static int bind_named(struct named_socket *named,
		      const struct sockaddr_un *address, mode_t mode,
		      gid_t group)
{
	mode_t mask = umask(0777);
	int ret = bind(named->fd, (const struct sockaddr *)address,
		       sizeof(*address));

	umask(mask);
	if (ret || socket_identify(named))
		return -1;
	if (group != (gid_t)-1 && lchown(named->path, (uid_t)-1, group))
		return -1;
	return chmod(named->path, mode);
}

int socket_open(struct named_socket *named, const char *path, int type,
		mode_t mode, gid_t group)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*named = (struct named_socket) { .path = path, .fd = -1 };
	if (socket_check_path(path))
		return -1;
	strcpy(address.sun_path, path);
	if (clear_stale(path, &address, type))
		return -1;
	named->fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (named->fd < 0 || bind_named(named, &address, mode, group))
		return socket_fail(path);
	if (type != SOCK_DGRAM && listen(named->fd, SOMAXCONN))
		return socket_fail(path);
	return 0;
}

void socket_unlink(const struct named_socket *named)
{
	struct stat stat;

	if (named->ino && !lstat(named->path, &stat) &&
	    stat.st_dev == named->dev && stat.st_ino == named->ino)
		unlink(named->path);
}
