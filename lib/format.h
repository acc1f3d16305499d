/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The format of the shared memory (docs/channel-format.md), and the only way
 * to touch its words: each access is one atomic load or store of a
 * little-endian 64-bit word. Not installed.
 */
#ifndef IVSH_FORMAT_H
#define IVSH_FORMAT_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A word in shared memory; aligned also where the ABI aligns by 4. */
typedef struct {
	uint64_t raw;
} __attribute__((aligned(8))) ivsh_word;

_Static_assert(__atomic_always_lock_free(sizeof(uint64_t), 0),
	       "the format needs 64-bit atomic operations");

static inline uint64_t word_load(const ivsh_word *word)
{
	return le64toh(__atomic_load_n(&word->raw, __ATOMIC_ACQUIRE));
}

/* Not moved before an earlier word_publish() or word_store_full(). */
static inline uint64_t word_load_full(const ivsh_word *word)
{
	return le64toh(__atomic_load_n(&word->raw, __ATOMIC_SEQ_CST));
}

static inline uint64_t word_load_relaxed(const ivsh_word *word)
{
	return le64toh(__atomic_load_n(&word->raw, __ATOMIC_RELAXED));
}

static inline void word_store(ivsh_word *word, uint64_t value)
{
	__atomic_store_n(&word->raw, htole64(value), __ATOMIC_RELEASE);
}

static inline void word_store_relaxed(ivsh_word *word, uint64_t value)
{
	__atomic_store_n(&word->raw, htole64(value), __ATOMIC_RELAXED);
}

static inline void word_store_full(ivsh_word *word, uint64_t value)
{
	__atomic_store_n(&word->raw, htole64(value), __ATOMIC_SEQ_CST);
}

/* Compare and swap, a full fence; *expected becomes what was found. */
static inline bool word_publish(ivsh_word *word, uint64_t *expected,
				uint64_t value)
{
	uint64_t raw = htole64(*expected);
	bool done = __atomic_compare_exchange_n(&word->raw, &raw,
						htole64(value), false,
						__ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST);

	*expected = le64toh(raw);
	return done;
}

static inline uint64_t word_exchange(ivsh_word *word, uint64_t value)
{
	return le64toh(__atomic_exchange_n(&word->raw, htole64(value),
					   __ATOMIC_SEQ_CST));
}

/* --- directory ----------------------------------------------------------- */

#define IVSH_PAGE 4096u
#define IVSH_MAGIC 0x4e4843204d485649ull	/* the bytes "IVHM CHN" */
#define IVSH_MAJOR 1
#define IVSH_MINOR 0
#define IVSH_NR_ENTRIES 128u
#define IVSH_FIRST_PAGE 5u

/* version: bits 63-48 major, 47-32 minor, 31-0 features one must know. */
#define IVSH_VERSION ((uint64_t)IVSH_MAJOR << 48 | (uint64_t)IVSH_MINOR << 32)

struct ivsh_shared_record {
	ivsh_word name[4];	/* padded with zeros */
	ivsh_word session;	/* peer: bits 63-1 generation, 0 joined */
	ivsh_word heartbeat;
	ivsh_word doorbell;	/* as sleep below */
	ivsh_word reserved[9];
};

struct ivsh_shared_directory {
	ivsh_word magic;
	ivsh_word version;
	ivsh_word size;
	ivsh_word reserved[125];
	/* 0: free. Bits 63-26 hash, 25-24 kind, 23-0 pages. */
	ivsh_word entry[IVSH_NR_ENTRIES];
	ivsh_word reserved2[256];
	struct ivsh_shared_record record[IVSH_NR_ENTRIES];
};

_Static_assert(sizeof(struct ivsh_shared_record) == 128, "record");
_Static_assert(offsetof(struct ivsh_shared_directory, entry) == 0x400, "entry");
_Static_assert(offsetof(struct ivsh_shared_directory, record) == 0x1000,
	       "record");
_Static_assert(sizeof(struct ivsh_shared_directory) ==
	       IVSH_FIRST_PAGE * IVSH_PAGE, "directory");

static inline unsigned int entry_kind(uint64_t entry)
{
	return entry >> 24 & 3;
}

static inline uint64_t entry_pages(uint64_t entry)
{
	return entry & 0xffffff;
}

/* Two entries of the same kind and name. */
static inline bool entry_same(uint64_t a, uint64_t b)
{
	return (a ^ b) >> 24 == 0;
}

static inline bool session_joined(uint64_t session)
{
	return session & 1;
}

/* --- channel ------------------------------------------------------------- */

#define IVSH_CHANNEL_MAGIC 0x4c4e4843ull	/* the bytes "CHNL" */

/* One end of a channel: three lines, each written for its own reason. */
struct ivsh_shared_end {
	ivsh_word index;	/* bits 63-16 position, 15-0 generation */
	ivsh_word reserved[15];
	ivsh_word sleep;	/* 0: awake. Bit 63, 31-16 peer, 15-0 vector */
	ivsh_word reserved2[15];
	ivsh_word owner;	/* bits 63-32 session, 31-16 entry + 1, 15-0
				 * generation of the end */
	ivsh_word closed;	/* the generation that closed it */
	ivsh_word reserved3[14];
};

struct ivsh_shared_channel {
	ivsh_word geometry;	/* bits 63-32 magic, 31-0 slot size */
	ivsh_word reserved[15];
	struct ivsh_shared_end end[2];	/* by enum ivsh_role */
	ivsh_word reserved2[400];
	unsigned char data[];
};

_Static_assert(sizeof(struct ivsh_shared_end) == 384, "end");
_Static_assert(offsetof(struct ivsh_shared_channel, end) == 0x80, "end");
_Static_assert(offsetof(struct ivsh_shared_channel, data) == IVSH_PAGE, "data");

#define IVSH_ASLEEP (1ull << 63)
#define IVSH_POSITION_MAX 0xffffffffffffull

static inline uint64_t make_index(uint64_t position, uint16_t generation)
{
	return position << 16 | generation;
}

static inline uint16_t index_generation(uint64_t index)
{
	return (uint16_t)index;
}

/*
 * How far index a is ahead of index b, in bytes; beyond any capacity if their
 * generations differ, since those end up in the highest bits.
 */
static inline uint64_t index_distance(uint64_t a, uint64_t b)
{
	uint64_t difference = a - b;

	return difference >> 16 | difference << 48;
}

/* Before each record: bits 31-0 its length, the others 0. */
#define IVSH_HEADER 8u
#define IVSH_SKIP 0xffffffffull		/* no record: go on at the start */

static inline uint64_t record_size(uint64_t length)
{
	return (length + IVSH_HEADER + 7) & ~7ull;
}

#endif /* IVSH_FORMAT_H */
