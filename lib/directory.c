// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * struct ivsh_directory: the names in a range of shared memory. The directory
 * is an array of words, each put in place by one compare-and-swap and never
 * changed: a word says kind, name (as a hash) and size, and the place of an
 * entry is the sum of the sizes before it. So there is no state in between that
 * a dying peer could leave, and nothing to recover.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"

#define MIN_SIZE 32768
#define ALIGNMENT 128

int64_t ivsh_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

void ivsh_sleep_ns(int64_t ns)
{
	struct timespec time = {
		.tv_sec = ns / NSEC_PER_SEC,
		.tv_nsec = ns % NSEC_PER_SEC,
	};

	nanosleep(&time, NULL);
}

/* --- names and entries --------------------------------------------------- */

bool ivsh_name_valid(const char *name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789._:-";
	size_t length = name ? strlen(name) : 0;

	return length && length <= IVSH_NAME_MAX &&
	       strspn(name, allowed) == length;
}

/* The word of an entry: FNV-1a of the kind and the name, then kind and size. */
uint64_t ivsh_entry_word(enum ivsh_entry_kind kind, const char *name,
			 uint64_t pages)
{
	uint64_t hash = 0xcbf29ce484222325;

	hash = (hash ^ kind) * 0x100000001b3;
	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3;
	return (hash & ~0x3ffffffull) | (uint64_t)kind << 24 | pages;
}

static void name_to_words(const char *name, uint64_t words[4])
{
	unsigned char bytes[32] = { 0 };

	memcpy(bytes, name, strlen(name));
	memcpy(words, bytes, sizeof(bytes));
	for (int i = 0; i < 4; i++)
		words[i] = le64toh(words[i]);
}

/*
 * Who made the entry may have died before it wrote the name. Everybody who
 * finds it would write the same; so who finds no name writes it. Another name
 * is one with the same hash.
 */
static int complete_name(struct ivsh_shared_record *record, const char *name)
{
	uint64_t words[4];
	bool same = true;

	name_to_words(name, words);
	for (int i = 0; i < 4; i++) {
		uint64_t found = word_load(&record->name[i]);

		same = same && found == words[i];
		if (found && found != words[i])
			return ivsh_fail(EEXIST);
	}
	if (same)
		return 0;
	ivsh_step("entry: name not written");
	for (int i = 0; i < 4; i++)
		word_store(&record->name[i], words[i]);
	return 0;
}

/* The word at an index; a free one is made ours if there is room. */
static int claim_entry(struct ivsh_directory *directory, unsigned int index,
		       uint64_t page, uint64_t mine, uint64_t *found)
{
	ivsh_word *word = &directory->shared->entry[index];
	uint64_t expected = 0;

	*found = word_load(word);
	if (*found)
		return 0;
	if (!entry_pages(mine) && entry_kind(mine) != IVSH_ENTRY_PEER)
		return ivsh_fail(ENOENT);
	if (directory->observer)
		return ivsh_fail(ENOENT);
	if (entry_pages(mine) > directory->pages - page)
		return ivsh_fail(ENOSPC);
	ivsh_step("entry: not claimed");
	*found = word_publish(word, &expected, mine) ? mine : expected;
	return 0;
}

int ivsh_directory_place(struct ivsh_directory *directory,
			 enum ivsh_entry_kind kind, const char *name,
			 uint64_t pages, struct ivsh_place *place)
{
	uint64_t mine, found, page = IVSH_FIRST_PAGE;

	mine = ivsh_entry_word(kind, name, pages);
	for (unsigned int i = 0; i < IVSH_NR_ENTRIES; i++) {
		if (claim_entry(directory, i, page, mine, &found))
			return -1;
		if (entry_pages(found) > directory->pages - page)
			return ivsh_fail(EBADMSG);
		if (entry_same(found, mine)) {
			*place = (struct ivsh_place){ i, page,
						      entry_pages(found) };
			return complete_name(&directory->shared->record[i],
					     name);
		}
		page += entry_pages(found);
	}
	return ivsh_fail(ENOSPC);
}

