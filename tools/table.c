// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables by libsmartcols: aligned columns for people, typed JSON for programs.
 * Called by list.c, info.c, stat.c and others.
 */
#include <ctype.h>
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "table.h"

struct table {
	struct libscols_table *scols;
	struct libscols_line *line;
	bool json;
};

static void __attribute__((noreturn)) out_of_memory(void)
{
	exit(fail("table", "out of memory"));
}

static void add_column(struct table *table, const struct column *column)
{
	struct libscols_column *scols;
	char name[32];
	size_t i;

	for (i = 0; column->name[i] && i < sizeof(name) - 1; i++)
		name[i] = table->json ? column->name[i] :
			  (char)toupper((unsigned char)column->name[i]);
	name[i] = '\0';
	scols = scols_table_new_column(table->scols, name, 0,
				       column->number ? SCOLS_FL_RIGHT : 0);
	if (!scols)
		out_of_memory();
	if (column->number)
		scols_column_set_json_type(scols, SCOLS_JSON_NUMBER);
}

struct table *table_new(const char *name, const struct column *columns,
			size_t nr_columns, bool json)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		out_of_memory();
	table->json = json;
	table->scols = scols_new_table();
	if (!table->scols)
		out_of_memory();
	scols_table_enable_json(table->scols, json);
	scols_table_set_name(table->scols, name);
	for (size_t i = 0; i < nr_columns; i++)
		add_column(table, &columns[i]);
	return table;
}

void table_add_row(struct table *table)
{
	size_t nr_columns = scols_table_get_ncols(table->scols);

	table->line = scols_table_new_line(table->scols, NULL);
	if (!table->line)
		out_of_memory();
	for (size_t i = 0; !table->json && i < nr_columns; i++)
		table_set(table, i, "-");
}

void table_set(struct table *table, size_t column, const char *text)
{
	if (scols_line_set_data(table->line, column, text))
		out_of_memory();
}

void table_set_number(struct table *table, size_t column, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	table_set(table, column, text);
}

void table_set_bytes(struct table *table, size_t column, uint64_t bytes)
{
	static const char units[] = "BKMGTPE";
	char text[24];
	int unit = 0;

	if (table->json) {
		table_set_number(table, column, bytes);
		return;
	}
	while (bytes >= 1024 && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, sizeof(text), "%" PRIu64 "%c", bytes, units[unit]);
	table_set(table, column, text);
}

void table_print(struct table *table)
{
	/* libsmartcols prints an empty table as nothing, which is no JSON. */
	if (table->json && scols_table_is_empty(table->scols))
		printf("{\n   \"%s\": []\n}\n",
		       scols_table_get_name(table->scols));
	else if (!scols_table_is_empty(table->scols))
		scols_print_table(table->scols);
}

/* In JSON a line feed is never part of a string. */
static void print_joined(char *lines)
{
	char *line;

	while ((line = strsep(&lines, "\n")))
		fputs(line + strspn(line, " "), stdout);
	putchar('\n');
}

void table_print_json_line(struct table *table)
{
	char *text;

	if (scols_table_is_empty(table->scols)) {
		printf("{\"%s\": []}\n", scols_table_get_name(table->scols));
		return;
	}
	if (scols_print_table_to_string(table->scols, &text))
		out_of_memory();
	print_joined(text);
	free(text);
}

void table_free(struct table *table)
{
	scols_unref_table(table->scols);
	free(table);
}
