// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * peers: who is told what when one joins or leaves, and in which order, also
 * when the server is killed in between. The listener's sockets come in through
 * peers_join(); main.c passes time.
 *
 * What real QEMUs need, and what they die of otherwise: the order version, own
 * ID, memory, own vectors, other peers; no ID twice, ever; one leave for each
 * peer that was announced, and none for the others; never more eventfds than
 * QEMU has descriptors for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"

#define RETRY_MS 10
#define STALL_CHECK_MS 500

int peers_init(struct peers *peers, const struct options *options,
	       struct state *state, int epoll_fd, int memory_fd)
{
	unsigned int limit = limits_peers(options, state->nr_vectors);

	*peers = (struct peers) {
		.limit = limit < state->nr_slots ? limit : state->nr_slots,
		.nr_vectors = state->nr_vectors,
		.state = state,
		.epoll_fd = epoll_fd,
		.memory_fd = memory_fd,
		.options = options,
	};
	peers->peer = calloc(state->nr_slots, sizeof(*peers->peer));
	if (!peers->peer)
		log_error("peers: %s", strerror(errno));
	return peers->peer ? 0 : -1;
}

/*
 * Own vectors first: QEMU with KVM aborts if its guest is faster than these. A
 * peer of which another server had begun to tell comes before all.
 */
static int peer_queue_all(struct peers *peers, struct peer *peer,
			  const struct peer *begun)
{
	unsigned int i;

	if (peer_queue_greeting(peers, peer) ||
	    (begun && peer_queue_vectors(peers, peer, begun)) ||
	    (begun != peer && peer_queue_vectors(peers, peer, peer)))
		return -1;
	for (i = 0; i < peers->nr; i++) {
		const struct peer *other = peers->peer[i];

		if (other != peer && other != begun &&
		    peer_queue_vectors(peers, peer, other))
			return -1;
	}
	return 0;
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

static const char store_silent[] = "the keeper, or systemd, does not answer";

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

static const char *join_obstacle(const struct peers *peers, int sock,
				 const struct ucred *cred)
{
	const char *obstacle = limits_obstacle(&peers->options->limits, peers,
					       sock, cred);

	if (!obstacle && has_sent_bytes(sock))
		return "it sent bytes, but only the server speaks";
	if (!obstacle && !store_answers())
		return store_silent;
	return obstacle;
}

static void peers_refuse(struct peers *peers, int sock, const char *why)
{
	peers->state->refused++;
	peer_refuse(sock, why);
}

static void peers_add(struct peers *peers, struct peer *peer)
{
	peer->held = peers->nr + 1;
	if (peer_queue_all(peers, peer, NULL))
		peer_doom(peer, strerror(ENOMEM));
	peer_flush(peers, peer);
	peers_announce(peers, peer);
	peers->peer[peers->nr++] = peer;
}

void peers_join(struct peers *peers, int sock)
{
	struct ucred cred = { 0 };
	socklen_t size = sizeof(cred);
	const char *obstacle;
	struct peer *peer;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &size))
		obstacle = strerror(errno);
	else
		obstacle = join_obstacle(peers, sock, &cred);
	if (obstacle) {
		peers_refuse(peers, sock, obstacle);
		return;
	}
	if (is_closed(sock)) {
		log_info("a connection was closed before its greeting");
		close(sock);
		return;
	}
	peer = peer_new(peers, sock, &cred);
	if (!peer) {
		obstacle = strerror(errno);
		peers_refuse(peers, sock,
			     store_answers() ? obstacle : store_silent);
		return;
	}
	peers->state->joins++;
	log_info("peer %u: joined (process %d, user %u, %s)", peer->id,
		 (int)cred.pid, (unsigned int)cred.uid, peer->state->program);
	peers_add(peers, peer);
	peers_reap(peers);
}

static struct peer *find_peer(const struct peers *peers, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < peers->nr; i++) {
		if (peers->peer[i]->id == id)
			return peers->peer[i];
	}
	return NULL;
}

