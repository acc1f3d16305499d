/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of channels know of each other: directory.c owns the
 * directory, entry.c reads it, channel.c opens and closes ends, ring.c moves
 * messages, wait.c waits, wakeup.c rings. Calls go in that order's reverse:
 * wait.c asks ring.c what is ready. Not installed.
 */
#ifndef IVSH_CHANNEL_INTERNAL_H
#define IVSH_CHANNEL_INTERNAL_H

#include <errno.h>

#include "format.h"
#include "ivshmem_channel.h"

#ifndef IVSH_API
#define IVSH_API __attribute__((visibility("default")))
#endif

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* What only a hostile or a taken over memory can make true. The benchmark
 * builds a library that trusts its peer, to tell what these checks cost. */
#ifdef IVSH_TRUSTING
#define hostile(condition) ((void)(condition), false)
#else
#define hostile(condition) unlikely(condition)
#endif

/* Tests that stop or kill a process at each step define it. */
#ifdef IVSH_STEPS
void ivsh_step(const char *name);
#else
#define ivsh_step(name) ((void)0)
#endif

#define NSEC_PER_SEC 1000000000ll
/* Each beats at least this often while it waits; silent for longer than
 * DEAD_NS is dead or stopped. */
#define BEAT_NS NSEC_PER_SEC
#define DEAD_NS (5 * NSEC_PER_SEC / 2)

/* Adaptive waiting spins no longer: about what a sleep costs. */
#define IVSH_SPIN_MAX_NS 50000

/* How a directory is woken, and wakes: wakeup.c, or a test's own. */
struct ivsh_wakeup {
	int (*ring)(void *context, uint32_t peer, uint32_t vector);
	/* Until rung. Fails with EINTR, ENODEV, ETIMEDOUT. */
	int (*wait)(void *context, int64_t timeout_ns);
	int (*clear)(void *context);
	int fd;
	uint64_t doorbell;	/* what others must ring, as in ivsh_word sleep */
	void *context;
};

struct ivsh_directory {
	struct ivsh_shared_directory *shared;
	uint64_t pages;
	unsigned int peer;		/* the index of our record */
	uint64_t session;		/* what it said when we joined */
	uint64_t heartbeat;
	bool observer;
	bool gone;			/* its device; touching it is SIGBUS */
	bool alone;			/* one processor: spinning is vain */
	struct ivsh_wakeup wakeup;	/* ring is NULL: none */
	struct ivsh_device *device;
	struct ivsh_vector *vector;
	struct ivsh_channel *channels;	/* the open ones */
	enum ivsh_waiting waiting;
	int64_t spin_ns;		/* at first IVSH_SPIN_MAX_NS: learn() */
};

struct ivsh_channel {
	/* What a message touches. */
	unsigned char *data;
	uint64_t mask;			/* capacity - 1 */
	uint64_t position;		/* ours: written, or read, so far */
	uint64_t limit;			/* where we must ask again */
	uint64_t taken;			/* bytes reserved or peeked, with header */
	uint64_t skipped;		/* and of the ring's end before them */
	uint64_t index;			/* our index, as we published it */
	uint64_t publish_at;		/* the position that shall be published */
	uint64_t max_message;
	uint32_t slot_size;
	uint32_t pending;		/* messages since we published */
	int refuse[2];			/* by role: an errno, or 0 */
	uint16_t generation, peer_generation;
	bool consumer;
	struct ivsh_shared_end *own, *other;

	/* The rest. */
	uint64_t wanted;		/* bytes that reserve() last lacked */
	uint64_t capacity;
	struct ivsh_shared_channel *shared;
	struct ivsh_directory *directory;
	struct ivsh_channel *next;
	uint64_t life[3];		/* what the other side last showed */
	int64_t life_seen_ns;
	uint64_t counters[3];
};

/* directory.c */
struct ivsh_place {
	unsigned int index;
	uint64_t page, pages;
};
bool ivsh_name_valid(const char *name);
uint64_t ivsh_entry_word(enum ivsh_entry_kind kind, const char *name,
			 uint64_t pages);
/* Find, or with pages make; the pages found may be others. */
int ivsh_directory_place(struct ivsh_directory *directory,
			 enum ivsh_entry_kind kind, const char *name,
			 uint64_t pages, struct ivsh_place *place);
uint64_t ivsh_directory_room(const struct ivsh_directory *directory);
void ivsh_directory_gone(struct ivsh_directory *directory);
int ivsh_directory_check_session(struct ivsh_directory *directory);
int64_t ivsh_now_ns(void);
void ivsh_sleep_ns(int64_t ns);

/* channel.c: how our end failed; sticky */
int ivsh_channel_break(struct ivsh_channel *channel, int error);

/* ring.c */
#define IVSH_BATCH 64u		/* messages until they are published */
bool ivsh_ring_ready(struct ivsh_channel *channel);
void ivsh_ring_wake(struct ivsh_channel *channel);
int ivsh_ring_publish(struct ivsh_channel *channel);
int ivsh_ring_lost(struct ivsh_channel *channel, uint64_t found);

/* directory.c: the seam for tests, before any channel is opened */
void ivsh_directory_set_wakeup(struct ivsh_directory *directory,
			       const struct ivsh_wakeup *wakeup);

static inline int ivsh_fail(int error)
{
	errno = error;
	return -1;
}

static inline bool ivsh_ring_unpublished(const struct ivsh_channel *channel)
{
	return channel->index !=
	       make_index(channel->position, channel->generation);
}

/*
 * After reading, before telling of it: another consumer may have taken over,
 * and let what we read be overwritten. The bytes were read before this.
 */
static inline int ivsh_ring_check_owner(struct ivsh_channel *channel)
{
	uint64_t found;

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	found = word_load_relaxed(&channel->own->index);
	return hostile(found != channel->index) ?
		       ivsh_ring_lost(channel, found) : 0;
}

#endif /* IVSH_CHANNEL_INTERNAL_H */
