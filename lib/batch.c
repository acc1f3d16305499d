// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Whole messages, copied in and out, as many at once as can be. A batch is
 * what moves without a question: up to what is known of the other side, to the
 * end of the ring, and to where it is time to publish. Its loop has the fewest
 * checks that a hostile peer leaves us; at whatever does not pass them it ends,
 * and the calls for one message (ring.c) find out what that was.
 */
#include <string.h>

#include "channel.h"

/* A line is taken from the reader's cache this many bytes before it is written;
 * else publishing waits for the lot of them. */
#define AHEAD 512

/* The bytes from the position on that need no question. */
static inline uint64_t easy_bytes(const struct ivsh_channel *channel)
{
	uint64_t bytes = channel->limit - channel->position;
	uint64_t rest = channel->mask + 1 - (channel->position & channel->mask);

	return bytes < rest ? bytes : rest;
}

/* Of these, those at which a batch ends: it is time to publish. */
static inline uint64_t stop_bytes(const struct ivsh_channel *channel,
				  uint64_t bytes)
{
	uint64_t due = channel->publish_at - channel->position;

	return bytes > due ? bytes - due : 0;
}

/* The same, and less than a slot is none. */
static inline uint64_t stop_slots(const struct ivsh_channel *channel,
				  uint64_t bytes)
{
	uint64_t stop = stop_bytes(channel, bytes);

	return stop < channel->slot_size ? channel->slot_size - 1 : stop;
}

static inline unsigned char *start(const struct ivsh_channel *channel)
{
	return channel->data + (channel->position & channel->mask);
}

/* The sizes of a word and of a line are worth a copy of their own. */
static inline void copy(void *to, const void *from, size_t length)
{
	if (length == 8)
		__builtin_memcpy(to, from, 8);
	else if (length == 64)
		__builtin_memcpy(to, from, 64);
	else if (length)	/* an empty message may have no address */
		memcpy(to, from, length);
}

/*
 * Wait after EAGAIN; another errno stays. All waits for a message share its
 * time, from *start_ns on (0 at first): a peer that seems to be ready, and then
 * is not, does not make it longer.
 */
static int wait_again(struct ivsh_channel *channel, int64_t timeout_ns,
		      int64_t *start_ns)
{
	if (errno != EAGAIN)
		return -1;
	if (timeout_ns >= 0 && *start_ns) {
		timeout_ns -= ivsh_now_ns() - *start_ns;
		if (timeout_ns <= 0)
			return ivsh_fail(ETIMEDOUT);
	} else {
		*start_ns = timeout_ns > 0 ? ivsh_now_ns() : 1;
	}
	return ivsh_channel_wait(channel, timeout_ns);
}

static inline int publish_if_due(struct ivsh_channel *channel)
{
	if (channel->pending >= IVSH_BATCH ||
	    channel->position >= channel->publish_at)
		return ivsh_ring_publish(channel);
	return 0;
}

/* --- sending ------------------------------------------------------------- */

static inline size_t put_slots(struct ivsh_channel *channel,
			       const struct iovec *messages, size_t count)
{
	size_t size = channel->slot_size, i;
	uint64_t left = easy_bytes(channel), stop = stop_slots(channel, left);
	unsigned char *to = start(channel);

	for (i = 0; i < count && left > stop && messages[i].iov_len == size;
	     i++) {
		__builtin_prefetch(to + AHEAD, 1);
		copy(to, messages[i].iov_base, size);
		ivsh_step("ring: not committed");
		to += size;
		left -= size;
	}
	channel->position += i * size;
	return i;
}

static inline size_t put_records(struct ivsh_channel *channel,
				 const struct iovec *messages, size_t count)
{
	uint64_t left = easy_bytes(channel), stop = stop_bytes(channel, left);
	unsigned char *from = start(channel), *to = from;
	size_t i;

	for (i = 0; i < count && left > stop; i++) {
		size_t length = messages[i].iov_len;
		uint64_t size = record_size(length);

		if (unlikely(length > channel->max_message || size > left))
			break;
		__builtin_prefetch(to + AHEAD, 1);
		copy(to + IVSH_HEADER, messages[i].iov_base, length);
		ivsh_step("ring: header not written");
		word_store_relaxed((ivsh_word *)to, length);
		to += size;
		left -= size;
	}
	channel->position += (uint64_t)(to - from);
	return i;
}

/* Returns how many messages were put; 0 where the first asks for more. */
static inline size_t put_batch(struct ivsh_channel *channel,
			       const struct iovec *messages, size_t count)
{
	size_t most = IVSH_BATCH - channel->pending, done;

	if (count > most)
		count = most;
	done = channel->slot_size ? put_slots(channel, messages, count) :
				    put_records(channel, messages, count);
	channel->pending += (uint32_t)done;
	if (done)
		channel->taken = 0;	/* what was reserved is not ours now */
	return done;
}

static __attribute__((noinline)) int put(struct ivsh_channel *channel,
					 const struct iovec *message,
					 int64_t timeout_ns)
{
	int64_t start_ns = 0;
	void *room;

	while (!(room = ivsh_channel_reserve(channel, message->iov_len)))
		if (wait_again(channel, timeout_ns, &start_ns))
			return -1;
	copy(room, message->iov_base, message->iov_len);
	if (!ivsh_channel_commit(channel, message->iov_len))
		return 0;
	channel->pending--;		/* not one of those that were put */
	return -1;
}

/* Returns 0 or an errno. */
static int put_all(struct ivsh_channel *channel, const struct iovec *messages,
		   size_t count, int64_t timeout_ns, size_t *sent)
{
	size_t done;

	while (*sent < count) {
		done = put_batch(channel, messages + *sent, count - *sent);
		*sent += done;
		if (done ? publish_if_due(channel) :
			   put(channel, messages + *sent, timeout_ns))
			return errno;
		*sent += !done;
	}
	return 0;
}