/* Of those that it knows and that left while nobody told it. */
static int peer_queue_missed_leaves(struct peers *peers, struct peer *peer)
{
	uint32_t id;

	if (!peers->options->announce_leave)
		return 0;
	for (id = 0; id < peers->state->next_id; id++) {
		if (state_knows(peer->state, id) && !find_peer(peers, id) &&
		    peer_queue_leave(peer, (uint16_t)id))
			return -1;
	}
	return 0;
}

static unsigned int count_held(const struct peers *peers,
			       const struct state_peer *state)
{
	unsigned int i, nr = state_count_told(state);

	for (i = 0; i < peers->nr; i++)
		nr += !state_knows(state, peers->peer[i]->id);
	return nr;
}

/* Queues what the server before had yet to tell. */
static int peer_resume(struct peers *peers, struct peer *peer)
{
	struct state_peer *state = peer->state;
	const struct peer *begun = NULL;

	if (state->partial)
		begun = find_peer(peers, state->partial_id);
	if (!begun)
		state_end_partial(state, state->partial_id);
	peer->held = count_held(peers, state);
	if (peer_queue_all(peers, peer, begun))
		return -1;
	return peer_queue_missed_leaves(peers, peer);
}

static int by_id(const void *a, const void *b)
{
	const struct peer *const *one = a, *const *other = b;

	return (*one)->id - (*other)->id;
}

int peers_adopt(struct peers *peers)
{
	struct state *state = peers->state;
	unsigned int i;

	for (i = 0; i < state->nr_slots; i++) {
		struct peer *peer = NULL;

		if (state->peer[i].stage != STAGE_FREE)
			peer = peer_adopt(peers, &state->peer[i]);
		if (peer)
			peers->peer[peers->nr++] = peer;
	}
	qsort(peers->peer, peers->nr, sizeof(*peers->peer), by_id);
	for (i = 0; i < peers->nr; i++) {
		if (!peer_resume(peers, peers->peer[i]))
			continue;
		log_error("peers: out of memory");
		return -1;
	}
	for (i = 0; i < peers->nr; i++)
		peer_flush(peers, peers->peer[i]);
	state->restarts++;
	return 0;
}

bool peers_kick(struct peers *peers, uint32_t id)
{
	struct peer *peer = find_peer(peers, id);

	if (!peer || peer->doomed)
		return false;
	peer_doom(peer, "kicked");
	peers->state->kicked++;
	return true;
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
		if (peer->doomed || !peer->queue.count ||
		    now - peer->progress_ms < stall_ms)
			continue;
		peers->state->stalled++;
		peer_doom(peer, "it does not read what it is sent");
	}
}

int peers_timeout(const struct peers *peers)
{
	int timeout = store_flush() ? -1 : RETRY_MS;
	unsigned int i;

	for (i = 0; i < peers->nr; i++) {
		if (peers->peer[i]->retry)
			return RETRY_MS;
		if (peers->peer[i]->queue.count && timeout < 0)
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

	state_end_partial(peer->state, left->id);
	/* Not told to close them, a peer keeps what it was sent. */
	if (announce || !told)
		peer->held--;
	if (!announce || !told)
		return;
	if (peer_queue_leave(peer, left->id))
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

/* It is forgotten before the first is told: else, killed now, we would be back. */
void peers_reap(struct peers *peers)
{
	struct peer *peer;
	unsigned int i;

	while ((peer = peers_take_doomed(peers))) {
		log_info("peer %u: left", peer->id);
		peers->state->leaves++;
		peer_forget(peers, peer);
		peer_close(peers, peer);
		for (i = 0; i < peers->nr; i++)
			peer_retract(peers, peers->peer[i], peer);
		peer_free(peers, peer);
	}
}

void peers_free(struct peers *peers)
{
	while (peers->nr) {
		struct peer *peer = peers->peer[--peers->nr];

		peer_close(peers, peer);
		peer_free(peers, peer);
	}
	free(peers->peer);
}
