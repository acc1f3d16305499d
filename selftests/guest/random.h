/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random numbers that are the same in each run: an xorshift generator. */
#ifndef RANDOM_H
#define RANDOM_H

#include <linux/types.h>
#include <stddef.h>

static inline __u64 random_next(__u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline size_t random_below(__u64 *state, size_t limit)
{
	return random_next(state) % limit;
}

#endif /* RANDOM_H */
