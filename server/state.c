// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * state: all that a server must know of its peers to go on where another was
 * killed: who they are, and what each has been told. It is a memfd that is
 * mapped, not written: what is stored survives kill -9 at any instruction.
 *
 * What was sent is noted by the kernel: sendmmsg() writes msg_len of each
 * message into the flight, here, before it returns to where a signal can kill.
 * So a restarted server knows for each message whether it went out. peers.c
 * changes the rest, in an order such that every instant can be resumed from.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

#define MAGIC "ivshmemd state"
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static uint64_t state_bytes(uint64_t nr_slots)
{
	return sizeof(struct state) + nr_slots * sizeof(struct state_peer);
}

static struct state *state_map(int fd, uint64_t bytes)
{
	struct state *state = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				   MAP_SHARED, fd, 0);

	if (state == MAP_FAILED) {
		log_error("state: %s", strerror(errno));
		return NULL;
	}
	return state;
}

struct state *state_create(unsigned int nr_slots, unsigned int nr_vectors,
			   int *fd)
{
	uint64_t bytes = state_bytes(nr_slots);
	struct state *state;

	/* Sparse: only what peers use takes memory. */
	*fd = memfd_create("ivshmemd-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0 || ftruncate(*fd, (off_t)bytes) ||
	    fcntl(*fd, F_ADD_SEALS, SEALS)) {
		log_error("state: %s", strerror(errno));
		return NULL;
	}
	state = state_map(*fd, bytes);
	if (!state)
		return NULL;
	strcpy(state->magic, MAGIC);
	state->format = STATE_FORMAT;
	state->nr_slots = nr_slots;
	state->nr_vectors = nr_vectors;
	state->since = time(NULL);
	return state;
}

static bool step_is_sound(const struct state *state,
			  const struct flight_step *step)
{
	return step->id < NR_IDS && step->kind <= MESSAGE_LEAVE &&
	       (step->kind != MESSAGE_VECTOR ||
		step->number < state->nr_vectors);
}

static bool flight_is_sound(const struct state *state)
{
	const struct flight *flight = &state->flight;
	unsigned int i;

	if (flight->nr > BATCH || (flight->nr && flight->slot >= state->nr_slots))
		return false;
	for (i = 0; i < flight->nr; i++) {
		if (!step_is_sound(state, &flight->step[i]))
			return false;
	}
	return true;
}

static bool peer_is_sound(const struct state *state,
			  const struct state_peer *peer)
{
	return peer->stage <= STAGE_MEMBER && peer->id < NR_IDS &&
	       peer->greeted <= 3 && peer->partial <= state->nr_vectors &&
	       peer->partial_id < NR_IDS;
}

/* No ID twice: QEMU would die of it. */
static bool peers_are_sound(const struct state *state)
{
	uint8_t seen[NR_IDS / 8] = { 0 };
	unsigned int i;

	for (i = 0; i < state->nr_slots; i++) {
		const struct state_peer *peer = &state->peer[i];

		if (peer->stage == STAGE_FREE)
			continue;
		if (!peer_is_sound(state, peer) ||
		    seen[peer->id / 8] & 1 << peer->id % 8)
			return false;
		seen[peer->id / 8] |= 1 << peer->id % 8;
	}
	return true;
}

static bool state_is_sound(const struct state *state)
{
	return state->nr_vectors <= 256 && state->next_id <= NR_IDS &&
	       memchr(state->shm_name, '\0', sizeof(state->shm_name)) &&
	       flight_is_sound(state) && peers_are_sound(state);
}

static struct state *state_check(struct state *state, uint64_t bytes)
{
	if (memcmp(state->magic, MAGIC, sizeof(MAGIC))) {
		log_error("state: not that of an ivshmemd");
	} else if (state->format != STATE_FORMAT) {
		log_error("state: of format %u, and this ivshmemd knows %u",
			  state->format, STATE_FORMAT);
	} else if (state_bytes(state->nr_slots) != bytes ||
		   !state_is_sound(state)) {
		log_error("state: damaged");
	} else {
		flight_land(state);
		return state;
	}
	munmap(state, bytes);
	return NULL;
}

struct state *state_adopt(int fd)
{
	struct state *state;
	struct stat stat;

	if (fstat(fd, &stat) || (uint64_t)stat.st_size < state_bytes(0) ||
	    fcntl(fd, F_GET_SEALS) != SEALS) {
		log_error("state: no sealed memory of its size");
		return NULL;
	}
	state = state_map(fd, (uint64_t)stat.st_size);
	return state ? state_check(state, (uint64_t)stat.st_size) : NULL;
}

bool state_knows(const struct state_peer *peer, uint32_t id)
{
	return peer->told[id / 8] & 1 << id % 8;
}

void state_tell(struct state_peer *peer, uint32_t id)
{
	peer->told[id / 8] |= 1 << id % 8;
}

unsigned int state_count_told(const struct state_peer *peer)
{
	unsigned int i, nr = 0;

	for (i = 0; i < sizeof(peer->told); i++)
		nr += (unsigned int)__builtin_popcount(peer->told[i]);
	return nr;
}

/* It leaves while we are between its vectors: it is known, and gets no more. */
void state_end_partial(struct state_peer *peer, uint32_t id)
{
	if (!peer->partial || peer->partial_id != id)
		return;
	state_tell(peer, id);
	atomic_signal_fence(memory_order_seq_cst);
	peer->partial = 0;
}

static void note_step(const struct state *state, struct state_peer *peer,
		      const struct flight_step *step)
{
	switch (step->kind) {
	case MESSAGE_GREETING:
		peer->greeted = step->number;
		break;
	case MESSAGE_VECTOR:
		peer->partial_id = step->id;
		peer->partial = step->number + 1u;
		if (peer->partial == state->nr_vectors)
			state_end_partial(peer, step->id);
		break;
	case MESSAGE_LEAVE:
		peer->told[step->id / 8] &= (uint8_t)~(1 << step->id % 8);
		break;
	}
}

/*
 * Takes note of what was sent. A second time changes nothing, so that it may be
 * interrupted and done again.
 */
unsigned int flight_land(struct state *state)
{
	struct flight *flight = &state->flight;
	unsigned int i;

	atomic_signal_fence(memory_order_seq_cst);
	for (i = 0; i < flight->nr; i++) {
		if (flight->header[i].msg_len != sizeof(int64_t))
			break;
		note_step(state, &state->peer[flight->slot], &flight->step[i]);
	}
	atomic_signal_fence(memory_order_seq_cst);
	flight->nr = 0;
	return i;
}
