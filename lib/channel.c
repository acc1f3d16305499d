// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * struct ivsh_channel: opening and closing one end of a channel, and watching
 * the other. Who opens an end gets a new generation of its index by one
 * compare-and-swap, which also says where to go on; since every later update is
 * one too, the end's former user fails at its next. ring.c moves the messages.
 */
#include <stdlib.h>

#include "channel.h"

#define MIN_CAPACITY 4096u
#define MAX_CAPACITY (1u << 30)
#define DEFAULT_CAPACITY (1u << 20)
#define MAX_SLOT 4096u
#define MAX_TRIES 1000

static bool power_of_two(uint64_t value)
{
	return value && !(value & (value - 1));
}

/* 1 MiB, or the most that fits. */
static uint64_t default_capacity(const struct ivsh_directory *directory)
{
	uint64_t room = ivsh_directory_room(directory) * IVSH_PAGE;
	uint64_t capacity = DEFAULT_CAPACITY;

	while (capacity > MIN_CAPACITY && capacity + IVSH_PAGE > room)
		capacity /= 2;
	return capacity;
}

static int check_arguments(const char *name, enum ivsh_role role,
			   size_t capacity, size_t slot_size,
			   unsigned int flags)
{
	if (!ivsh_name_valid(name) ||
	    (role != IVSH_PRODUCER && role != IVSH_CONSUMER) ||
	    flags & ~(IVSH_TAKE_OVER | IVSH_RESET))
		return ivsh_fail(EINVAL);
	if (capacity && (!power_of_two(capacity) || capacity < MIN_CAPACITY ||
			 capacity > MAX_CAPACITY))
		return ivsh_fail(EINVAL);
	if (slot_size && (!power_of_two(slot_size) || slot_size < 8 ||
			  slot_size > MAX_SLOT))
		return ivsh_fail(EINVAL);
	return 0;
}

/* --- what both ends agree on --------------------------------------------- */

static int settle_geometry(struct ivsh_channel *channel, size_t slot_size)
{
	uint64_t wanted = IVSH_CHANNEL_MAGIC << 32 | slot_size;
	uint64_t found = word_load(&channel->shared->geometry);

	if (!found && word_publish(&channel->shared->geometry, &found, wanted))
		found = wanted;
	if (found >> 32 != IVSH_CHANNEL_MAGIC)
		return ivsh_fail(EBADMSG);
	if (found != wanted)
		return ivsh_fail(EEXIST);
	channel->slot_size = (uint32_t)slot_size;
	channel->max_message = slot_size ? slot_size :
			       channel->capacity / 2 - IVSH_HEADER;
	return 0;
}

static int place_channel(struct ivsh_channel *channel, const char *name,
			 size_t capacity, size_t slot_size)
{
	struct ivsh_directory *directory = channel->directory;
	struct ivsh_place place;

	if (ivsh_directory_place(directory, IVSH_ENTRY_CHANNEL, name,
				 1 + capacity / IVSH_PAGE, &place))
		return -1;
	channel->capacity = (place.pages - 1) * IVSH_PAGE;
	if (place.pages < 2 || !power_of_two(channel->capacity) ||
	    channel->capacity > MAX_CAPACITY)
		return ivsh_fail(EBADMSG);
	channel->shared = (void *)((unsigned char *)directory->shared +
				   place.page * IVSH_PAGE);
	channel->data = channel->shared->data;
	channel->mask = channel->capacity - 1;
	return settle_geometry(channel, slot_size);
}

/* --- taking an end ------------------------------------------------------- */

/* Whether the peer that opened an end is still the one it was. */
static bool owner_present(const struct ivsh_directory *directory,
			  uint64_t owner)
{
	unsigned int number = owner >> 16 & 0xffff;
	uint64_t session;

	if (!number || number > IVSH_NR_ENTRIES)
		return false;
	session = word_load(&directory->shared->record[number - 1].session);
	return session_joined(session) &&
	       (uint32_t)(session >> 1) == owner >> 32;
}

