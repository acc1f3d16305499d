// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Everything ivshmemctl says on standard error, as "ivshmemctl: what: why",
 * and the check that standard output took all that was printed. Called by
 * every file of the tool.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

__attribute__((format(printf, 2, 0)))
static void message(const char *what, const char *why, va_list args)
{
	fflush(stdout);
	fprintf(stderr, "ivshmemctl: %s: ", what);
	vfprintf(stderr, why, args);
}

int fail(const char *what, const char *why, ...)
{
	va_list args;

	va_start(args, why);
	message(what, why, args);
	va_end(args);
	fputc('\n', stderr);
	return STATUS_FAILED;
}

void usage_error(const struct ctl *ctl, const char *what, const char *why, ...)
{
	va_list args;

	va_start(args, why);
	message(what, why, args);
	va_end(args);
	if (ctl->command)
		fprintf(stderr, "; see 'ivshmemctl %s --help'\n",
			ctl->command->name);
	else
		fputs("; see 'ivshmemctl --help'\n", stderr);
	exit(STATUS_USAGE);
}

/* Report that standard output did not take what was written to it. */
int fail_output(void)
{
	int error = errno;

	return fail("standard output", "%s",
		    error ? strerror(error) : "write error");
}

/* Flush standard output; a full disk or a closed pipe shows here at last. */
int finish_output(void)
{
	errno = 0;
	if (fflush(stdout) || ferror(stdout))
		return fail_output();
	return STATUS_DONE;
}
