// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemctl stat: what the vectors of a device have counted.
 */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "ctl.h"
#include "table.h"

enum { VECTOR, FIRED, DELIVERED, SUPPRESSED, BACKOFFS };

static const struct column columns[] = {
	[VECTOR] = { "vector", true },
	[FIRED] = { "fired", true },
	[DELIVERED] = { "delivered", true },
	[SUPPRESSED] = { "suppressed", true },
	[BACKOFFS] = { "backoffs", true },
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	interrupted = signal;
}

/* Between two tables; if one cannot be printed, a second signal kills. */
static void end_when_interrupted(void)
{
	struct sigaction action = {
		.sa_handler = on_signal,
		.sa_flags = SA_RESTART | SA_RESETHAND,
	};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static void print_stats(const struct ivsh_stats *stats, bool json, bool watch)
{
	struct table *table = table_new("stat", columns,
					sizeof(columns) / sizeof(columns[0]),
					json);

	for (uint32_t i = 0; i < ivsh_stats_nr_vectors(stats); i++) {
		table_add_row(table);
		table_set_number(table, VECTOR, i);
		table_set_number(table, FIRED, ivsh_stats_fired(stats, i));
		table_set_number(table, DELIVERED,
				 ivsh_stats_delivered(stats, i));
		table_set_number(table, SUPPRESSED,
				 ivsh_stats_suppressed(stats, i));
		table_set_number(table, BACKOFFS,
				 ivsh_stats_backoffs(stats, i));
	}
	if (json && watch)
		table_print_json_line(table);
	else
		table_print(table);
	table_free(table);
}

static int print_once(struct ivsh_device *device, bool json, bool watch)
{
	struct ivsh_stats *stats = ivsh_device_get_stats(device);

	if (!stats && errno == EOPNOTSUPP)
		return fail(ivsh_device_path(device),
			    "only in a guest: the driver counts, and a peer on the host has none");
	if (!stats)
		return device_failed(device);
	print_stats(stats, json, watch);
	ivsh_stats_free(stats);
	return finish_output();
}

static int stat_device(struct ivsh_device *device, bool json, bool watch)
{
	const struct timespec second = { .tv_sec = 1 };
	int status;

	if (watch)
		end_when_interrupted();
	while (!(status = print_once(device, json, watch)) && watch &&
	       !interrupted)
		nanosleep(&second, NULL);
	return status;
}

static int run_stat(struct ctl *ctl, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, OPT_JSON },
		{ "watch", no_argument, NULL, OPT_WATCH },
		COMMON_OPTIONS
	};
	bool json = false, watch = false;
	struct ivsh_device *device;
	int option, status;

	while ((option = next_option(ctl, argc, argv, ":d:h", longs)) != -1) {
		json |= option == OPT_JSON;
		watch |= option == OPT_WATCH;
	}
	operands(ctl, argc, argv);
	device = open_device(ctl, true);
	if (!device)
		return STATUS_FAILED;
	status = stat_device(device, json, watch);
	ivsh_device_close(device);
	return status;
}

const struct command stat_command = {
	.name = "stat",
	.operands = "",
	.options = "[--json] [--watch]",
	.summary = "Show what the vectors have counted",
	.help = "Since the driver bound the device, for all programs: interrupts; programs that\n"
		"were told of them; interrupts that a program masked; times that the vector was\n"
		"switched off for 10 ms, as it fired too fast. A plain device has no vectors.\n\n"
		"  --json     as JSON, with --watch an object in each line\n"
		"  --watch    again each second, until interrupted or the device goes\n",
	.run = run_stat,
};
