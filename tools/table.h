/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One table, printed for people or as JSON; list.c and info.c fill it. The
 * cells are strings, and the JSON types are those of the columns.
 */
#ifndef IVSHMEMCTL_TABLE_H
#define IVSHMEMCTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct column {
	const char *name;	/* the JSON key; in capitals the heading */
	bool number;
};

struct table;

/* Exits when there is no memory. */
struct table *table_new(const char *name, const struct column *columns,
			size_t nr_columns, bool json);
void table_add_row(struct table *table);
/* Set a cell of the last row; one never set is "-", in JSON null. */
void table_set(struct table *table, size_t column, const char *text);
void table_set_number(struct table *table, size_t column, uint64_t number);
/* For people as 1M, in JSON as bytes. */
void table_set_bytes(struct table *table, size_t column, uint64_t bytes);
void table_print(struct table *table);
/* A table for JSON, in one line: for a stream of them. */
void table_print_json_line(struct table *table);
void table_free(struct table *table);

#endif /* IVSHMEMCTL_TABLE_H */