/* Of so many that were put, those that were published before it broke. */
static __attribute__((noinline, cold)) size_t
published(const struct ivsh_channel *channel, size_t put)
{
	return put > channel->pending ? put - channel->pending : 0;
}

IVSH_API int ivsh_channel_send_many(struct ivsh_channel *channel,
				    const struct iovec *messages, size_t count,
				    int64_t timeout_ns, size_t *sent)
{
	int error = channel->refuse[IVSH_PRODUCER];
	size_t done = 0;

	if (!error && timeout_ns < -1)
		error = EINVAL;
	if (likely(!error))
		error = put_all(channel, messages, count, timeout_ns, &done);
	if (likely(!channel->refuse[IVSH_PRODUCER]) &&
	    ivsh_ring_unpublished(channel) && ivsh_ring_publish(channel))
		error = errno;
	if (unlikely(channel->refuse[IVSH_PRODUCER]))
		done = published(channel, done);
	if (sent)
		*sent = done;
	return error ? ivsh_fail(error) : 0;
}

IVSH_API int ivsh_channel_send(struct ivsh_channel *channel,
			       const void *message, size_t length,
			       int64_t timeout_ns)
{
	struct iovec one = { (void *)message, length };

	return ivsh_channel_send_many(channel, &one, 1, timeout_ns, NULL);
}

/* --- receiving ----------------------------------------------------------- */

static inline size_t get_slots(const struct ivsh_channel *channel,
			       struct iovec *buffers, size_t count,
			       uint64_t *bytes)
{
	size_t size = channel->slot_size, i;
	uint64_t left = easy_bytes(channel), stop = stop_slots(channel, left);
	const unsigned char *from = start(channel);

	for (i = 0; i < count && left > stop && buffers[i].iov_len >= size;
	     i++) {
		copy(buffers[i].iov_base, from, size);
		buffers[i].iov_len = size;
		from += size;
		left -= size;
	}
	*bytes = i * size;
	return i;
}

static inline size_t get_records(const struct ivsh_channel *channel,
				 struct iovec *buffers, size_t count,
				 uint64_t *bytes)
{
	uint64_t left = easy_bytes(channel), stop = stop_bytes(channel, left);
	const unsigned char *start_at = start(channel), *from = start_at;
	size_t i;

	for (i = 0; i < count && left > stop; i++) {
		/* Once: from here on only our copy counts. */
		uint64_t length = word_load_relaxed((const ivsh_word *)from);
		uint64_t size = record_size(length);

		if (hostile(length > channel->max_message || size > left) ||
		    unlikely(length > buffers[i].iov_len))
			break;
		copy(buffers[i].iov_base, from + IVSH_HEADER, length);
		buffers[i].iov_len = length;
		from += size;
		left -= size;
	}
	*bytes = (uint64_t)(from - start_at);
	return i;
}

/*
 * Returns how many messages came; 0 where the first asks for more, or when
 * what was read may be torn, which the next call says.
 */
static inline size_t get_batch(struct ivsh_channel *channel,
			       struct iovec *buffers, size_t count)
{
	uint64_t bytes;
	size_t done = channel->slot_size ?
			      get_slots(channel, buffers, count, &bytes) :
			      get_records(channel, buffers, count, &bytes);

	if (!done || ivsh_ring_check_owner(channel))
		return 0;
	channel->position += bytes;
	channel->taken = 0;		/* what was peeked has come with these */
	return done;
}

/* One message into a buffer. -1 with EAGAIN when there is none. */
static __attribute__((noinline)) int get(struct ivsh_channel *channel,
					 struct iovec *buffer)
{
	size_t length;
	const void *message = ivsh_channel_peek(channel, &length);

	if (!message)
		return -1;
	if (length > buffer->iov_len) {
		buffer->iov_len = length;
		channel->taken = 0;
		return ivsh_fail(EMSGSIZE);
	}
	copy(buffer->iov_base, message, length);
	buffer->iov_len = length;
	return ivsh_channel_release(channel);
}

/*
 * An error after the first message is left for the next call, which meets it
 * again; one that is sticky may have torn what came, and counts.
 */
IVSH_API int ivsh_channel_receive_many(struct ivsh_channel *channel,
				       struct iovec *buffers, size_t count,
				       int64_t timeout_ns, size_t *received)
{
	int error = channel->refuse[IVSH_CONSUMER];
	int64_t start_ns = 0;
	size_t done, size;

	*received = 0;
	if (error || timeout_ns < -1)
		return ivsh_fail(error ? error : EINVAL);
	while (*received < count) {
		done = get_batch(channel, buffers + *received,
				 count - *received);
		*received += done;
		if (done && publish_if_due(channel))
			return -1;
		if (done)
			continue;
		size = buffers[*received].iov_len;
		if (!get(channel, &buffers[*received])) {
			(*received)++;
			continue;
		}
		if (*received) {
			buffers[*received].iov_len = size;
			return channel->refuse[IVSH_CONSUMER] ? -1 : 0;
		}
		if (wait_again(channel, timeout_ns, &start_ns))
			return -1;
	}
	return 0;
}

IVSH_API int ivsh_channel_receive(struct ivsh_channel *channel, void *buffer,
				  size_t size, size_t *length,
				  int64_t timeout_ns)
{
	struct iovec one = { buffer, size };
	size_t received;
	int failed = ivsh_channel_receive_many(channel, &one, 1, timeout_ns,
					       &received);

	*length = one.iov_len;
	return failed;
}

