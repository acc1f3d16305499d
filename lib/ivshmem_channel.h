/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * Channels: messages between machines through shared memory, at memory speed.
 *
 * A range of shared memory holds a directory: named peers, segments (memory
 * for any use) and channels. A channel carries messages one way, from one
 * producer to one consumer:
 *
 *     struct ivsh_directory *directory =
 *             ivsh_directory_open(address, size, "camera", 0);
 *     struct ivsh_channel *channel =
 *             ivsh_channel_open(directory, "frames", IVSH_PRODUCER, 0, 0, 0);
 *
 *     ivsh_channel_send(channel, frame, length, -1);
 *
 * and in another machine, with IVSH_CONSUMER:
 *
 *     ivsh_channel_receive(channel, frame, sizeof(frame), &length, -1);
 *
 * Either side may come first; who comes first makes the channel. The memory may
 * be a region of a device (ivsh_region_address()) or any other memory that both
 * sides map with MAP_SHARED. It must be zeroed before its first use. Its format
 * is docs/channel-format.md.
 *
 * Errors. Functions that return int return 0, or -1 with errno set; those that
 * return a pointer return NULL with errno set. Each errno has one meaning:
 *
 *   EAGAIN      not now: the channel is full (reserve) or empty (peek)
 *   EBADMSG     the shared memory holds what no correct peer writes; only
 *               opening again with IVSH_RESET, or ivsh_directory_format(),
 *               helps. Other channels are not affected
 *   EBUSY       another one uses that name or that end of the channel, and
 *               shows signs of life
 *   EEXIST      there is a channel or segment of that name with another
 *               slot size or a smaller size; or another name that the
 *               directory cannot tell from this one (one in 2^38)
 *   EINTR       a signal handler ran while it slept
 *   EINVAL      an argument is outside its range
 *   EMSGSIZE    the message is longer than the channel or the buffer takes
 *   ENODEV      the device that was given for its doorbell is gone. Closing is
 *               safe then; what touches the memory before the library has
 *               noticed raises SIGBUS, as with any region
 *   ENOENT      there is no such entry, and it was not to be made
 *   ENOSPC      the range or the directory has no room left
 *   EOPNOTSUPP  this needs a doorbell, and none was given; or the handle is an
 *               observer's
 *   EPIPE       the other side has closed its end, and nothing is left to read
 *   EPROTONOSUPPORT  the directory is of a later version
 *   ESTALE      another one has taken this end, or this peer's name, over
 *   ETIMEDOUT   the time ran out
 *
 * and ENOMEM.
 *
 * Delivery. Messages arrive whole and in order, or not at all. What flush()
 * has published arrives even if the producer then dies. What the consumer has
 * acknowledged, by flush() or by waiting, does not arrive again; what it has
 * released since (at most an eighth of the channel) arrives a second time
 * after it died. A side that is dead, stopped or hostile blocks nobody: the
 * other sees a full or empty channel, waits as long as it wants to, and asks
 * ivsh_channel_peer_silence_ns().
 *
 * Threads. A directory and the channels opened on it belong to one thread at a
 * time. A program opens a directory for each thread that wants one, each with
 * a name and a vector of its own.
 *
 * Trust. A peer may write any byte at any time. The library checks what it
 * reads, once, and then uses its own copy; it never touches memory outside the
 * range. The bytes of a message in place (peek) may still change while they
 * are looked at; those that ivsh_channel_receive() copied do not.
 */
#ifndef IVSHMEM_CHANNEL_H
#define IVSHMEM_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <ivshmem.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ivsh_channel;
struct ivsh_directory;
struct ivsh_entry;

/* The longest name of a peer, segment or channel, in bytes. */
#define IVSH_NAME_MAX 31

/** Take the name or the end of a channel over from whoever has it. */
#define IVSH_TAKE_OVER 1u
/**
 * Start afresh after EBADMSG. A consumer drops all messages that are in the
 * channel; a producer goes on where the consumer is, if what it finds in the
 * memory makes no sense.
 */
#define IVSH_RESET 2u

/* --- directory: what is in the range of memory --------------------------- */

/**
 * Open the directory in a range of memory, make it if the memory is zero, and
 * join it as a peer. Any number of peers may do so at the same time.
 *
 * address is a multiple of 128; size is in bytes, at least 32768, and is the
 * same for all peers. peer is the name of this peer, 1 to IVSH_NAME_MAX of the
 * characters A-Z a-z 0-9 . _ : -, or NULL to observe: then nothing is written,
 * and only the entries can be read. flags is 0 or IVSH_TAKE_OVER.
 *
 * If the name is in use this takes up to 2.5 s, to see whether its heartbeat
 * still goes. IVSH_TAKE_OVER does not look.
 *
 * Returns a directory owned by the caller, released with
 * ivsh_directory_close(). The memory is borrowed and must stay mapped.
 * Fails with EBADMSG, EBUSY, EEXIST, EINVAL, ENOENT (observer, zeroed memory),
 * ENOSPC, EPROTONOSUPPORT.
 */
