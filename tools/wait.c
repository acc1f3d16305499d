// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemctl wait: wait until a vector fires.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "ctl.h"

#define NS_PER_SECOND 1000000000LL

struct wait {
	uint32_t vector;
	uint64_t count;
	int64_t timeout_ns;	/* -1 for ever */
	bool has_after;
	uint64_t after;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

/* What is left of the timeout, at least 0. */
static int64_t left_ns(int64_t timeout_ns, int64_t start_ns)
{
	int64_t spent = now_ns() - start_ns;

	if (timeout_ns < 0)
		return -1;
	return timeout_ns > spent ? timeout_ns - spent : 0;
}

static int timed_out(const struct ivsh_vector *vector, uint64_t seen,
		     uint64_t count)
{
	char what[32];

	snprintf(what, sizeof(what), "vector %" PRIu32,
		 ivsh_vector_number(vector));
	fail(what, "timed out, fired %" PRIu64 " of %" PRIu64 " times", seen,
	     count);
	return STATUS_TIMED_OUT;
}

static int say_fired(const struct ivsh_vector *vector, uint64_t fired)
{
	printf("vector %" PRIu32 " fired %" PRIu64 "\n",
	       ivsh_vector_number(vector), fired);
	return finish_output();
}

/*
 * What fired before we waited, if the caller says from where he counts. The
 * vector is bound already, so nothing is missed; and cleared first, so that
 * nothing is counted twice but what fires just now.
 */
static int look_back(struct ivsh_device *device, struct ivsh_vector *vector,
		     const struct wait *wait, uint64_t *seen)
{
	struct ivsh_stats *stats;
	uint64_t fired;

	if (ivsh_vector_clear(vector, NULL))
		return device_failed(device);
	stats = ivsh_device_get_stats(device);
	if (!stats)
		return device_failed(device);
	fired = ivsh_stats_fired(stats, wait->vector);
	ivsh_stats_free(stats);
	if (fired <= wait->after)
		return STATUS_DONE;
	*seen = fired - wait->after;
	return say_fired(vector, *seen);
}

static int wait_for_count(struct ivsh_device *device,
			  struct ivsh_vector *vector, const struct wait *wait)
{
	int64_t start = now_ns();
	uint64_t seen = 0, fired;

	if (wait->has_after && look_back(device, vector, wait, &seen))
		return STATUS_FAILED;
	while (seen < wait->count) {
		if (ivsh_vector_wait(vector, left_ns(wait->timeout_ns, start),
				     &fired)) {
			if (errno == EINTR)	/* stopped and continued */
				continue;
			return errno == ETIMEDOUT ?
			       timed_out(vector, seen, wait->count) :
			       device_failed(device);
		}
		seen += fired;
		if (say_fired(vector, fired))
			return STATUS_FAILED;
	}
	return STATUS_DONE;
}

static int bind_failed(struct ivsh_device *device, uint32_t number)
{
	char what[32];

	if (errno != EINVAL)
		return device_failed(device);
	snprintf(what, sizeof(what), "vector %" PRIu32, number);
	return fail(what, "the device has fewer vectors, see 'ivshmemctl info'");
}

static int wait_on_device(struct ivsh_device *device, const struct wait *wait)
{
	struct ivsh_vector *vector = ivsh_vector_bind(device, wait->vector);
	int status;

	if (!vector)
		return bind_failed(device, wait->vector);
	status = wait_for_count(device, vector, wait);
	ivsh_vector_unbind(vector);
	return status;
}

static struct wait parse_wait(struct ctl *ctl, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "count", required_argument, NULL, OPT_COUNT },
		{ "timeout", required_argument, NULL, OPT_TIMEOUT },
		{ "after", required_argument, NULL, OPT_AFTER },
		COMMON_OPTIONS
	};
	struct wait wait = { .count = 1, .timeout_ns = -1 };
	int option;

	while ((option = next_option(ctl, argc, argv, ":d:h", longs)) != -1) {
		if (option == OPT_COUNT)
			wait.count = parse_count(ctl, optarg);
		else if (option == OPT_TIMEOUT)
			wait.timeout_ns = parse_seconds_ns(ctl, "--timeout",
							   optarg);
		else
			wait.after = parse_number(ctl, "--after", optarg,
						  UINT64_MAX);
		wait.has_after |= option == OPT_AFTER;
	}
	wait.vector = (uint32_t)parse_number(ctl, "VECTOR",
					     *operands(ctl, argc, argv),
					     IVSH_VECTOR_MAX);
	return wait;
}

static int run_wait(struct ctl *ctl, int argc, char **argv)
{
	struct wait wait = parse_wait(ctl, argc, argv);
	struct ivsh_device *device = open_device(ctl, true);
	int status;

	if (!device)
		return STATUS_FAILED;
	status = wait_on_device(device, &wait);
	ivsh_device_close(device);
	return status;
}

const struct command wait_command = {
	.name = "wait",
	.operands = "VECTOR",
	.nr_operands = 1,
	.options = "[--timeout SECONDS] [--count N] [--after N]",
	.summary = "Wait until a vector fires",
	.help = "Prints 'vector V fired N' for each time that it wakes. Rings coalesce: one\n"
		"interrupt may stand for several. A ring before the wait is not seen, unless\n"
		"--after says since when.\n\n"
		"  --timeout SECONDS    give up after that, 1.5 or so: exit status 3\n"
		"  --count N            wait for N interrupts in all\n"
		"  --after N            count from when it had fired N times, see stat: then no\n"
		"                       ring between two waits is missed\n",
	.run = run_wait,
};