/* Pages that no entry has. */
uint64_t ivsh_directory_room(const struct ivsh_directory *directory)
{
	uint64_t room = directory->pages - IVSH_FIRST_PAGE;

	for (unsigned int i = 0; i < IVSH_NR_ENTRIES; i++) {
		uint64_t pages = entry_pages(
			word_load(&directory->shared->entry[i]));

		if (pages > room)
			return 0;
		room -= pages;
	}
	return room;
}

/* --- open ---------------------------------------------------------------- */

/* A word that all peers set to the same value, and find set afterwards. */
static uint64_t settle(ivsh_word *word, uint64_t value, bool observer)
{
	uint64_t found = word_load(word);

	if (found || observer)
		return found;
	ivsh_step("directory: word not set");
	word_publish(word, &found, value);
	return found ? found : value;
}

static int check_version(uint64_t version)
{
	if (!version)
		return ivsh_fail(ENOENT);
	if (version >> 48 != IVSH_MAJOR || (uint32_t)version)
		return ivsh_fail(EPROTONOSUPPORT);
	return 0;
}

static int open_shared(struct ivsh_directory *directory, size_t size)
{
	struct ivsh_shared_directory *shared = directory->shared;
	bool observer = directory->observer;
	uint64_t magic = settle(&shared->magic, IVSH_MAGIC, observer);
	uint64_t governed;

	if (!magic)
		return ivsh_fail(ENOENT);
	if (magic != IVSH_MAGIC)
		return ivsh_fail(EBADMSG);
	if (check_version(settle(&shared->version, IVSH_VERSION, observer)))
		return -1;
	governed = settle(&shared->size, size, observer);
	/* A peer that maps less than the others would reach beyond its end. */
	if (governed < MIN_SIZE || governed % IVSH_PAGE)
		return ivsh_fail(observer && !governed ? ENOENT : EBADMSG);
	if (governed > size)
		return ivsh_fail(EINVAL);
	directory->pages = governed / IVSH_PAGE;
	return 0;
}

static int check_range(const void *address, size_t *size)
{
	*size -= *size % IVSH_PAGE;
	if (!address || (uintptr_t)address % ALIGNMENT || *size < MIN_SIZE)
		return ivsh_fail(EINVAL);
	return 0;
}

static struct ivsh_shared_record *own_record(struct ivsh_directory *directory)
{
	return &directory->shared->record[directory->peer];
}

/* Whether the heartbeat moves before it is to be taken for dead. */
static bool heart_beats(const struct ivsh_shared_record *record)
{
	uint64_t before = word_load(&record->heartbeat);
	int64_t end = ivsh_now_ns() + DEAD_NS;

	while (ivsh_now_ns() < end) {
		if (word_load(&record->heartbeat) != before)
			return true;
		ivsh_sleep_ns(10000000);
	}
	return false;
}

static int join(struct ivsh_directory *directory, const char *name,
		unsigned int flags)
{
	struct ivsh_shared_record *record;
	struct ivsh_place place;
	uint64_t session;

	if (ivsh_directory_place(directory, IVSH_ENTRY_PEER, name, 0, &place))
		return -1;
	directory->peer = place.index;
	record = own_record(directory);
	session = word_load(&record->session);
	if (session_joined(session) && !(flags & IVSH_TAKE_OVER) &&
	    heart_beats(record))
		return ivsh_fail(EBUSY);
	ivsh_step("peer: not joined");
	directory->session = (session | 1) + 2;
	if (!word_publish(&record->session, &session, directory->session))
		return ivsh_fail(EBUSY);
	directory->heartbeat = word_load(&record->heartbeat);
	word_store(&record->doorbell, 0);
	ivsh_directory_beat(directory);
	return 0;
}

static int directory_open(struct ivsh_directory *directory, size_t size,
			  const char *peer, unsigned int flags)
{
	if (check_range(directory->shared, &size))
		return -1;
	if (flags & ~IVSH_TAKE_OVER || (peer && !ivsh_name_valid(peer)))
		return ivsh_fail(EINVAL);
	if (open_shared(directory, size))
		return -1;
	return peer ? join(directory, peer, flags) : 0;
}

