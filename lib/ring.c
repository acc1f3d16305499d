// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The data path of a channel. Each side has its own position, and the other's
 * as far as it was last asked (limit); only when that does not suffice is the
 * other's index read, with one subtraction and one comparison to check it.
 * What was written or read is published now and then: a compare-and-swap,
 * which is also the fence before the look at whether the other side sleeps.
 */
#include <string.h>

#include "channel.h"

/* Our index is not what we published: whose is it? */
__attribute__((noinline, cold)) int
ivsh_ring_lost(struct ivsh_channel *channel, uint64_t found)
{
	bool stale = index_generation(found) != channel->generation;

	return ivsh_channel_break(channel, stale ? ESTALE : EBADMSG);
}

/* What was read makes no sense: to us, if the end is another one's now. */
static __attribute__((noinline, cold)) int
senseless(struct ivsh_channel *channel)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return ivsh_ring_lost(channel, word_load(&channel->own->index));
}

/* --- the other side ------------------------------------------------------ */

/*
 * The distance was not one that a ring can have: the other end has a new user,
 * or the index is nonsense.
 */
static __attribute__((noinline, cold)) int
other_changed(struct ivsh_channel *channel, uint64_t other, uint64_t *distance)
{
	uint64_t own = make_index(channel->position, index_generation(other));

	*distance = channel->consumer ? index_distance(other, own) :
					index_distance(own, other);
	if (*distance > channel->capacity)
		return senseless(channel);
	channel->peer_generation = index_generation(other);
	return 0;
}

/* Read the other's index once, and set the limit by it. */
static int refresh(struct ivsh_channel *channel)
{
	/* Pairs with the compare-and-swap in publish(). */
	uint64_t other = word_load_full(&channel->other->index);
	uint64_t own = make_index(channel->position, channel->peer_generation);
	uint64_t distance = channel->consumer ? index_distance(other, own) :
						index_distance(own, other);

	if (unlikely(distance > channel->capacity) &&
	    other_changed(channel, other, &distance))
		return -1;
	channel->limit = channel->position +
			 (channel->consumer ? distance :
					      channel->capacity - distance);
	return 0;
}

/* Whether it was the user of the other side that we follow who closed. */
static bool other_gone(const struct ivsh_channel *channel, uint64_t closed)
{
	return closed && closed == channel->peer_generation;
}

/* Ring the other side if it sleeps, once for each time that it fell asleep. */
void ivsh_ring_wake(struct ivsh_channel *channel)
{
	const struct ivsh_wakeup *wakeup = &channel->directory->wakeup;
	uint64_t sleep;

	if (!wakeup->ring || !word_load_full(&channel->other->sleep))
		return;
	ivsh_step("ring: sleeper not claimed");
	sleep = word_exchange(&channel->other->sleep, 0);
	if (!(sleep & IVSH_ASLEEP))
		return;
	ivsh_step("ring: sleeper not rung");
	channel->counters[IVSH_COUNTER_DOORBELLS]++;
	wakeup->ring(wakeup->context, sleep >> 16 & 0xffff, sleep & 0xffff);
}

/* --- publishing ---------------------------------------------------------- */

int ivsh_ring_publish(struct ivsh_channel *channel)
{
	uint64_t next = make_index(channel->position, channel->generation);
	uint64_t found = channel->index;

	ivsh_step("ring: not published");
	/* Full fence: pairs with the one between arming and refresh(). */
	if (hostile(!word_publish(&channel->own->index, &found, next)))
		return ivsh_ring_lost(channel, found);
	channel->index = next;
	channel->publish_at = channel->position + channel->capacity / 8;
	channel->pending = 0;
	channel->counters[IVSH_COUNTER_PUBLISHED]++;
	ivsh_step("ring: published");
	ivsh_directory_beat(channel->directory);
	if (unlikely(word_load_full(&channel->other->sleep)))
		ivsh_ring_wake(channel);
	return 0;
}

IVSH_API int ivsh_channel_flush(struct ivsh_channel *channel)
{
	int error = channel->refuse[channel->consumer];

	if (unlikely(error))
		return ivsh_fail(error);
	return ivsh_ring_unpublished(channel) ? ivsh_ring_publish(channel) : 0;
}

/* --- producer ------------------------------------------------------------ */

