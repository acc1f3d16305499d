/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The peers that a server has announced, their eventfds, and what of it the
 * user has still to be told. server.c fills it, and holds a lock around each
 * call. Not installed.
 */
#ifndef IVSH_PEERS_H
#define IVSH_PEERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "ivshmem.h"

struct ivsh_peer {
	uint32_t id;
	uint32_t nr_vectors;		/* 0: has left */
	uint32_t told_vectors;		/* of which the user knows; 0: of none */
	bool left;			/* the peer that the user knows has left */
	bool queued;
	TAILQ_ENTRY(ivsh_peer) queue;
	uint32_t nr_slots;
	int *eventfds;			/* nr_slots, nr_vectors of them open */
};

struct ivsh_peers {
	uint32_t own_id;		/* never told of */
	uint32_t nr_slots;
	struct ivsh_peer **peer;	/* by ID, NULL when absent */
	struct ivsh_peer *last;		/* whose vectors come now, or NULL */
	TAILQ_HEAD(, ivsh_peer) queue;	/* to be told */
};

void ivsh_peers_init(struct ivsh_peers *peers);
void ivsh_peers_free(struct ivsh_peers *peers);

/* One more vector of a peer; takes the fd in any case. -1: ENOMEM. */
int ivsh_peers_add(struct ivsh_peers *peers, uint32_t id, int eventfd);
/* A peer has left; one that is not known is ignored. */
void ivsh_peers_remove(struct ivsh_peers *peers, uint32_t id);
/* No more vectors come of the peer that was announced last. */
void ivsh_peers_settle(struct ivsh_peers *peers);

uint32_t ivsh_peers_nr_vectors(const struct ivsh_peers *peers, uint32_t id);
/* Borrowed, valid until the peer is removed; -1 if there is none. */
int ivsh_peers_eventfd(const struct ivsh_peers *peers, uint32_t id,
		       uint32_t vector);

/* Whether there is anything to tell, and what: JOINED or LEFT. */
bool ivsh_peers_changed(const struct ivsh_peers *peers);
enum ivsh_peer_event_type ivsh_peers_next(struct ivsh_peers *peers,
					  uint32_t *id, uint32_t *nr_vectors);

#endif /* IVSH_PEERS_H */
