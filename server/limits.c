// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * limits: who may become a peer, and how many there may be. peers.c asks before
 * a connection costs anything.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "server.h"

/* There can be many supplementary groups; more than these do not count. */
#define MAX_GROUPS 256

static bool is_among(const struct allowed *allowed, unsigned int id)
{
	unsigned int i;

	for (i = 0; i < allowed->nr; i++) {
		if (allowed->id[i] == id)
			return true;
	}
	return false;
}

static bool has_allowed_group(const struct allowed *allowed, int sock,
			      gid_t gid)
{
	gid_t groups[MAX_GROUPS];
	socklen_t size = sizeof(groups);
	unsigned int i;

	if (is_among(allowed, gid))
		return true;
	if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
		return false;
	for (i = 0; i < size / sizeof(*groups); i++) {
		if (is_among(allowed, groups[i]))
			return true;
	}
	return false;
}

static bool is_allowed(const struct limits *limits, int sock,
		       const struct ucred *cred)
{
	if (!limits->uids.nr && !limits->gids.nr)
		return true;
	return is_among(&limits->uids, cred->uid) ||
	       has_allowed_group(&limits->gids, sock, cred->gid);
}

unsigned int limits_peers(const struct options *options,
			  unsigned int nr_vectors)
{
	unsigned int peers = options->limits.budget /
			     (nr_vectors ? nr_vectors : 1);

	return peers < NR_IDS ? peers : NR_IDS;
}

static unsigned int peers_of_user(const struct peers *peers, uid_t uid)
{
	unsigned int i, nr = 0;

	for (i = 0; i < peers->nr; i++)
		nr += peers->peer[i]->state->cred.uid == uid;
	return nr;
}

/*
 * Without leaves every peer keeps the eventfds of those that left: the one that
 * has seen most decides.
 */
static unsigned int most_held(const struct peers *peers)
{
	unsigned int i, most = peers->nr;

	for (i = 0; i < peers->nr; i++) {
		if (peers->peer[i]->held > most)
			most = peers->peer[i]->held;
	}
	return most;
}

const char *limits_obstacle(const struct limits *limits,
			    const struct peers *peers, int sock,
			    const struct ucred *cred)
{
	if (!is_allowed(limits, sock, cred))
		return "neither its user nor a group of it is allowed (see --allow-uid)";
	if (peers->state->next_id >= NR_IDS)
		return "all 65536 peer IDs have been used, restart the server";
	if (most_held(peers) >= peers->limit)
		return "the budget of eventfds is used up (see --budget)";
	if (limits->max_per_uid &&
	    peers_of_user(peers, cred->uid) >= limits->max_per_uid)
		return "its user has as many peers as --max-per-uid allows";
	return NULL;
}