struct ivsh_directory *ivsh_directory_open(void *address, size_t size,
					   const char *peer,
					   unsigned int flags);

/** Leave, and release the directory; its channels before. NULL is ignored. */
void ivsh_directory_close(struct ivsh_directory *directory);

/**
 * Zero the whole range, so that the next to open it makes a new directory.
 * Nobody may use it meanwhile: peers that do get EBADMSG or ESTALE.
 * Fails with EINVAL.
 */
int ivsh_directory_format(void *address, size_t size);

/**
 * Be woken by a doorbell: peers ring the vector of the device, and this peer
 * rings theirs. Both are borrowed until the directory is closed. Before the
 * first channel is opened. Without it waiting polls, with pauses that grow
 * from 20 µs to 1 ms.
 * Fails with EBUSY (a channel is open), ENODEV, EOPNOTSUPP (a plain device).
 */
int ivsh_directory_use_doorbell(struct ivsh_directory *directory,
				struct ivsh_device *device,
				struct ivsh_vector *vector);

/**
 * Returns a file descriptor that polls readable when a peer rang, borrowed;
 * see ivsh_channel_arm(). Fails with EOPNOTSUPP.
 */
int ivsh_directory_fd(const struct ivsh_directory *directory);

/** Make the file descriptor unreadable again. Fails with ENODEV, EOPNOTSUPP. */
int ivsh_directory_clear(struct ivsh_directory *directory);

/**
 * Show that this peer is alive. All functions that wait or publish do it; a
 * program that does neither for a second calls this.
 */
void ivsh_directory_beat(struct ivsh_directory *directory);

/** How to wait, from the lowest latency to the fewest cycles. */
enum ivsh_waiting {
	/* Spin as long as that has paid lately, at most 50 µs; then sleep.
	 * On a machine with one processor: sleep. The default. */
	IVSH_WAIT_ADAPTIVE = 0,
	IVSH_WAIT_POLL = 1,	/* never sleep; no signal ends it */
	IVSH_WAIT_SLEEP = 2,	/* never spin */
};

/** Choose how all waiting of this directory is done. Fails with EINVAL. */
int ivsh_directory_set_waiting(struct ivsh_directory *directory,
			       enum ivsh_waiting waiting);

/**
 * Wait until one of the open channels is ready, as ivsh_channel_wait() does
 * for one: many producers, one consumer, one vector. The channels take turns.
 * A producer that has lacked no room is always ready: to wait for what comes,
 * have no producers in this directory.
 *
 * Returns the channel, borrowed. Fails with EINTR, EINVAL (no channel is open),
 * ENODEV, ETIMEDOUT.
 */
struct ivsh_channel *ivsh_directory_wait(struct ivsh_directory *directory,
					 int64_t timeout_ns);

/**
 * Find a segment, or make it.
 *
 * *size is the wanted size in bytes, rounded up to 4096, or 0: then it must be
 * there. It is set to the size that the segment has.
 *
 * Returns its first byte, borrowed, a multiple of 4096 from the address of the
 * directory. Fails with EBADMSG, EEXIST, EINVAL, ENODEV, ENOENT, ENOSPC,
 * EOPNOTSUPP, ESTALE.
 */
void *ivsh_directory_segment(struct ivsh_directory *directory,
			     const char *name, size_t *size);

/* --- entry: a copy of what the directory says of one name ----------------- */

enum ivsh_entry_kind {
	IVSH_ENTRY_PEER = 1,
	IVSH_ENTRY_SEGMENT = 2,
	IVSH_ENTRY_CHANNEL = 3,
};

