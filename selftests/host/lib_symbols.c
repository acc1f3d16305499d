// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libivshmem.so exports what its map says, and its headers document; nothing
 * more and nothing less. Reads the files in $IVSHMEM_TOP and $O.
 */
#include <ctype.h>

#include "header_functions.h"
#include "kselftest_harness.h"

struct names {
	char name[128][64];
	size_t count;
};

static const char *from_environment(const char *variable, const char *otherwise)
{
	const char *value = getenv(variable);

	return value && *value ? value : otherwise;
}

/* What a file holds, at most size - 1 bytes of it. */
static bool read_text(const char *name, char *text, size_t size)
{
	char path[4096];
	size_t len;
	FILE *file;

	snprintf(path, sizeof(path), "%s/lib/%s",
		 from_environment("IVSHMEM_TOP", "."), name);
	file = fopen(path, "r");
	if (!file)
		return false;
	len = fread(text, 1, size - 1, file);
	text[len] = '\0';
	fclose(file);
	return len > 0 && len < size - 1;
}

static void add(struct names *names, const char *name, size_t len)
{
	if (names->count < ARRAY_SIZE(names->name))
		snprintf(names->name[names->count++], sizeof(names->name[0]),
			 "%.*s", (int)len, name);
}

static bool contains(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (!strcmp(names->name[i], name))
			return true;
	return false;
}

/* Every name of a is in b; says which is not. */
static bool all_in(const struct names *a, const struct names *b)
{
	bool all = true;

	for (size_t i = 0; i < a->count; i++) {
		if (contains(b, a->name[i]))
			continue;
		ksft_print_msg("only in one of the two: %s\n", a->name[i]);
		fflush(stdout);
		all = false;
	}
	return all;
}

/* The names "ivsh_..." that are followed by that character. */
static void find_names(const char *text, char after, struct names *names)
{
	for (const char *at = text; (at = strstr(at, "ivsh_")); at++) {
		size_t len = 0;

		if (at > text && (isalnum((unsigned char)at[-1]) || at[-1] == '_'))
			continue;
		while (isalnum((unsigned char)at[len]) || at[len] == '_')
			len++;
		if (at[len] == after)
			add(names, at, len);
	}
}

static bool map_names(struct names *names)
{
	static char text[65536];

	if (!read_text("libivshmem.map", text, sizeof(text)))
		return false;
	find_names(text, ';', names);
	return names->count > 0;
}

/* Blank the comments, so that declarations are left. */
static void blank_comments(char *text)
{
	char *end;

	for (char *at = text; (at = strstr(at, "/*")); at = end) {
		end = strstr(at, "*/");
		end = end ? end + 2 : at + strlen(at);
		memset(at, ' ', end - at);
	}
}

/* Both public headers. */
static bool read_headers(char *text, size_t size)
{
	size_t length;

	if (!read_text("ivshmem.h", text, size))
		return false;
	length = strlen(text);
	return read_text("ivshmem_channel.h", text + length, size - length);
}

static bool header_names(struct names *names)
{
	static char text[65536];

	if (!read_headers(text, sizeof(text)))
		return false;
	blank_comments(text);
	find_names(text, '(', names);
	return names->count > 0;
}

static bool exported_names(struct names *names)
{
	char line[512], type, name[256];
	FILE *nm;

	snprintf(line, sizeof(line),
		 "nm -D --defined-only '%s/lib/libivshmem.so.0'",
		 from_environment("O", "build"));
	nm = popen(line, "r");
	if (!nm)
		return false;
	while (fgets(line, sizeof(line), nm)) {
		if (sscanf(line, "%*x %c %255s", &type, name) != 2 ||
		    type == 'A')
			continue;
		add(names, name, strcspn(name, "@"));
	}
	return !pclose(nm) && names->count > 0;
}

FIXTURE(symbols) {
	struct names map, header, exported;
};

FIXTURE_SETUP(symbols)
{
	ASSERT_TRUE(map_names(&self->map));
	ASSERT_TRUE(header_names(&self->header));
	ASSERT_TRUE(exported_names(&self->exported));
}

FIXTURE_TEARDOWN(symbols)
{
}

TEST_F(symbols, of_the_library_are_those_of_the_map)
{
	EXPECT_TRUE(all_in(&self->exported, &self->map));
	EXPECT_TRUE(all_in(&self->map, &self->exported));
}

TEST_F(symbols, of_the_map_are_those_of_the_header)
{
	EXPECT_TRUE(all_in(&self->map, &self->header));
	EXPECT_TRUE(all_in(&self->header, &self->map));
}

#define ADD_NAME(function) add(&linked, #function, sizeof(#function) - 1);

TEST_F(symbols, of_the_map_are_all_linked_by_the_header_tests)
{
	struct names linked = {};

	FOR_EACH_FUNCTION(ADD_NAME)
	EXPECT_TRUE(all_in(&self->map, &linked));
}

/* Whether the line before the declaration of name ends a comment. */
static bool is_documented(const char *text, const char *name)
{
	const char *line_end = text;
	char call[80];

	snprintf(call, sizeof(call), "%s(", name);
	for (const char *line = text; *line; line = line_end + 1) {
		const char *found = strstr(line, call);

		line_end = line + strcspn(line, "\n");
		/* Comment lines begin with a space or a slash. */
		if (found && found < line_end && isalpha((unsigned char)*line))
			return line - text > 3 && !strncmp(line - 3, "*/\n", 3);
		if (!*line_end)
			break;
	}
	return false;
}

TEST_F(symbols, each_have_a_comment_of_their_own)
{
	static char text[65536];

	ASSERT_TRUE(read_headers(text, sizeof(text)));
	for (size_t i = 0; i < self->map.count; i++) {
		EXPECT_TRUE(is_documented(text, self->map.name[i]))
			TH_LOG("%s", self->map.name[i]);
	}
}

TEST_HARNESS_MAIN
