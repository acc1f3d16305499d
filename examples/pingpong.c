// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pingpong: how long a ring to a peer and its answer take.
 *
 *     in one guest:       pingpong answer PEER [ROUNDS]
 *     then in the other:  pingpong ask PEER [ROUNDS]
 *
 * PEER is the other one's own ID. The memory holds one counter for each side.
 * A ring says only "look": what happened is read from the counters, since
 * rings coalesce, and may come before anyone listens.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ivshmem.h>

#define TIMEOUT_NS (30 * 1000000000LL)
#define VECTOR 0

struct side {
	struct ivsh_device *device;
	struct ivsh_region *region;
	struct ivsh_vector *vector;
	_Atomic uint32_t *mine, *theirs;
	uint32_t peer;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void open_side(struct side *side, bool asks)
{
	_Atomic uint32_t *counters;

	side->device = ivsh_device_open(NULL);
	if (!side->device)
		die("open");
	side->region = ivsh_region_map(side->device, 0, 4096, 0);
	if (!side->region)
		die("map");
	side->vector = ivsh_vector_bind(side->device, VECTOR);
	if (!side->vector)
		die("bind");
	/* 64 bytes apart: each side writes a cache line of its own. */
	counters = ivsh_region_address(side->region);
	side->mine = counters + (asks ? 0 : 16);
	side->theirs = counters + (asks ? 16 : 0);
}

/* Count my counter up to round, and tell the peer to look. */
static void tell(struct side *side, uint32_t round)
{
	atomic_store(side->mine, round);
	if (ivsh_device_ring(side->device, side->peer, VECTOR))
		die("ring");
}

/* Sleep until the peer's counter is at round. */
static void await(struct side *side, uint32_t round)
{
	while (atomic_load(side->theirs) != round)
		if (ivsh_vector_wait(side->vector, TIMEOUT_NS, NULL))
			die("wait");
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void ask(struct side *side, uint32_t rounds)
{
	uint64_t start, took, sum = 0, least = UINT64_MAX;

	for (uint32_t round = 1; round <= rounds; round++) {
		start = now_ns();
		tell(side, round);
		await(side, round);
		took = now_ns() - start;
		sum += took;
		if (took < least)
			least = took;
	}
	printf("%" PRIu32 " round trips: least %" PRIu64 " us, mean %" PRIu64 " us\n",
	       rounds, least / 1000, sum / rounds / 1000);
}

static void answer(struct side *side, uint32_t rounds)
{
	atomic_store(side->mine, 0);
	atomic_store(side->theirs, 0);
	puts("ready");
	fflush(stdout);
	for (uint32_t round = 1; round <= rounds; round++) {
		await(side, round);
		tell(side, round);
	}
}

int main(int argc, char **argv)
{
	bool asks = argc > 2 && !strcmp(argv[1], "ask");
	struct side side = { 0 };
	uint32_t rounds = 1000;

	if (argc < 3 || (!asks && strcmp(argv[1], "answer"))) {
		fputs("usage: pingpong ask|answer PEER [ROUNDS]\n", stderr);
		return 2;
	}
	side.peer = (uint32_t)strtoul(argv[2], NULL, 0);
	if (argc > 3)
		rounds = (uint32_t)strtoul(argv[3], NULL, 0);
	open_side(&side, asks);
	if (asks)
		ask(&side, rounds);
	else
		answer(&side, rounds);
	ivsh_vector_unbind(side.vector);
	ivsh_region_unmap(side.region);
	ivsh_device_close(side.device);
	return 0;
}
