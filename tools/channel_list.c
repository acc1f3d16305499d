// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemctl channel list and dump: the directory for people, and all of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "table.h"

/* Longer than the second between two beats of a peer that waits. */
#define LOOK_US 1200000

static const char *const kind_names[] = {
	"unknown", "peer", "segment", "channel",
};

static const char *const end_names[] = { "unused", "open", "closed" };

static const char *kind_name(const struct ivsh_entry *entry)
{
	return kind_names[ivsh_entry_get(entry, IVSH_FIELD_KIND)];
}

static bool is_a(const struct ivsh_entry *entry, enum ivsh_entry_kind kind)
{
	return ivsh_entry_get(entry, IVSH_FIELD_KIND) == kind;
}

/* Call @add for each entry. */
static int for_each(struct channel_args *args, struct table *table,
		    void (*add)(struct channel_args *, struct table *, size_t,
				const struct ivsh_entry *))
{
	size_t count = ivsh_directory_count(args->directory);
	struct ivsh_entry *entry;

	for (size_t i = 0; i < count; i++) {
		entry = ivsh_directory_get_entry(args->directory, i);
		if (!entry)
			return fail(ivsh_device_path(args->device), "%s",
				    channel_why(errno));
		add(args, table, i, entry);
		ivsh_entry_free(entry);
	}
	return STATUS_DONE;
}

static int print(struct channel_args *args, const struct column *columns,
		 size_t nr_columns,
		 void (*add)(struct channel_args *, struct table *, size_t,
			     const struct ivsh_entry *))
{
	struct table *table = table_new("entries", columns, nr_columns,
					args->json);
	int status = for_each(args, table, add);

	if (!status)
		table_print(table);
	table_free(table);
	return status;
}

/* --- dump ---------------------------------------------------------------- */

static const struct column dump_columns[] = {
	{ "name", false }, { "kind", false }, { "offset", true },
	{ "size", true }, { "generation", true }, { "joined", true },
	{ "heartbeat", true }, { "peer_id", true }, { "vector", true },
	{ "capacity", true }, { "slot_size", true }, { "used", true },
	{ "producer", false }, { "producer_generation", true },
	{ "producer_asleep", true }, { "consumer", false },
	{ "consumer_generation", true }, { "consumer_asleep", true },
};

static void set_field(struct table *table, size_t column,
		      const struct ivsh_entry *entry,
		      enum ivsh_entry_field field)
{
	table_set_number(table, column, ivsh_entry_get(entry, field));
}

static void dump_peer(struct table *table, const struct ivsh_entry *entry)
{
	set_field(table, 4, entry, IVSH_FIELD_GENERATION);
	set_field(table, 5, entry, IVSH_FIELD_JOINED);
	set_field(table, 6, entry, IVSH_FIELD_HEARTBEAT);
	if (!ivsh_entry_get(entry, IVSH_FIELD_HAS_DOORBELL))
		return;
	set_field(table, 7, entry, IVSH_FIELD_PEER_ID);
	set_field(table, 8, entry, IVSH_FIELD_VECTOR);
}

static void dump_channel(struct table *table, const struct ivsh_entry *entry)
{
	set_field(table, 9, entry, IVSH_FIELD_CAPACITY);
	set_field(table, 10, entry, IVSH_FIELD_SLOT_SIZE);
	set_field(table, 11, entry, IVSH_FIELD_USED);
	table_set(table, 12,
		  end_names[ivsh_entry_get(entry, IVSH_FIELD_PRODUCER)]);
	set_field(table, 13, entry, IVSH_FIELD_PRODUCER_GENERATION);
	set_field(table, 14, entry, IVSH_FIELD_PRODUCER_ASLEEP);
	table_set(table, 15,
		  end_names[ivsh_entry_get(entry, IVSH_FIELD_CONSUMER)]);
	set_field(table, 16, entry, IVSH_FIELD_CONSUMER_GENERATION);
	set_field(table, 17, entry, IVSH_FIELD_CONSUMER_ASLEEP);
}

static void dump_entry(struct channel_args *args, struct table *table,
		       size_t index, const struct ivsh_entry *entry)
{
	(void)args;
	(void)index;
	table_add_row(table);
	table_set(table, 0, ivsh_entry_name(entry));
	table_set(table, 1, kind_name(entry));
	set_field(table, 2, entry, IVSH_FIELD_OFFSET);
	set_field(table, 3, entry, IVSH_FIELD_SIZE);
	if (is_a(entry, IVSH_ENTRY_PEER))
		dump_peer(table, entry);
	else if (is_a(entry, IVSH_ENTRY_CHANNEL))
		dump_channel(table, entry);
}

int channel_dump(struct channel_args *args)
{
	if (channel_join(args, NULL))
		return STATUS_FAILED;
	return print(args, dump_columns,
		     sizeof(dump_columns) / sizeof(dump_columns[0]),
		     dump_entry);
}

/* --- list ---------------------------------------------------------------- */

static const struct column list_columns[] = {
	{ "name", false }, { "kind", false }, { "size", true },
	{ "used", true }, { "producer", false }, { "consumer", false },
	{ "state", false },
};

static uint64_t heartbeats[128];

static void note_heartbeat(struct channel_args *args, struct table *table,
			   size_t index, const struct ivsh_entry *entry)
{
	(void)args;
	(void)table;
	heartbeats[index] = ivsh_entry_get(entry, IVSH_FIELD_HEARTBEAT);
}

static const char *peer_state(const struct ivsh_entry *entry, size_t index)
{
	if (!ivsh_entry_get(entry, IVSH_FIELD_JOINED))
		return "left";
	return heartbeats[index] == ivsh_entry_get(entry, IVSH_FIELD_HEARTBEAT)
		? "silent" : "alive";
}

static void list_entry(struct channel_args *args, struct table *table,
		       size_t index, const struct ivsh_entry *entry)
{
	(void)args;
	table_add_row(table);
	table_set(table, 0, ivsh_entry_name(entry));
	table_set(table, 1, kind_name(entry));
	if (is_a(entry, IVSH_ENTRY_PEER)) {
		table_set(table, 6, peer_state(entry, index));
		return;
	}
	table_set_bytes(table, 2, ivsh_entry_get(entry, IVSH_FIELD_SIZE));
	if (!is_a(entry, IVSH_ENTRY_CHANNEL))
		return;
	set_field(table, 3, entry, IVSH_FIELD_USED);
	table_set(table, 4,
		  end_names[ivsh_entry_get(entry, IVSH_FIELD_PRODUCER)]);
	table_set(table, 5,
		  end_names[ivsh_entry_get(entry, IVSH_FIELD_CONSUMER)]);
}

int channel_list(struct channel_args *args)
{
	if (channel_join(args, NULL) || for_each(args, NULL, note_heartbeat))
		return STATUS_FAILED;
	usleep(LOOK_US);
	return print(args, list_columns,
		     sizeof(list_columns) / sizeof(list_columns[0]),
		     list_entry);
}
