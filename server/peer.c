// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * peer: the connected peers, their IDs and eventfds, and who is told what when
 * one joins or leaves. The listener's sockets come in through peers_join();
 * main.c passes events and time.
 *
 * What real QEMUs need, and what they die of otherwise: the order version, own
 * ID, memory, own vectors, other peers; no ID twice, ever; one leave for each
 * peer that was announced, and none for the others; never more eventfds than
 * QEMU has descriptors for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

#define PROTOCOL_VERSION 0
#define MEMORY_MESSAGE (-1)
/* A version nobody speaks: on EOF instead of it QEMU would spin for ever. */
#define REFUSED_VERSION (-1)
#define RETRY_MS 10
#define STALL_CHECK_MS 500

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * (int64_t)1000 + now.tv_nsec / 1000000;
}

int peers_init(struct peers *peers, const struct options *options,
	       int epoll_fd, int memory_fd)
{
	unsigned int each = options->nr_vectors ? options->nr_vectors : 1;

	*peers = (struct peers) {
		.limit = options->limits.budget / each,
		.nr_vectors = options->nr_vectors,
		.epoll_fd = epoll_fd,
		.memory_fd = memory_fd,
		.options = options,
	};
	peers->peer = calloc(peers->limit, sizeof(*peers->peer));
	if (!peers->peer)
		log_error("peers: %s", strerror(errno));
	return peers->peer ? 0 : -1;
}

void peer_refuse(int sock, const char *why)
{
	struct queue queue = { 0 };
	unsigned int sent = 0;
	struct ucred cred = { 0 };
	socklen_t size = sizeof(cred);

	getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &size);
	log_warn("join refused: %s (process %d, user %u)", why, (int)cred.pid,
		 (unsigned int)cred.uid);
	if (!queue_push(&queue, REFUSED_VERSION, -1, NULL))
		queue_send(&queue, sock, &sent);
	queue_free(&queue);
	close(sock);
}

static void peer_free(struct peers *peers, struct peer *peer)
{
	unsigned int i;

	for (i = 0; peer->eventfds && i < peers->nr_vectors; i++) {
		if (peer->eventfds[i] >= 0)
			close(peer->eventfds[i]);
	}
	free(peer->eventfds);
	queue_free(&peer->queue);
	free(peer);
}

static struct peer *peer_new(struct peers *peers, int sock,
			     const struct ucred *cred)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	unsigned int i;

	if (!peer)
		return NULL;
	peer->id = peers->next_id;
	peer->sock = sock;
	peer->cred = *cred;
	peer->held = peers->nr + 1;
	peer->eventfds = calloc(peers->nr_vectors + 1, sizeof(int));
	if (!peer->eventfds)
		goto err_free;
	memset(peer->eventfds, -1, peers->nr_vectors * sizeof(int));
	for (i = 0; i < peers->nr_vectors; i++) {
		peer->eventfds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (peer->eventfds[i] < 0)
			goto err_free;
	}
	return peer;

err_free:
	peer_free(peers, peer);
	return NULL;
}

static void peer_doom(struct peer *peer, const char *why)
{
	if (!peer->doomed && why)
		log_warn("peer %u: disconnected: %s", peer->id, why);
	peer->doomed = true;
}

static int peer_queue(struct peer *peer, int64_t value, int fd,
		      const struct peer *owner)
{
	if (!peer->queue.count)
		peer->progress_ms = now_ms();
	return queue_push(&peer->queue, value, fd, owner);
}

static int peer_queue_vectors(struct peers *peers, struct peer *peer,
			      const struct peer *owner)
{
	unsigned int i;

	for (i = 0; i < peers->nr_vectors; i++) {
		if (peer_queue(peer, owner->id, owner->eventfds[i], owner))
			return -1;
	}
	return 0;
}

static int peer_queue_greeting(struct peers *peers, struct peer *peer)
{
	unsigned int i;

	if (peer_queue(peer, PROTOCOL_VERSION, -1, NULL) ||
	    peer_queue(peer, peer->id, -1, NULL) ||
	    peer_queue(peer, MEMORY_MESSAGE, peers->memory_fd, NULL) ||
	    peer_queue_vectors(peers, peer, peer))
		return -1;
	for (i = 0; i < peers->nr; i++) {
		if (peer_queue_vectors(peers, peer, peers->peer[i]))
			return -1;
	}
	return 0;
}

/* EPOLLOUT only while there is something to send: epoll is level-triggered. */
static void peer_want_writable(struct peers *peers, struct peer *peer,
			       bool wanted)
{
	struct epoll_event event = {
		.events = EPOLLIN | (wanted ? EPOLLOUT : 0),
		.data.ptr = peer,
	};

	if (peer->writable_wanted == wanted)
		return;
	peer->writable_wanted = wanted;
	if (epoll_ctl(peers->epoll_fd, EPOLL_CTL_MOD, peer->sock, &event))
		peer_doom(peer, strerror(errno));
}

static void peer_flush(struct peers *peers, struct peer *peer)
{
	unsigned int sent = 0;
	int err;

	if (peer->doomed)
		return;
	err = queue_send(&peer->queue, peer->sock, &sent);
	if (sent)
		peer->progress_ms = now_ms();
	/* Too many descriptors in flight, or no memory: nothing will wake us. */
	peer->retry = err == ETOOMANYREFS || err == ENOBUFS || err == ENOMEM;
	peer_want_writable(peers, peer, err == EAGAIN);
	if (err == EPIPE || err == ECONNRESET)
		peer_doom(peer, NULL);
	else if (err && err != EAGAIN && !peer->retry)
		peer_doom(peer, strerror(err));
}