/* No room as far as we know: ask, for the limit may be old. */
static __attribute__((noinline)) int make_room(struct ivsh_channel *channel,
					       uint64_t size)
{
	uint64_t known = channel->limit, closed;

	ivsh_step("ring: not asked");
	closed = word_load_full(&channel->other->closed);
	if (refresh(channel))
		return -1;
	channel->wanted = size;
	if (other_gone(channel, closed)) {
		/* Room that nobody reads is none: the next one asks again. */
		channel->limit = known;
		return ivsh_fail(EPIPE);
	}
	if (channel->limit - channel->position >= size)
		return 0;
	return ivsh_fail(EAGAIN);
}

static __attribute__((noinline, cold)) int
bad_length(const struct ivsh_channel *channel, size_t length)
{
	return ivsh_fail(length > channel->max_message ? EMSGSIZE : EINVAL);
}

/* Records are in one piece: leave the end of the ring out. */
static __attribute__((noinline)) int skip_end(struct ivsh_channel *channel,
					      uint64_t size, uint64_t rest)
{
	if (channel->limit - channel->position < rest + size &&
	    make_room(channel, rest + size))
		return -1;
	word_store_relaxed((ivsh_word *)(channel->data + channel->mask + 1 -
					 rest), IVSH_SKIP);
	channel->skipped = rest;
	channel->taken = size;
	return 0;
}

static inline void *reserve_slot(struct ivsh_channel *channel, size_t length)
{
	if (unlikely(length != channel->slot_size)) {
		bad_length(channel, length);
		return NULL;
	}
	if (unlikely(channel->limit - channel->position < length) &&
	    make_room(channel, length))
		return NULL;
	channel->taken = length;
	return channel->data + (channel->position & channel->mask);
}

static inline void *reserve_record(struct ivsh_channel *channel, size_t length)
{
	uint64_t size, rest;

	if (unlikely(length > channel->max_message)) {
		bad_length(channel, length);
		return NULL;
	}
	size = record_size(length);
	rest = channel->mask + 1 - (channel->position & channel->mask);
	channel->taken = 0;
	channel->skipped = 0;
	if (unlikely(size > rest)) {
		if (skip_end(channel, size, rest))
			return NULL;
		return channel->data + IVSH_HEADER;
	}
	if (unlikely(channel->limit - channel->position < size) &&
	    make_room(channel, size))
		return NULL;
	channel->taken = size;
	return channel->data + channel->mask + 1 - rest + IVSH_HEADER;
}

/* The position has moved by a message. */
static inline int count_message(struct ivsh_channel *channel, uint64_t size)
{
	channel->position += size;
	channel->taken = 0;
	if (unlikely(++channel->pending >= IVSH_BATCH ||
		     channel->position >= channel->publish_at))
		return ivsh_ring_publish(channel);
	return 0;
}

static inline int commit_slot(struct ivsh_channel *channel, size_t length)
{
	if (unlikely(length != channel->taken || !length))
		return ivsh_fail(EINVAL);
	ivsh_step("ring: not committed");
	return count_message(channel, length);
}

static inline int commit_record(struct ivsh_channel *channel, size_t length)
{
	uint64_t size = record_size(length), at;

	if (unlikely(size > channel->taken || length > channel->max_message))
		return ivsh_fail(EINVAL);
	at = (channel->position + channel->skipped) & channel->mask;
	ivsh_step("ring: header not written");
	word_store_relaxed((ivsh_word *)(channel->data + at), length);
	return count_message(channel, channel->skipped + size);
}

IVSH_API void *ivsh_channel_reserve(struct ivsh_channel *channel,
				    size_t length)
{
	if (unlikely(channel->refuse[IVSH_PRODUCER])) {
		errno = channel->refuse[IVSH_PRODUCER];
		return NULL;
	}
	return channel->slot_size ? reserve_slot(channel, length) :
				    reserve_record(channel, length);
}

IVSH_API int ivsh_channel_commit(struct ivsh_channel *channel, size_t length)
{
	if (unlikely(channel->refuse[IVSH_PRODUCER]))
		return ivsh_fail(channel->refuse[IVSH_PRODUCER]);
	return channel->slot_size ? commit_slot(channel, length) :
				    commit_record(channel, length);
}

/* --- consumer ------------------------------------------------------------ */

