/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A peer that keeps account, for the programs server*.c: it reads what the
 * server sends, one message at a time, and counts each thing of which a real
 * QEMU would die as a violation.
 */
#ifndef SERVER_PEER_H
#define SERVER_PEER_H

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NR_IDS 65536
#define GONE UINT16_MAX
#define NO_MESSAGE INT64_MIN
#define VECTORS_MAX 256

struct message {
	int64_t value;		/* NO_MESSAGE: end of file, or none in time */
	int fd;
};

struct peer {
	int sock;
	int own_id;
	unsigned int greeted;		/* messages of the greeting */
	int memory_fd;
	int own_vectors[VECTORS_MAX];
	unsigned int nr_vectors;	/* that each peer should have */
	unsigned int nr_known;		/* peers with all vectors, we included */
	unsigned int violations;
	uint16_t vectors[NR_IDS];	/* of each peer, or GONE */
};

static inline int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (!connect(sock, (struct sockaddr *)&address, sizeof(address)))
		return sock;
	close(sock);
	return -1;
}

static inline int message_fd(struct msghdr *header)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(header);
	int fd;

	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

/* One message as QEMU takes it: 8 bytes, and the fd that came with them. */
static inline struct message receive(int sock, int timeout_ms)
{
	struct pollfd pollfd = { .fd = sock, .events = POLLIN };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
	int64_t value = 0;
	struct iovec iov = { &value, sizeof(value) };
	struct msghdr header = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};

	if (poll(&pollfd, 1, timeout_ms) != 1 ||
	    recvmsg(sock, &header, MSG_CMSG_CLOEXEC) != sizeof(value) ||
	    header.msg_flags & MSG_CTRUNC)
		return (struct message) { NO_MESSAGE, -1 };
	return (struct message) { (int64_t)le64toh(value), message_fd(&header) };
}

static inline void peer_violation(struct peer *peer, const char *what,
				  int64_t id)
{
	peer->violations++;
	fprintf(stderr, "# peer %d: %s of %lld\n", peer->own_id, what,
		(long long)id);
}

static inline void peer_learn_vector(struct peer *peer, uint16_t id, int fd)
{
	uint16_t *vectors = &peer->vectors[id];

	if (*vectors == GONE || *vectors == peer->nr_vectors) {
		peer_violation(peer, "a vector too many or too late", id);
		close(fd);
		return;
	}
	if (id == peer->own_id)
		peer->own_vectors[*vectors] = fd;
	else
		close(fd);
	if (++*vectors == peer->nr_vectors)
		peer->nr_known++;
}

static inline void peer_learn_leave(struct peer *peer, uint16_t id)
{
	if (peer->vectors[id] == GONE || !peer->vectors[id] ||
	    id == peer->own_id)
		peer_violation(peer, "a leave that cannot be", id);
	else if (peer->vectors[id] == peer->nr_vectors)
		peer->nr_known--;
	peer->vectors[id] = GONE;
}

/* Version, ID, memory: in this order, and before all else. */
static inline bool peer_learn_greeting(struct peer *peer,
				       struct message message)
{
	switch (peer->greeted++) {
	case 0:
		return message.value == 0 && message.fd < 0;
	case 1:
		peer->own_id = (int)message.value;
		return message.value >= 0 && message.value < NR_IDS &&
		       message.fd < 0;
	default:
		peer->memory_fd = message.fd;
		return message.value == -1 && message.fd >= 0;
	}
}

/* Takes one message; false when none comes, or the greeting is a refusal. */
static inline bool peer_learn(struct peer *peer, int timeout_ms)
{
	struct message message = receive(peer->sock, timeout_ms);

	if (message.value == NO_MESSAGE)
		return false;
	if (peer->greeted < 3)
		return peer_learn_greeting(peer, message);
	if (message.value < 0 || message.value >= NR_IDS)
		peer_violation(peer, "a message", message.value);
	else if (message.fd >= 0)
		peer_learn_vector(peer, message.value, message.fd);
	else
		peer_learn_leave(peer, message.value);
	return true;
}

/* Learns until it knows so many peers, itself included. */
static inline bool peer_knows(struct peer *peer, unsigned int nr)
{
	while (peer->nr_known != nr) {
		if (peer_learn(peer, WAIT_MS))
			continue;
		fprintf(stderr, "# peer %d: knows %u peers, not %u\n",
			peer->own_id, peer->nr_known, nr);
		return false;
	}
	return true;
}

/* Learns until a peer has left. */
static inline bool peer_misses(struct peer *peer, int id)
{
	while (peer->vectors[id] != GONE) {
		if (!peer_learn(peer, WAIT_MS))
			return false;
	}
	return true;
}

/* Nothing more is under way. */
static inline bool peer_is_quiet(struct peer *peer)
{
	struct pollfd pollfd = { .fd = peer->sock, .events = POLLIN };

	return poll(&pollfd, 1, 0) == 0;
}

/* Connects, and reads nothing. */
static inline struct peer *peer_connect(const char *path, unsigned int vectors)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	peer->own_id = -1;
	peer->memory_fd = -1;
	peer->nr_vectors = vectors;
	peer->sock = connect_to(path);
	return peer;
}

/* Reads version, ID, memory and own vectors; false if it was refused. */
static inline bool peer_read_greeting(struct peer *peer)
{
	while (peer->greeted < 3 ||
	       peer->vectors[peer->own_id] < peer->nr_vectors) {
		if (!peer_learn(peer, WAIT_MS))
			return false;
	}
	return true;
}

static inline void peer_close(struct peer *peer)
{
	unsigned int i;

	if (!peer)
		return;
	for (i = 0; peer->own_id >= 0 && i < peer->vectors[peer->own_id]; i++)
		close(peer->own_vectors[i]);
	if (peer->memory_fd >= 0)
		close(peer->memory_fd);
	if (peer->sock >= 0)
		close(peer->sock);
	free(peer);
}

/* Connects and reads its greeting; NULL if that did not work. */
static inline struct peer *peer_join(const char *path, unsigned int vectors)
{
	struct peer *peer = peer_connect(path, vectors);

	if (peer->sock >= 0 && peer_read_greeting(peer))
		return peer;
	peer_close(peer);
	return NULL;
}

#endif