static void peers_announce(struct peers *peers, struct peer *joined)
{
	unsigned int i;

	for (i = 0; i < peers->nr; i++) {
		struct peer *peer = peers->peer[i];

		if (peer_queue_vectors(peers, peer, joined))
			peer_doom(peer, strerror(ENOMEM));
		peer->held++;
		peer_flush(peers, peer);
	}
}

static bool has_sent_bytes(int sock)
{
	char byte;

	return recv(sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* A connection that is closed already costs no ID. */
static bool is_closed(int sock)
{
	char byte;

	return recv(sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static struct peer *peer_enter(struct peers *peers, int sock,
			       const struct ucred *cred)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct peer *peer = peer_new(peers, sock, cred);

	if (!peer)
		return NULL;
	event.data.ptr = peer;
	if (peer_queue_greeting(peers, peer) ||
	    epoll_ctl(peers->epoll_fd, EPOLL_CTL_ADD, sock, &event)) {
		peer_free(peers, peer);
		return NULL;
	}
	return peer;
}

void peers_join(struct peers *peers, int sock)
{
	struct ucred cred = { 0 };
	socklen_t size = sizeof(cred);
	const char *obstacle;
	struct peer *peer;

	getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &size);
	obstacle = limits_obstacle(&peers->options->limits, peers, sock, &cred);
	if (!obstacle && has_sent_bytes(sock))
		obstacle = "it sent bytes, but only the server speaks";
	if (obstacle) {
		peer_refuse(sock, obstacle);
		return;
	}
	if (is_closed(sock)) {
		log_info("a connection was closed before its greeting");
		close(sock);
		return;
	}
	peer = peer_enter(peers, sock, &cred);
	if (!peer) {
		peer_refuse(sock, strerror(errno));
		return;
	}
	peers->next_id++;
	log_info("peer %u: joined (process %d, user %u)", peer->id,
		 (int)cred.pid, (unsigned int)cred.uid);
	peer_flush(peers, peer);
	peers_announce(peers, peer);
	peers->peer[peers->nr++] = peer;
	peers_reap(peers);
}

void peers_event(struct peers *peers, struct peer *peer, uint32_t events)
{
	char byte;
	ssize_t got;

	if (events & EPOLLOUT)
		peer_flush(peers, peer);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	got = recv(peer->sock, &byte, 1, MSG_DONTWAIT);
	if (got > 0)
		peer_doom(peer, "it sent bytes, but only the server speaks");
	else if (got == 0 || (errno != EAGAIN && errno != EINTR))
		peer_doom(peer, NULL);
}

void peers_tick(struct peers *peers)
{
	int64_t stall_ms = peers->options->limits.stall_timeout_s * INT64_C(1000);
	int64_t now = now_ms();
	unsigned int i;

	for (i = 0; i < peers->nr; i++) {
		struct peer *peer = peers->peer[i];

		if (peer->retry)
			peer_flush(peers, peer);
		if (peer->queue.count &&
		    now - peer->progress_ms >= stall_ms)
			peer_doom(peer, "it does not read what it is sent");
	}
}

int peers_timeout(const struct peers *peers)
{
	int timeout = -1;
	unsigned int i;

	for (i = 0; i < peers->nr; i++) {
		if (peers->peer[i]->retry)
			return RETRY_MS;
		if (peers->peer[i]->queue.count)
			timeout = STALL_CHECK_MS;
	}
	return timeout;
}

/*
 * Whoever was told of at least one vector is told of the leave; from whoever
 * was not, the announcement is taken back. So a queue is never longer than the
 * peers that are there, and a gone peer's eventfds can be closed at once.
 */
static void peer_retract(struct peers *peers, struct peer *peer,
			 const struct peer *left)
{
	bool told = queue_cancel(&peer->queue, left) < peers->nr_vectors;
	bool announce = peers->options->announce_leave;

	/* Not told to close them, a peer keeps what it was sent. */
	if (announce || !told)
		peer->held--;
	if (!announce || !told)
		return;
	if (peer_queue(peer, left->id, -1, NULL))
		peer_doom(peer, strerror(ENOMEM));
	peer_flush(peers, peer);
}

static struct peer *peers_take_doomed(struct peers *peers)
{
	unsigned int i;

	for (i = 0; i < peers->nr; i++) {
		struct peer *peer = peers->peer[i];

		if (!peer->doomed)
			continue;
		memmove(&peers->peer[i], &peers->peer[i + 1],
			(--peers->nr - i) * sizeof(*peers->peer));
		return peer;
	}
	return NULL;
}

void peers_reap(struct peers *peers)
{
	struct peer *peer;
	unsigned int i;

	while ((peer = peers_take_doomed(peers))) {
		log_info("peer %u: left", peer->id);
		close(peer->sock);
		for (i = 0; i < peers->nr; i++)
			peer_retract(peers, peers->peer[i], peer);
		peer_free(peers, peer);
	}
}

void peers_free(struct peers *peers)
{
	while (peers->nr) {
		struct peer *peer = peers->peer[--peers->nr];

		close(peer->sock);
		peer_free(peers, peer);
	}
	free(peers->peer);
}
