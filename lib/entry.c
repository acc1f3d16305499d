// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * struct ivsh_entry: what the directory says of one name, copied once, for
 * those who look on.
 */
#include <stdlib.h>
#include <string.h>

#include "channel.h"

#define NR_FIELDS (IVSH_FIELD_CONSUMER_ASLEEP + 1)

struct ivsh_entry {
	char name[IVSH_NAME_MAX + 1];
	uint64_t fields[NR_FIELDS];
};

IVSH_API size_t ivsh_directory_count(const struct ivsh_directory *directory)
{
	size_t count = 0;

	while (!directory->gone && count < IVSH_NR_ENTRIES &&
	       word_load(&directory->shared->entry[count]))
		count++;
	return count;
}

static void copy_name(struct ivsh_entry *entry,
		      const struct ivsh_shared_record *record)
{
	uint64_t words[4];

	for (int i = 0; i < 4; i++)
		words[i] = htole64(word_load(&record->name[i]));
	memcpy(entry->name, words, IVSH_NAME_MAX);
	for (char *at = entry->name; *at; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
}

static void copy_peer(struct ivsh_entry *entry,
		      const struct ivsh_shared_record *record)
{
	uint64_t session = word_load(&record->session);
	uint64_t doorbell = word_load(&record->doorbell);

	entry->fields[IVSH_FIELD_GENERATION] = session >> 1;
	entry->fields[IVSH_FIELD_JOINED] = session_joined(session);
	entry->fields[IVSH_FIELD_HEARTBEAT] = word_load(&record->heartbeat);
	if (!(doorbell & IVSH_ASLEEP))
		return;
	entry->fields[IVSH_FIELD_HAS_DOORBELL] = 1;
	entry->fields[IVSH_FIELD_PEER_ID] = doorbell >> 16 & 0xffff;
	entry->fields[IVSH_FIELD_VECTOR] = doorbell & 0xffff;
}

/* Three fields that follow each other: state, generation, asleep. */
static void copy_end(uint64_t fields[3], const struct ivsh_shared_end *end)
{
	uint64_t closed = word_load(&end->closed);
	uint16_t generation = index_generation(word_load(&end->index));

	fields[0] = !generation ? IVSH_END_UNUSED :
		    closed == generation ? IVSH_END_CLOSED : IVSH_END_OPEN;
	fields[1] = generation;
	fields[2] = word_load(&end->sleep) != 0;
}

static void copy_channel(struct ivsh_entry *entry,
			 const struct ivsh_shared_channel *channel)
{
	const struct ivsh_shared_end *producer = &channel->end[IVSH_PRODUCER];
	const struct ivsh_shared_end *consumer = &channel->end[IVSH_CONSUMER];
	uint64_t tail = word_load(&consumer->index);
	uint64_t head = word_load(&producer->index);

	entry->fields[IVSH_FIELD_CAPACITY] =
		entry->fields[IVSH_FIELD_SIZE] - IVSH_PAGE;
	entry->fields[IVSH_FIELD_SLOT_SIZE] =
		(uint32_t)word_load(&channel->geometry);
	entry->fields[IVSH_FIELD_USED] = ((head >> 16) - (tail >> 16)) &
					 IVSH_POSITION_MAX;
	copy_end(&entry->fields[IVSH_FIELD_PRODUCER], producer);
	copy_end(&entry->fields[IVSH_FIELD_CONSUMER], consumer);
}

static void copy_entry(struct ivsh_entry *entry,
		       const struct ivsh_shared_directory *shared,
		       size_t index, uint64_t word, uint64_t page)
{
	uint64_t *fields = entry->fields;

	copy_name(entry, &shared->record[index]);
	fields[IVSH_FIELD_KIND] = entry_kind(word);
	fields[IVSH_FIELD_SIZE] = entry_pages(word) * IVSH_PAGE;
	if (fields[IVSH_FIELD_SIZE])
		fields[IVSH_FIELD_OFFSET] = page * IVSH_PAGE;
	if (fields[IVSH_FIELD_KIND] == IVSH_ENTRY_PEER)
		copy_peer(entry, &shared->record[index]);
	else if (fields[IVSH_FIELD_KIND] == IVSH_ENTRY_CHANNEL &&
		 entry_pages(word))
		copy_channel(entry, (const void *)((const char *)shared +
						   page * IVSH_PAGE));
}

/* The word at an index and its first page. */
static int find_place(const struct ivsh_directory *directory, size_t index,
		      uint64_t *word, uint64_t *page)
{
	*page = IVSH_FIRST_PAGE;
	for (size_t i = 0; i < IVSH_NR_ENTRIES; i++) {
		*word = word_load(&directory->shared->entry[i]);
		if (!*word)
			break;
		if (entry_pages(*word) > directory->pages - *page)
			return ivsh_fail(EBADMSG);
		if (i == index)
			return 0;
		*page += entry_pages(*word);
	}
	return ivsh_fail(ENOENT);
}

IVSH_API struct ivsh_entry *ivsh_directory_get_entry(
	const struct ivsh_directory *directory, size_t index)
{
	struct ivsh_entry *entry;
	uint64_t word, page;

	if (directory->gone) {
		errno = ENODEV;
		return NULL;
	}
	if (find_place(directory, index, &word, &page))
		return NULL;
	entry = calloc(1, sizeof(*entry));
	if (entry)
		copy_entry(entry, directory->shared, index, word, page);
	return entry;
}

IVSH_API void ivsh_entry_free(struct ivsh_entry *entry)
{
	free(entry);
}

IVSH_API const char *ivsh_entry_name(const struct ivsh_entry *entry)
{
	return entry->name;
}

IVSH_API uint64_t ivsh_entry_get(const struct ivsh_entry *entry,
				 enum ivsh_entry_field field)
{
	return (unsigned int)field < NR_FIELDS ? entry->fields[field] : 0;
}