static bool in_use(const struct ivsh_channel *channel, uint64_t index)
{
	uint16_t generation = index_generation(index);
	uint64_t owner = word_load(&channel->own->owner);

	return generation && word_load(&channel->own->closed) != generation &&
	       (uint16_t)owner == generation &&
	       owner_present(channel->directory, owner);
}

/* Bytes in the channel, or more than it holds if the indices are nonsense. */
static uint64_t bytes_used(const struct ivsh_channel *channel, uint64_t own,
			   uint64_t other)
{
	uint64_t distance = channel->consumer ?
			    (other >> 16) - (own >> 16) :
			    (own >> 16) - (other >> 16);

	return distance & IVSH_POSITION_MAX;
}

/* Each message begins at a multiple of it. */
static uint64_t step_of(const struct ivsh_channel *channel)
{
	return channel->slot_size ? channel->slot_size : IVSH_HEADER;
}

/* Between two messages: the data path relies on it to stay inside the ring. */
static bool is_between_messages(const struct ivsh_channel *channel,
				uint64_t index)
{
	return !((index >> 16) & (step_of(channel) - 1));
}

/*
 * Where to go on: where the last one stopped. After a reset a consumer goes on
 * behind all messages; a producer, whose messages a living consumer may be
 * reading, only if there is no sense in where it is. Neither goes on inside of a
 * message, though the other be there: it may yet reset.
 */
static uint64_t next_index(const struct ivsh_channel *channel, uint64_t index,
			   uint64_t other, unsigned int flags)
{
	uint16_t generation = index_generation(index) + 1;
	uint64_t position;

	if (flags & IVSH_RESET &&
	    (channel->consumer || !is_between_messages(channel, index) ||
	     bytes_used(channel, index, other) > channel->capacity))
		index = other;
	position = index >> 16;
	if (flags & IVSH_RESET)
		position &= ~(step_of(channel) - 1);
	return make_index(position, generation ? generation : 1);
}

static void start_at(struct ivsh_channel *channel, uint64_t index,
		     uint64_t other)
{
	channel->index = index;
	channel->position = index >> 16;
	channel->limit = channel->position;
	channel->publish_at = channel->position + channel->capacity / 8;
	channel->generation = index_generation(index);
	channel->peer_generation = index_generation(other);
}

/* Take the end; so many tries, against a former user that still publishes. */
static int take_end(struct ivsh_channel *channel, unsigned int flags)
{
	uint64_t index, next, other;

	for (int tries = 0; tries < MAX_TRIES; tries++) {
		index = word_load(&channel->own->index);
		other = word_load(&channel->other->index);
		if (!(flags & IVSH_TAKE_OVER) && in_use(channel, index))
			return ivsh_fail(EBUSY);
		next = next_index(channel, index, other, flags);
		ivsh_step("end: not taken");
		if (word_publish(&channel->own->index, &index, next)) {
			start_at(channel, next, other);
			return 0;
		}
	}
	return ivsh_fail(EBUSY);
}

static void sign_end(struct ivsh_channel *channel)
{
	const struct ivsh_directory *directory = channel->directory;

	ivsh_step("end: not signed");
	word_store(&channel->own->owner,
		   directory->session >> 1 << 32 |
		   (uint64_t)(directory->peer + 1) << 16 |
		   channel->generation);
	word_store_full(&channel->own->sleep, 0);
}

/* Whether both indices are ones that a ring can have. */
static bool indices_fit(const struct ivsh_channel *channel)
{
	uint64_t other = word_load(&channel->other->index);

	return is_between_messages(channel, channel->index) &&
	       bytes_used(channel, channel->index, other) <= channel->capacity;
}

/*
 * Say that our generation has closed, unless a later one has: a process that
 * was stopped here must not take its successor's word back. Nor may its own
 * word, should it come in between, be the last.
 */
static void mark_closed(struct ivsh_channel *channel)
{
	uint64_t closed = word_load(&channel->own->closed);
	bool done = false;

	for (int tries = 0; !done && tries < MAX_TRIES; tries++) {
		uint64_t index = word_load(&channel->own->index);

		if (index_generation(index) != channel->generation)
			return;
		ivsh_step("end: not closed");
		done = word_publish(&channel->own->closed, &closed,
				    channel->generation);
	}
}

