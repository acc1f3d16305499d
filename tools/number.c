// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The numbers of the command line: decimal or 0x hexadecimal, sizes also with
 * K, M or G, seconds also with a fraction. Called by the subcommands; whatever
 * is not such a number ends the program with a usage error.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

#define NS_PER_SECOND 1000000000LL

static void __attribute__((noreturn))
bad(const struct ctl *ctl, const char *what, const char *text, const char *why)
{
	char quoted[128];

	snprintf(quoted, sizeof(quoted), "%s '%s'", what, text);
	usage_error(ctl, quoted, "%s", why);
}

/* Not base 0 of strtoull(): there 010 would be eight. */
static uint64_t parse_digits(const struct ctl *ctl, const char *what,
			     const char *text, char **end)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	unsigned long long value;

	if (!isdigit((unsigned char)text[0]))
		bad(ctl, what, text, "not a number");
	errno = 0;
	value = strtoull(text, end, hex ? 16 : 10);
	if (errno == ERANGE)
		bad(ctl, what, text, "too large");
	return value;
}

static int unit_shift(const char *unit)
{
	if (unit[0] == '\0')
		return 0;
	if (unit[1] != '\0')
		return -1;
	switch (unit[0]) {
	case 'K':
	case 'k':
		return 10;
	case 'M':
	case 'm':
		return 20;
	case 'G':
	case 'g':
		return 30;
	}
	return -1;
}

uint64_t parse_size(const struct ctl *ctl, const char *what, const char *text)
{
	char *end;
	uint64_t value = parse_digits(ctl, what, text, &end);
	int shift = unit_shift(end);

	if (shift < 0)
		bad(ctl, what, text,
		    "not a number with at most one of K, M, G behind it");
	if (value > UINT64_MAX >> shift)
		bad(ctl, what, text, "too large");
	return value << shift;
}

uint64_t parse_number(const struct ctl *ctl, const char *what,
		      const char *text, uint64_t max)
{
	char why[64];
	char *end;
	uint64_t value = parse_digits(ctl, what, text, &end);

	if (*end)
		bad(ctl, what, text, "not a number");
	if (value > max) {
		snprintf(why, sizeof(why), "at most %llu",
			 (unsigned long long)max);
		bad(ctl, what, text, why);
	}
	return value;
}

/* The value of --count. */
uint64_t parse_count(const struct ctl *ctl, const char *text)
{
	uint64_t count = parse_number(ctl, "--count", text, UINT64_MAX);

	if (count == 0)
		bad(ctl, "--count", text, "at least 1");
	return count;
}

int64_t parse_seconds_ns(const struct ctl *ctl, const char *what,
			 const char *text)
{
	size_t length = strspn(text, "0123456789.");
	double seconds;
	char *end;

	if (length == 0 || text[length])
		bad(ctl, what, text, "not a number of seconds");
	seconds = strtod(text, &end);
	if (end == text || *end)
		bad(ctl, what, text, "not a number of seconds");
	if (seconds >= (double)(INT64_MAX / NS_PER_SECOND))
		bad(ctl, what, text, "too large");
	return (int64_t)(seconds * NS_PER_SECOND);
}
