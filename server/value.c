// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * value: the words behind options, as numbers, sizes, modes, users and groups.
 * A word that is none ends the program with status 2. Called by options.c.
 */
#include <errno.h>
#include <grp.h>
#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

#define EXIT_USAGE 2

_Noreturn void usage_error(const char *what, const char *value, const char *why)
{
	log_error("%s%s%s: %s (see ivshmemd --help)", what, value ? " " : "",
		  value ? value : "", why);
	exit(EXIT_USAGE);
}

bool is_number(const char *text, int base, unsigned int min, unsigned int max,
	       unsigned int *number)
{
	unsigned long long read;
	char *end;

	errno = 0;
	read = strtoull(text, &end, base);
	*number = (unsigned int)read;
	return *text && !*end && !strpbrk(text, "-+ \t") && !errno &&
	       read >= min && read <= max;
}

unsigned int value_number(const char *option, const char *text,
			  unsigned int min, unsigned int max)
{
	unsigned int number;
	char why[64];

	if (is_number(text, 0, min, max, &number))
		return number;
	snprintf(why, sizeof(why), "must be a number from %u to %u", min, max);
	usage_error(option, text, why);
}

static int suffix_shift(char suffix)
{
	static const char suffixes[] = "BKMGTPE";
	const char *at;

	if (!suffix)
		return 0;
	if (suffix >= 'a')
		suffix -= 'a' - 'A';
	at = strchr(suffixes, suffix);
	return at ? (int)(at - suffixes) * 10 : -1;
}

/* Of the number before the suffix: no sign, no exponent, no "inf". */
static size_t digits_length(const char *text)
{
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		return 2 + strspn(text + 2, "0123456789abcdefABCDEF");
	return strspn(text, "0123456789.");
}

/* 4194304, 0x400000, 4096K, 4M, 1.5G. Exact: a double holds 53 bits. */
uint64_t value_size(const char *option, const char *text)
{
	const char *why = "must be a size such as 4194304, 0x400000, 4M or 1.5G, up to 4E";
	size_t length = digits_length(text);
	int shift = suffix_shift(text[length]);
	long double number;
	char *end;

	number = strtold(text, &end);
	if (end != text + length || shift < 0 || (*end && end[1]) ||
	    !(number > 0))
		usage_error(option, text, why);
	number = ldexpl(number, shift);
	if (number > 0x1p62L)
		usage_error(option, text, why);
	return number < 1 ? 1 : (uint64_t)number;
}

bool value_yes(const char *option, const char *text)
{
	if (!strcmp(text, "yes"))
		return true;
	if (strcmp(text, "no"))
		usage_error(option, text, "must be yes or no");
	return false;
}

/* Octal, as for chmod(1); a socket has no use for more than the 9 bits. */
mode_t value_mode(const char *option, const char *text)
{
	unsigned int mode;

	if (!is_number(text, 8, 0, 0777, &mode))
		usage_error(option, text, "must be an octal mode such as 0660");
	return mode;
}

uid_t value_user(const char *option, const char *text)
{
	const struct passwd *user = getpwnam(text);
	unsigned int uid;

	if (user)
		return user->pw_uid;
	if (!is_number(text, 10, 0, UINT32_MAX - 1, &uid))
		usage_error(option, text, "no such user");
	return uid;
}

gid_t value_group(const char *option, const char *text)
{
	const struct group *group = getgrnam(text);
	unsigned int gid;

	if (group)
		return group->gr_gid;
	if (!is_number(text, 10, 0, UINT32_MAX - 1, &gid))
		usage_error(option, text, "no such group");
	return gid;
}
