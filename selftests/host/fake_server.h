/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server that says what a test wants it to say, right or wrong, for
 * peer_protocol.c: a thread accepts one connection and sends a script; more can
 * be sent later. What it gives away is closed when the test's process ends.
 */
#ifndef FAKE_SERVER_H
#define FAKE_SERVER_H

#include <endian.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NO_FD (-1)
#define END (-2)		/* of a script: leave the connection open */
#define HANG_UP (-3)		/* of a script: close it */

struct say {
	int64_t value;
	int fd;			/* or NO_FD, END, HANG_UP */
};

struct fake_server {
	char dir[64];
	char name[100];		/* for ivsh_device_open() */
	int listener;
	int sock;
	const struct say *script;
	pthread_t thread;
	bool threaded;
};

/* Sends these bytes, with these descriptors. */
static inline bool fake_send_raw(int sock, const void *bytes, size_t length,
				 const int *fds, size_t nr_fds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = {};
	struct iovec iov = { (void *)bytes, length };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (nr_fds) {
		header.msg_control = control;
		header.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&header);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nr_fds * sizeof(int));
	}
	return sendmsg(sock, &header, MSG_NOSIGNAL) == (ssize_t)length;
}

static inline bool fake_send(struct fake_server *server, int64_t value, int fd)
{
	int64_t wire = (int64_t)htole64((uint64_t)value);

	return fake_send_raw(server->sock, &wire, sizeof(wire), &fd, fd >= 0);
}

static inline void *fake_main(void *data)
{
	struct fake_server *server = data;
	const struct say *say;

	server->sock = accept(server->listener, NULL, NULL);
	for (say = server->script; say->fd > END; say++)
		if (!fake_send(server, say->value, say->fd))
			return NULL;
	if (say->fd == HANG_UP) {
		close(server->sock);
		server->sock = -1;
	}
	return NULL;
}

static inline bool fake_listen(struct fake_server *server)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memset(server, 0, sizeof(*server));
	strcpy(server->dir, "/tmp/ivshmem-fake.XXXXXX");
	if (!mkdtemp(server->dir))
		return false;
	snprintf(server->name, sizeof(server->name), "unix:%s/s", server->dir);
	strcpy(address.sun_path, server->name + strlen("unix:"));
	server->sock = -1;
	server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return !bind(server->listener, (void *)&address, sizeof(address)) &&
	       !listen(server->listener, 1);
}

/* Accepts one connection in a thread of its own, and sends the script. */
static inline bool fake_start(struct fake_server *server,
			      const struct say *script)
{
	server->script = script;
	server->threaded = !pthread_create(&server->thread, NULL, fake_main,
					   server);
	return server->threaded;
}

/* The script has been sent. */
static inline void fake_join(struct fake_server *server)
{
	if (server->threaded)
		pthread_join(server->thread, NULL);
	server->threaded = false;
}

static inline void fake_stop(struct fake_server *server)
{
	if (server->threaded)
		shutdown(server->listener, SHUT_RDWR);
	fake_join(server);
	if (server->sock >= 0)
		close(server->sock);
	close(server->listener);
	unlink(server->name + strlen("unix:"));
	rmdir(server->dir);
}

static inline int new_eventfd(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static inline int new_memory(size_t size)
{
	int fd = memfd_create("fake", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd >= 0 && !ftruncate(fd, (off_t)size) ? fd : -1;
}

#endif /* FAKE_SERVER_H */