/* Nothing as far as we know: ask, and acknowledge what was read. */
static __attribute__((noinline)) int look_again(struct ivsh_channel *channel)
{
	uint64_t closed;

	ivsh_step("ring: not asked");
	closed = word_load_full(&channel->other->closed);
	if (refresh(channel))
		return -1;
	if (channel->position != channel->limit)
		return 0;
	if (ivsh_ring_unpublished(channel) && ivsh_ring_publish(channel))
		return -1;
	return ivsh_fail(other_gone(channel, closed) ? EPIPE : EAGAIN);
}

static __attribute__((noinline)) const void *
skip_to_start(struct ivsh_channel *channel, uint64_t skip, size_t *length)
{
	uint64_t left = channel->limit - channel->position;
	uint64_t header, size;

	if (skip >= left || skip > channel->mask)
		goto bad;
	header = word_load_relaxed((ivsh_word *)channel->data);
	size = record_size(header);
	if (header > channel->max_message || size > left - skip)
		goto bad;
	channel->skipped = skip;
	channel->taken = size;
	*length = header;
	return channel->data + IVSH_HEADER;
bad:
	senseless(channel);
	return NULL;
}

static inline const void *peek_record(struct ivsh_channel *channel,
				      size_t *length)
{
	uint64_t offset = channel->position & channel->mask;
	uint64_t rest = channel->mask + 1 - offset;
	/* Once: from here on only our copy counts. */
	uint64_t header = word_load_relaxed((ivsh_word *)(channel->data +
							  offset));
	uint64_t size = record_size(header);

	if (unlikely(header == IVSH_SKIP))
		return skip_to_start(channel, rest, length);
	if (hostile(header > channel->max_message || size > rest ||
		     size > channel->limit - channel->position)) {
		senseless(channel);
		return NULL;
	}
	channel->skipped = 0;
	channel->taken = size;
	*length = header;
	return channel->data + offset + IVSH_HEADER;
}

static inline const void *peek_slot(struct ivsh_channel *channel,
				    size_t *length)
{
	/* Whole slots only; less is an index that no producer has. */
	if (hostile(channel->limit - channel->position < channel->slot_size)) {
		senseless(channel);
		return NULL;
	}
	channel->taken = channel->slot_size;
	*length = channel->slot_size;
	return channel->data + (channel->position & channel->mask);
}

IVSH_API const void *ivsh_channel_peek(struct ivsh_channel *channel,
				       size_t *length)
{
	if (unlikely(channel->refuse[IVSH_CONSUMER])) {
		errno = channel->refuse[IVSH_CONSUMER];
		return NULL;
	}
	if (unlikely(channel->position == channel->limit) &&
	    look_again(channel))
		return NULL;
	return channel->slot_size ? peek_slot(channel, length) :
				    peek_record(channel, length);
}

IVSH_API int ivsh_channel_release(struct ivsh_channel *channel)
{
	if (unlikely(channel->refuse[IVSH_CONSUMER]))
		return ivsh_fail(channel->refuse[IVSH_CONSUMER]);
	if (unlikely(!channel->taken))
		return ivsh_fail(EINVAL);
	if (ivsh_ring_check_owner(channel))
		return -1;
	channel->position += channel->skipped + channel->taken;
	channel->taken = 0;
	if (unlikely(channel->position >= channel->publish_at))
		return ivsh_ring_publish(channel);
	return 0;
}

/* --- for waiting --------------------------------------------------------- */

/* Whether the next peek(), or reserve() of what was wanted, says not EAGAIN. */
bool ivsh_ring_ready(struct ivsh_channel *channel)
{
	uint64_t need = channel->consumer ? 1 : channel->wanted;
	uint64_t known = channel->limit, closed;

	if (channel->refuse[channel->consumer])
		return true;
	if (channel->limit - channel->position >= need && channel->consumer)
		return true;
	closed = word_load_full(&channel->other->closed);
	/* Who waits has the message's line come together with the index's. */
	if (channel->consumer)
		__builtin_prefetch(channel->data +
				   (channel->position & channel->mask));
	if (refresh(channel))
		return true;
	if (!other_gone(channel, closed))
		return channel->limit - channel->position >= need;
	if (!channel->consumer)
		channel->limit = known;
	return true;
}