IVSH_API struct ivsh_directory *ivsh_directory_open(void *address, size_t size,
						    const char *peer,
						    unsigned int flags)
{
	struct ivsh_directory *directory = calloc(1, sizeof(*directory));
	int error;

	if (!directory)
		return NULL;
	directory->shared = address;
	directory->observer = !peer;
	directory->alone = sysconf(_SC_NPROCESSORS_ONLN) < 2;
	directory->spin_ns = IVSH_SPIN_MAX_NS;
	if (!directory_open(directory, size, peer, flags))
		return directory;
	error = errno;
	free(directory);
	errno = error;
	return NULL;
}

IVSH_API void ivsh_directory_close(struct ivsh_directory *directory)
{
	uint64_t session;

	if (!directory)
		return;
	/* Fails if another one has taken the name over. */
	session = directory->session;
	if (!directory->observer && !directory->gone)
		word_publish(&own_record(directory)->session, &session,
			     session & ~1ull);
	free(directory);
}

IVSH_API int ivsh_directory_format(void *address, size_t size)
{
	struct ivsh_shared_directory *shared = address;

	if (check_range(address, &size))
		return -1;
	/* The magic goes first, and all the rest before it can come back. */
	word_store_full(&shared->magic, ~0ull);
	memset(&shared->version, 0, size - sizeof(shared->magic));
	word_store_full(&shared->magic, 0);
	return 0;
}

/* --- peers --------------------------------------------------------------- */

/* From now on nothing touches the memory. */
void ivsh_directory_gone(struct ivsh_directory *directory)
{
	struct ivsh_channel *channel;

	directory->gone = true;
	for (channel = directory->channels; channel; channel = channel->next)
		ivsh_channel_break(channel, ENODEV);
}

int ivsh_directory_check_session(struct ivsh_directory *directory)
{
	if (directory->gone)
		return ivsh_fail(ENODEV);
	if (directory->observer)
		return ivsh_fail(EOPNOTSUPP);
	if (word_load(&own_record(directory)->session) != directory->session)
		return ivsh_fail(ESTALE);
	return 0;
}

IVSH_API void ivsh_directory_beat(struct ivsh_directory *directory)
{
	if (!directory->observer && !directory->gone)
		word_store_relaxed(&own_record(directory)->heartbeat,
				   ++directory->heartbeat);
}

IVSH_API int ivsh_directory_set_waiting(struct ivsh_directory *directory,
					enum ivsh_waiting waiting)
{
	if (waiting != IVSH_WAIT_ADAPTIVE && waiting != IVSH_WAIT_POLL &&
	    waiting != IVSH_WAIT_SLEEP)
		return ivsh_fail(EINVAL);
	directory->waiting = waiting;
	return 0;
}

void ivsh_directory_set_wakeup(struct ivsh_directory *directory,
			       const struct ivsh_wakeup *wakeup)
{
	directory->wakeup = *wakeup;
	word_store(&own_record(directory)->doorbell, wakeup->doorbell);
}

IVSH_API int ivsh_directory_fd(const struct ivsh_directory *directory)
{
	if (!directory->wakeup.ring)
		return ivsh_fail(EOPNOTSUPP);
	return directory->wakeup.fd;
}

IVSH_API int ivsh_directory_clear(struct ivsh_directory *directory)
{
	if (!directory->wakeup.ring)
		return ivsh_fail(EOPNOTSUPP);
	if (!directory->wakeup.clear(directory->wakeup.context))
		return 0;
	if (errno == ENODEV)
		ivsh_directory_gone(directory);
	return -1;
}

/* --- segments ------------------------------------------------------------ */

IVSH_API void *ivsh_directory_segment(struct ivsh_directory *directory,
				      const char *name, size_t *size)
{
	uint64_t pages = *size / IVSH_PAGE + (*size % IVSH_PAGE != 0);
	struct ivsh_place place;

	if (!ivsh_name_valid(name)) {
		errno = EINVAL;
		return NULL;
	}
	if (ivsh_directory_check_session(directory))
		return NULL;
	if (pages > 0xffffff) {
		errno = ENOSPC;
		return NULL;
	}
	if (ivsh_directory_place(directory, IVSH_ENTRY_SEGMENT, name, pages,
				 &place))
		return NULL;
	if (!place.pages || place.pages < pages) {
		errno = place.pages ? EEXIST : EBADMSG;
		return NULL;
	}
	*size = place.pages * IVSH_PAGE;
	return (unsigned char *)directory->shared + place.page * IVSH_PAGE;
}
