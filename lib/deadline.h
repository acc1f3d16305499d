/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A time that a wait must not pass, in CLOCK_MONOTONIC. For vector.c, event.c
 * and server.c. Not installed.
 */
#ifndef IVSH_DEADLINE_H
#define IVSH_DEADLINE_H

#include <stdint.h>
#include <time.h>

#define NSEC_PER_SEC 1000000000

static inline struct timespec deadline_after(int64_t ns)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ns / NSEC_PER_SEC;
	t.tv_nsec += ns % NSEC_PER_SEC;
	if (t.tv_nsec >= NSEC_PER_SEC) {
		t.tv_sec++;
		t.tv_nsec -= NSEC_PER_SEC;
	}
	return t;
}

/* The time until then, 0 when it has passed. */
static inline struct timespec deadline_left(const struct timespec *then)
{
	struct timespec now, left;

	clock_gettime(CLOCK_MONOTONIC, &now);
	left.tv_sec = then->tv_sec - now.tv_sec;
	left.tv_nsec = then->tv_nsec - now.tv_nsec;
	if (left.tv_nsec < 0) {
		left.tv_sec--;
		left.tv_nsec += NSEC_PER_SEC;
	}
	if (left.tv_sec < 0)
		left = (struct timespec){ 0 };
	return left;
}

#endif /* IVSH_DEADLINE_H */