/** What ivsh_entry_get() returns. */
enum ivsh_entry_field {
	IVSH_FIELD_KIND = 0,		/* enum ivsh_entry_kind */
	IVSH_FIELD_OFFSET = 1,		/* bytes from the start of the range */
	IVSH_FIELD_SIZE = 2,		/* bytes; 0 for a peer */
	/* of a peer */
	IVSH_FIELD_GENERATION = 3,	/* how often it joined */
	IVSH_FIELD_JOINED = 4,		/* 1 until it leaves; death does not tell */
	IVSH_FIELD_HEARTBEAT = 5,	/* grows as long as it is alive */
	IVSH_FIELD_HAS_DOORBELL = 6,	/* 1: it can be rung, at: */
	IVSH_FIELD_PEER_ID = 7,
	IVSH_FIELD_VECTOR = 8,
	/* of a channel */
	IVSH_FIELD_CAPACITY = 9,	/* bytes */
	IVSH_FIELD_SLOT_SIZE = 10,	/* bytes; 0: records of any length */
	IVSH_FIELD_USED = 11,		/* bytes published and not acknowledged */
	IVSH_FIELD_PRODUCER = 12,	/* enum ivsh_end_state */
	IVSH_FIELD_PRODUCER_GENERATION = 13,	/* how often it was opened */
	IVSH_FIELD_PRODUCER_ASLEEP = 14,	/* 1: wants to be rung */
	IVSH_FIELD_CONSUMER = 15,
	IVSH_FIELD_CONSUMER_GENERATION = 16,
	IVSH_FIELD_CONSUMER_ASLEEP = 17,
};

enum ivsh_end_state {
	IVSH_END_UNUSED = 0,	/* nobody has opened it yet */
	IVSH_END_OPEN = 1,
	IVSH_END_CLOSED = 2,
};

/** How many entries there are, 0 to 128; 0 once the device is gone. */
size_t ivsh_directory_count(const struct ivsh_directory *directory);

/**
 * Copy the entry at an index from 0. Returns an entry owned by the caller,
 * released with ivsh_entry_free(); it does not change afterwards.
 * Fails with EBADMSG, ENODEV, ENOENT.
 */
struct ivsh_entry *ivsh_directory_get_entry(
	const struct ivsh_directory *directory, size_t index);

/** Release an entry. NULL is ignored. */
void ivsh_entry_free(struct ivsh_entry *entry);

/** Its name, borrowed; what is not printable is shown as '?'. */
const char *ivsh_entry_name(const struct ivsh_entry *entry);

/** One of its fields; 0 if the entry is of a kind that does not have it. */
uint64_t ivsh_entry_get(const struct ivsh_entry *entry,
			enum ivsh_entry_field field);

/* --- channel: one end of a one-way stream of messages --------------------- */

enum ivsh_role {
	IVSH_PRODUCER = 0,
	IVSH_CONSUMER = 1,
};

/**
 * Open one end of a channel, and make the channel if nobody has.
 *
 * capacity is in bytes, a power of two from 4096 to 2^30, or 0: 1 MiB, or what
 * fits if that is less. slot_size is 0 for messages of any length, up to half
 * the capacity less 8 bytes, or a power of two from 8 to 4096: then all
 * messages are of that length, and small ones cost less. A channel that is
 * there keeps its capacity. flags is 0, IVSH_TAKE_OVER or IVSH_RESET, or both.
 *
 * An end that is open cannot be opened, unless the peer that opened it has left
 * or joined again, or IVSH_TAKE_OVER is given. The end goes on where the last one
 * stopped.
 *
 * Returns a channel owned by the caller, released with ivsh_channel_close().
 * Fails with EBADMSG, EBUSY, EEXIST, EINVAL, ENODEV, ENOSPC, EOPNOTSUPP
 * (observer), ESTALE.
 */
struct ivsh_channel *ivsh_channel_open(struct ivsh_directory *directory,
				       const char *name, enum ivsh_role role,
				       size_t capacity, size_t slot_size,
				       unsigned int flags);

/** Flush, tell the other side, and release. NULL is ignored. */
void ivsh_channel_close(struct ivsh_channel *channel);

/** Bytes that the channel holds, with 8 for each message that is no slot. */
size_t ivsh_channel_capacity(const struct ivsh_channel *channel);

/** The longest message in bytes; with slots, the slot size. */
size_t ivsh_channel_max_message(const struct ivsh_channel *channel);

/**
 * Producer: get room for a message of up to length bytes, to be filled in
 * place. With slots length is the slot size.
 *
 * Returns the room, borrowed until ivsh_channel_commit(). A second call gives
 * the first one's room up. Fails with EAGAIN, EBADMSG, EINVAL (a consumer, or
 * not the slot size), EMSGSIZE, ENODEV, EPIPE, ESTALE.
 */
void *ivsh_channel_reserve(struct ivsh_channel *channel, size_t length);

/**
 * Producer: the first length bytes of the room are a message. The consumer sees
 * it after 64 messages, after an eighth of the capacity, or
 * after ivsh_channel_flush(), whichever is first.
 * Fails with EBADMSG, EINVAL (more than was reserved), ENODEV, ESTALE.
 */
int ivsh_channel_commit(struct ivsh_channel *channel, size_t length);

/**
 * Consumer: look at the next message in place.
 *
 * Returns its first byte, borrowed until ivsh_channel_release(), and sets
 * *length. Fails with EAGAIN, EBADMSG, EINVAL (a producer), ENODEV, EPIPE,
 * ESTALE.
 */
