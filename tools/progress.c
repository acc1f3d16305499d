// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How much of a long transfer is copied at a time, and how far it is: shown on
 * a terminal only. Called by read.c and write.c.
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "range.h"

/* Bytes to copy next when @done of @length are done. */
size_t chunk_size(uint64_t done, uint64_t length)
{
	return length - done < CHUNK_SIZE ? length - done : CHUNK_SIZE;
}

/* Once a second. The next message or figure overwrites it. */
void show_progress(uint64_t done, uint64_t length)
{
	static time_t last;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!last)
		last = now.tv_sec;
	if (now.tv_sec == last || !isatty(STDERR_FILENO))
		return;
	last = now.tv_sec;
	fprintf(stderr, "%3d%%\r", (int)(100.0 * (double)done / (double)length));
}
