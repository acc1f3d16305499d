// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * peer: one connection, its ID and eventfds, and what it is sent. peers.c says
 * who is told what; main.c passes events.
 */
#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
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

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * (int64_t)1000 + now.tv_nsec / 1000000;
}

void peer_refuse(int sock, const char *why)
{
	int64_t version = htole64((uint64_t)REFUSED_VERSION);
	struct ucred cred = { 0 };
	socklen_t size = sizeof(cred);

	getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &size);
	log_warn("join refused: %s (process %d, user %u)", why, (int)cred.pid,
		 (unsigned int)cred.uid);
	send(sock, &version, sizeof(version), MSG_DONTWAIT | MSG_NOSIGNAL);
	close(sock);
}

/* Under these names the store keeps a peer's socket (-1) and its vectors. */
static const char *kept_name(uint32_t id, int vector)
{
	static char name[16];

	if (vector < 0)
		snprintf(name, sizeof(name), "p%x", id);
	else
		snprintf(name, sizeof(name), "p%x.%x", id, (unsigned int)vector);
	return name;
}

static int peer_store(struct peers *peers, const struct peer *peer)
{
	int i;

	for (i = 0; i < (int)peers->nr_vectors; i++) {
		if (store_add(kept_name(peer->id, i), peer->eventfds[i]))
			return -1;
	}
	return store_add(kept_name(peer->id, -1), peer->sock);
}

void peer_forget(struct peers *peers, struct peer *peer)
{
	int i;

	peer->state->stage = STAGE_FREE;
	atomic_signal_fence(memory_order_seq_cst);
	for (i = -1; i < (int)peers->nr_vectors; i++)
		store_remove(kept_name(peer->id, i));
}

/* A descriptor that is kept elsewhere too stays in the epoll set when closed. */
void peer_close(struct peers *peers, struct peer *peer)
{
	epoll_ctl(peers->epoll_fd, EPOLL_CTL_DEL, peer->sock, NULL);
	close(peer->sock);
}

void peer_free(struct peers *peers, struct peer *peer)
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

static struct state_peer *find_slot(struct state *state)
{
	unsigned int i;

	for (i = 0; i < state->nr_slots; i++) {
		if (state->peer[i].stage == STAGE_FREE)
			return &state->peer[i];
	}
	errno = ENOSPC;
	return NULL;
}

/* For the log and the status: the name may be anything. */
static void read_program(char *program, size_t size, pid_t pid)
{
	char path[32];
	FILE *file;
	char *at;

	strcpy(program, "?");
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return;
	if (!fgets(program, (int)size, file))
		strcpy(program, "?");
	fclose(file);
	for (at = program; *at; at++) {
		if (*at == '\n')
			*at = '\0';
		else if (*at < ' ' || *at > '~')
			*at = '?';
	}
}

static void fill_slot(struct state_peer *slot, uint32_t id,
		      const struct ucred *cred)
{
	memset(slot, 0, sizeof(*slot));
	slot->id = id;
	slot->cred = *cred;
	slot->since = time(NULL);
	read_program(slot->program, sizeof(slot->program), cred->pid);
}

static struct peer *peer_alloc(struct peers *peers, struct state_peer *slot)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return NULL;
	peer->id = (uint16_t)slot->id;
	peer->state = slot;
	peer->sock = -1;
	peer->eventfds = calloc(peers->nr_vectors + 1, sizeof(int));
	if (!peer->eventfds) {
		free(peer);
		return NULL;
	}
	memset(peer->eventfds, -1, peers->nr_vectors * sizeof(int));
	return peer;
}

static int peer_make_eventfds(struct peers *peers, struct peer *peer)
{
	unsigned int i;

	for (i = 0; i < peers->nr_vectors; i++) {
		peer->eventfds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (peer->eventfds[i] < 0)
			return -1;
	}
	return 0;
}

static int peer_watch(struct peers *peers, struct peer *peer)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = peer };

	return epoll_ctl(peers->epoll_fd, EPOLL_CTL_ADD, peer->sock, &event);
}

/* From here on it is a peer also for a server that is started after us. */
static void peer_admit(struct peers *peers, struct peer *peer)
{
	struct state *state = peers->state;

	if (state->next_id <= peer->id)
		state->next_id = peer->id + 1u;
	atomic_signal_fence(memory_order_seq_cst);
	peer->state->stage = STAGE_MEMBER;
}

/*
 * What can fail comes first. Then it is kept, so that a server that is killed
 * leaves it connected; then it is a member, and only then is it greeted.
 */