const void *ivsh_channel_peek(struct ivsh_channel *channel, size_t *length);

/**
 * Consumer: done with the message that was peeked. The producer sees it after
 * an eighth of the capacity, when the channel is found empty, or after
 * ivsh_channel_flush().
 * Fails with EBADMSG, EINVAL (nothing was peeked), ENODEV, ESTALE; after EBADMSG
 * and ESTALE what was peeked may be torn.
 */
int ivsh_channel_release(struct ivsh_channel *channel);

/**
 * Producer: show all committed messages to the consumer. Consumer:
 * acknowledge all released ones. Wakes the other side if it sleeps.
 * Fails with EBADMSG, ENODEV, ESTALE.
 */
int ivsh_channel_flush(struct ivsh_channel *channel);

/**
 * Producer: send one message, and flush. timeout_ns is how long to wait for
 * room, whatever the consumer does: 0 does not wait, -1 waits for ever.
 * Fails with EBADMSG, EINTR, EINVAL, EMSGSIZE, ENODEV, EPIPE, ESTALE,
 * ETIMEDOUT.
 */
int ivsh_channel_send(struct ivsh_channel *channel, const void *message,
		      size_t length, int64_t timeout_ns);

/**
 * Consumer: receive one message into a buffer of size bytes, and set *length.
 * A message that does not fit stays, and *length is what it needs.
 * Fails with EBADMSG, EINTR, EINVAL, EMSGSIZE, ENODEV, EPIPE, ESTALE,
 * ETIMEDOUT.
 */
int ivsh_channel_receive(struct ivsh_channel *channel, void *buffer,
			 size_t size, size_t *length, int64_t timeout_ns);

/**
 * Producer: send count messages, and flush once. *sent, unless sent is NULL, is
 * how many went, also after an error. timeout_ns is for each message.
 * Fails with EBADMSG, EINTR, EINVAL, EMSGSIZE, ENODEV, EPIPE, ESTALE,
 * ETIMEDOUT.
 */
int ivsh_channel_send_many(struct ivsh_channel *channel,
			   const struct iovec *messages, size_t count,
			   int64_t timeout_ns, size_t *sent);

/**
 * Consumer: wait for a message, then receive what is there, at most count.
 * Each iov_len is the size of its buffer, and is set to the length of the
 * message. *received is how many came.
 * Fails with EBADMSG, EINTR, EINVAL, EMSGSIZE, ENODEV, EPIPE, ESTALE,
 * ETIMEDOUT.
 */
int ivsh_channel_receive_many(struct ivsh_channel *channel,
			      struct iovec *buffers, size_t count,
			      int64_t timeout_ns, size_t *received);

/**
 * Wait until ivsh_channel_peek() would not say EAGAIN, or for a producer the
 * ivsh_channel_reserve() that last did. Flushes first.
 * timeout_ns: 0 does not wait, -1 waits for ever.
 * Fails with EINTR, EINVAL, ENODEV, ETIMEDOUT. Returns 0 also when the next
 * call will say what is wrong with the channel.
 */
int ivsh_channel_wait(struct ivsh_channel *channel, int64_t timeout_ns);

/**
 * Before sleeping in epoll: ask the other side to ring when this channel is
 * ready. *ready is set to whether it is ready now; then it will not ring. After
 * the directory's file descriptor polled readable call ivsh_directory_clear(),
 * then use the channel until EAGAIN, then arm again: all armed channels of the
 * directory, as one ring may be for any of them; so too after a call that waited,
 * which takes the rings of all. Sleep at most a second at a time, and beat: a peer
 * that died may have died before it rang.
 * Fails with EOPNOTSUPP.
 */
int ivsh_channel_arm(struct ivsh_channel *channel, bool *ready);

/**
 * For how long the other side has shown no sign of life, in nanoseconds: no
 * heartbeat, nothing published. Counted from the first call; a correct peer
 * that is alive is below 2.5 s. An end that nobody has opened is INT64_MAX.
 * It only grows once the device is gone.
 */
int64_t ivsh_channel_peer_silence_ns(struct ivsh_channel *channel);

/** What the end has done since it was opened. */
enum ivsh_counter {
	IVSH_COUNTER_PUBLISHED = 0,	/* updates of the shared index */
	IVSH_COUNTER_DOORBELLS = 1,	/* times that it rang the other side */
	IVSH_COUNTER_SLEEPS = 2,	/* times that it slept */
};

/** One of the counters. */
uint64_t ivsh_channel_count(const struct ivsh_channel *channel,
			    enum ivsh_counter counter);

#ifdef __cplusplus
}
#endif

#endif /* IVSHMEM_CHANNEL_H */