static int channel_open(struct ivsh_channel *channel, const char *name,
			size_t capacity, size_t slot_size, unsigned int flags)
{
	if (ivsh_directory_check_session(channel->directory))
		return -1;
	if (!capacity)
		capacity = default_capacity(channel->directory);
	if (place_channel(channel, name, capacity, slot_size))
		return -1;
	channel->own = &channel->shared->end[channel->consumer];
	channel->other = &channel->shared->end[!channel->consumer];
	if (take_end(channel, flags))
		return -1;
	sign_end(channel);
	if (!indices_fit(channel)) {
		mark_closed(channel);
		return ivsh_fail(EBADMSG);
	}
	return 0;
}

static void add_to_directory(struct ivsh_channel *channel)
{
	channel->next = channel->directory->channels;
	channel->directory->channels = channel;
}

static void remove_from_directory(struct ivsh_channel *channel)
{
	struct ivsh_channel **link = &channel->directory->channels;

	while (*link != channel)
		link = &(*link)->next;
	*link = channel->next;
}

IVSH_API struct ivsh_channel *ivsh_channel_open(
	struct ivsh_directory *directory, const char *name,
	enum ivsh_role role, size_t capacity, size_t slot_size,
	unsigned int flags)
{
	struct ivsh_channel *channel;
	int error;

	if (check_arguments(name, role, capacity, slot_size, flags))
		return NULL;
	channel = calloc(1, sizeof(*channel));
	if (!channel)
		return NULL;
	channel->directory = directory;
	channel->consumer = role == IVSH_CONSUMER;
	channel->refuse[!channel->consumer] = EINVAL;
	if (channel_open(channel, name, capacity, slot_size, flags)) {
		error = errno;
		free(channel);
		errno = error;
		return NULL;
	}
	add_to_directory(channel);
	ivsh_directory_beat(directory);
	/* It may sleep since before the one died that should have rung. */
	ivsh_ring_wake(channel);
	return channel;
}

IVSH_API void ivsh_channel_close(struct ivsh_channel *channel)
{
	if (!channel)
		return;
	if (!channel->directory->gone) {
		ivsh_channel_flush(channel);
		mark_closed(channel);
		ivsh_ring_wake(channel);
	}
	remove_from_directory(channel);
	free(channel);
}

int ivsh_channel_break(struct ivsh_channel *channel, int error)
{
	channel->refuse[channel->consumer] = error;
	return ivsh_fail(error);
}

/* --- what an open end says ----------------------------------------------- */

IVSH_API size_t ivsh_channel_capacity(const struct ivsh_channel *channel)
{
	return channel->capacity;
}

IVSH_API size_t ivsh_channel_max_message(const struct ivsh_channel *channel)
{
	return channel->max_message;
}

IVSH_API uint64_t ivsh_channel_count(const struct ivsh_channel *channel,
				     enum ivsh_counter counter)
{
	return (unsigned int)counter < 3 ? channel->counters[counter] : 0;
}

/* Everything that a living peer changes now and then. */
static void read_life(const struct ivsh_channel *channel, uint64_t life[3])
{
	const struct ivsh_shared_directory *shared = channel->directory->shared;
	unsigned int number;

	life[0] = word_load(&channel->other->index);
	life[1] = word_load(&channel->other->owner);
	number = life[1] >> 16 & 0xffff;
	life[2] = !number || number > IVSH_NR_ENTRIES ? 0 :
		  word_load(&shared->record[number - 1].heartbeat);
}

IVSH_API int64_t ivsh_channel_peer_silence_ns(struct ivsh_channel *channel)
{
	int64_t now = ivsh_now_ns();
	uint64_t life[3];
	bool moved = false;

	if (channel->directory->gone)
		return now - channel->life_seen_ns;
	read_life(channel, life);
	if (!index_generation(life[0]))
		return INT64_MAX;
	for (int i = 0; i < 3; i++) {
		moved = moved || life[i] != channel->life[i];
		channel->life[i] = life[i];
	}
	if (moved)
		channel->life_seen_ns = now;
	return now - channel->life_seen_ns;
}