static int peer_enter(struct peers *peers, struct peer *peer)
{
	if (peer_make_eventfds(peers, peer) || peer_watch(peers, peer))
		return -1;
	peer->state->stage = STAGE_JOINING;
	if (peer_store(peers, peer)) {
		peer_forget(peers, peer);
		return -1;
	}
	peer_admit(peers, peer);
	return 0;
}

struct peer *peer_new(struct peers *peers, int sock, const struct ucred *cred)
{
	struct state_peer *slot = find_slot(peers->state);
	struct peer *peer;

	if (!slot)
		return NULL;
	fill_slot(slot, peers->state->next_id, cred);
	peer = peer_alloc(peers, slot);
	if (!peer)
		return NULL;
	peer->sock = sock;
	if (!peer_enter(peers, peer))
		return peer;
	peer_free(peers, peer);
	return NULL;
}

/*
 * The socket is kept last: with it, the rest is there too, unless there was an
 * error. Nothing is kept again: of two with one name both would be dropped.
 */
struct peer *peer_adopt(struct peers *peers, struct state_peer *slot)
{
	struct peer *peer = peer_alloc(peers, slot);
	bool whole = true;
	int i;

	if (!peer)
		return NULL;
	for (i = 0; i < (int)peers->nr_vectors; i++) {
		peer->eventfds[i] = store_take(kept_name(slot->id, i));
		whole = whole && peer->eventfds[i] >= 0;
	}
	peer->sock = store_take(kept_name(slot->id, -1));
	if (peer->sock >= 0 && whole && !peer_watch(peers, peer)) {
		peer_admit(peers, peer);
		return peer;
	}
	if (slot->stage == STAGE_MEMBER)
		log_error("peer %u: lost, because not all of it was kept",
			  peer->id);
	peer_forget(peers, peer);
	if (peer->sock >= 0)
		peer_close(peers, peer);
	peer_free(peers, peer);
	return NULL;
}

void peer_doom(struct peer *peer, const char *why)
{
	if (!peer->doomed && why)
		log_warn("peer %u: disconnected: %s", peer->id, why);
	peer->doomed = true;
}

static int peer_queue(struct peer *peer, const struct message *message)
{
	if (!peer->queue.count)
		peer->progress_ms = now_ms();
	return queue_push(&peer->queue, message);
}

/* Those that it has not got yet. */
int peer_queue_vectors(struct peers *peers, struct peer *peer,
		       const struct peer *owner)
{
	const struct state_peer *state = peer->state;
	unsigned int i = 0;

	if (state_knows(state, owner->id))
		return 0;
	if (state->partial && state->partial_id == owner->id)
		i = state->partial;
	for (; i < peers->nr_vectors; i++) {
		struct message message = {
			.value = owner->id,
			.fd = owner->eventfds[i],
			.step = { owner->id, MESSAGE_VECTOR, (uint16_t)i },
			.owner = owner,
		};

		if (peer_queue(peer, &message))
			return -1;
	}
	return 0;
}

int peer_queue_leave(struct peer *peer, uint16_t id)
{
	struct message message = {
		.value = id,
		.fd = -1,
		.step = { id, MESSAGE_LEAVE, 0 },
	};

	return peer_queue(peer, &message);
}

int peer_queue_greeting(struct peers *peers, struct peer *peer)
{
	const struct message messages[] = {
		{ PROTOCOL_VERSION, -1, { 0, MESSAGE_GREETING, 1 }, NULL },
		{ peer->id, -1, { 0, MESSAGE_GREETING, 2 }, NULL },
		{ MEMORY_MESSAGE, peers->memory_fd,
		  { 0, MESSAGE_GREETING, 3 }, NULL },
	};
	unsigned int i;

	for (i = peer->state->greeted; i < 3; i++) {
		if (peer_queue(peer, &messages[i]))
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

/* One batch: who has a long queue gets the next after the others' turn. */
void peer_flush(struct peers *peers, struct peer *peer)
{
	unsigned int sent = 0;
	int err;

	if (peer->doomed)
		return;
	err = queue_send(&peer->queue, peer->sock, peers->state,
			 (unsigned int)(peer->state - peers->state->peer),
			 &sent);
	peer->state->sent += sent;
	if (sent)
		peer->progress_ms = now_ms();
	/* Too many descriptors in flight, or no memory: nothing will wake us. */
	peer->retry = err == ETOOMANYREFS || err == ENOBUFS || err == ENOMEM;
	peer_want_writable(peers, peer, peer->queue.count && !peer->retry);
	if (err == EPIPE || err == ECONNRESET)
		peer_doom(peer, NULL);
	else if (err && err != EAGAIN && !peer->retry)
		peer_doom(peer, strerror(err));
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
