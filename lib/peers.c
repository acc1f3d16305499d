// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The peers of a server. A server announces a peer one vector after the other
 * and does not say which is the last, so a peer is told of when it has as many
 * as we have, or when the server speaks of something else.
 *
 * What is to be told is kept as a mark on each peer, not as a list of events:
 * however long nobody asks, there is one entry for each peer.
 */
#include <stdlib.h>
#include <unistd.h>

#include "peers.h"

void ivsh_peers_init(struct ivsh_peers *peers)
{
	*peers = (struct ivsh_peers){ 0 };
	TAILQ_INIT(&peers->queue);
}

static void close_vectors(struct ivsh_peer *peer)
{
	while (peer->nr_vectors)
		close(peer->eventfds[--peer->nr_vectors]);
}

static void peer_free(struct ivsh_peers *peers, struct ivsh_peer *peer)
{
	peers->peer[peer->id] = NULL;
	close_vectors(peer);
	free(peer->eventfds);
	free(peer);
}

void ivsh_peers_free(struct ivsh_peers *peers)
{
	for (uint32_t id = 0; id < peers->nr_slots; id++)
		if (peers->peer[id])
			peer_free(peers, peers->peer[id]);
	free(peers->peer);
}

static struct ivsh_peer *find(const struct ivsh_peers *peers, uint32_t id)
{
	return id < peers->nr_slots ? peers->peer[id] : NULL;
}

/* Make room for the ID: at most 512 KiB for all 65536. */
static int grow(struct ivsh_peers *peers, uint32_t id)
{
	uint32_t nr_slots = peers->nr_slots ? peers->nr_slots : 16;
	struct ivsh_peer **peer;

	if (id < peers->nr_slots)
		return 0;
	while (nr_slots <= id)
		nr_slots *= 2;
	peer = reallocarray(peers->peer, nr_slots, sizeof(*peer));
	if (!peer)
		return -1;
	for (uint32_t i = peers->nr_slots; i < nr_slots; i++)
		peer[i] = NULL;
	peers->peer = peer;
	peers->nr_slots = nr_slots;
	return 0;
}

static struct ivsh_peer *find_or_make(struct ivsh_peers *peers, uint32_t id)
{
	struct ivsh_peer *peer = find(peers, id);

	if (peer)
		return peer;
	if (grow(peers, id))
		return NULL;
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return NULL;
	peer->id = id;
	peers->peer[id] = peer;
	return peer;
}

static int grow_vectors(struct ivsh_peer *peer)
{
	uint32_t nr_slots = peer->nr_slots ? peer->nr_slots * 2 : 1;
	int *eventfds;

	if (peer->nr_vectors < peer->nr_slots)
		return 0;
	eventfds = reallocarray(peer->eventfds, nr_slots, sizeof(*eventfds));
	if (!eventfds)
		return -1;
	peer->eventfds = eventfds;
	peer->nr_slots = nr_slots;
	return 0;
}

static void enqueue(struct ivsh_peers *peers, struct ivsh_peer *peer)
{
	if (peer->queued || peer->id == peers->own_id)
		return;
	TAILQ_INSERT_TAIL(&peers->queue, peer, queue);
	peer->queued = true;
}

static void dequeue(struct ivsh_peers *peers, struct ivsh_peer *peer)
{
	if (peer->queued)
		TAILQ_REMOVE(&peers->queue, peer, queue);
	peer->queued = false;
}

void ivsh_peers_settle(struct ivsh_peers *peers)
{
	struct ivsh_peer *peer = peers->last;

	if (peer && peer->nr_vectors > peer->told_vectors)
		enqueue(peers, peer);
	peers->last = NULL;
}

int ivsh_peers_add(struct ivsh_peers *peers, uint32_t id, int eventfd)
{
	struct ivsh_peer *peer = find_or_make(peers, id);

	if (peers->last != peer)
		ivsh_peers_settle(peers);
	if (!peer || grow_vectors(peer)) {
		close(eventfd);
		return -1;
	}
	peers->last = peer;
	/* Nobody can ring more: the doorbell has no numbers for them. */
	if (peer->nr_vectors > IVSH_VECTOR_MAX) {
		close(eventfd);
		return 0;
	}
	peer->eventfds[peer->nr_vectors++] = eventfd;
	if (peer->nr_vectors ==
	    ivsh_peers_nr_vectors(peers, peers->own_id))
		ivsh_peers_settle(peers);
	return 0;
}

void ivsh_peers_remove(struct ivsh_peers *peers, uint32_t id)
{
	struct ivsh_peer *peer = find(peers, id);

	if (!peer || !peer->nr_vectors)
		return;
	if (peers->last == peer)
		peers->last = NULL;
	ivsh_peers_settle(peers);
	close_vectors(peer);
	if (peer->told_vectors) {
		peer->left = true;
		enqueue(peers, peer);
	} else if (!peer->left) {
		dequeue(peers, peer);
		peer_free(peers, peer);
	}
}

uint32_t ivsh_peers_nr_vectors(const struct ivsh_peers *peers, uint32_t id)
{
	const struct ivsh_peer *peer = find(peers, id);

	return peer ? peer->nr_vectors : 0;
}

int ivsh_peers_eventfd(const struct ivsh_peers *peers, uint32_t id,
		       uint32_t vector)
{
	if (vector >= ivsh_peers_nr_vectors(peers, id))
		return -1;
	return peers->peer[id]->eventfds[vector];
}

bool ivsh_peers_changed(const struct ivsh_peers *peers)
{
	return !TAILQ_EMPTY(&peers->queue);
}

/* A server that gives an ID twice: the first has left before the next came. */
static enum ivsh_peer_event_type tell_leave(struct ivsh_peers *peers,
					    struct ivsh_peer *peer)
{
	peer->left = false;
	peer->told_vectors = 0;
	if (!peer->nr_vectors) {
		dequeue(peers, peer);
		peer_free(peers, peer);
	}
	return IVSH_PEER_LEFT;
}

enum ivsh_peer_event_type ivsh_peers_next(struct ivsh_peers *peers,
					  uint32_t *id, uint32_t *nr_vectors)
{
	struct ivsh_peer *peer = TAILQ_FIRST(&peers->queue);

	*id = peer->id;
	*nr_vectors = peer->left ? 0 : peer->nr_vectors;
	if (peer->left)
		return tell_leave(peers, peer);
	dequeue(peers, peer);
	peer->told_vectors = peer->nr_vectors;
	return IVSH_PEER_JOINED;
}
