/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a thread asks for fails, once: the nth allocation, or copy from or to the
 * user. Needs a kernel with fault injection, see failures.py.
 */
#ifndef FAILNTH_H
#define FAILNTH_H

#include <stdio.h>

#include "guest.h"

#define FAIL_NTH "/proc/thread-self/fail-nth"
#define MOST 5000	/* no call takes that many */

/* Let the nth from now on fail; 0 for none. */
static inline void fail_nth(int file, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	(void)!pwrite(file, text, len, 0);
}

/* How many are still to come before it; if none is left this very call fails. */
static inline unsigned int still_to_come(int file)
{
	char text[16] = "";

	return pread(file, text, sizeof(text) - 1, 0) > 0 ? atoi(text) : 1;
}

#endif /* FAILNTH_H */
