// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command line of a subcommand: getopt_long with our messages, the options
 * that all subcommands have (-d and --help), and the check of the operands.
 * Called by main.c and by each subcommand.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl.h"

static void print_help(const struct command *command)
{
	printf("Usage: ivshmemctl [-d DEVICE] %s%s%s%s%s\n\n%s.\n",
	       command->name, *command->operands ? " " : "", command->operands,
	       *command->options ? " " : "", command->options,
	       command->summary);
	if (*command->help)
		printf("\n%s", command->help);
	puts("\nDEVICE is a node (/dev/ivshmem0), an index (0) or a PCI address\n"
	     "(0000:00:04.0); without -d it is the only device there is. On the host it is a\n"
	     "server's socket (unix:/run/ivshmem.sock) or memory (shm:/name, file:/path).");
}

static bool is_long_value(const struct option *longs, int value)
{
	for (; longs->name; longs++)
		if (longs->val == value)
			return true;
	return false;
}

/* getopt_long() returned '?': an unknown option, or a value too many. */
static void __attribute__((noreturn))
bad_option(const struct ctl *ctl, char **argv, const struct option *longs)
{
	char name[3] = { '-', (char)optopt, '\0' };

	if (optopt == 0)
		usage_error(ctl, argv[optind - 1], "unknown option");
	if (is_long_value(longs, optopt))
		usage_error(ctl, argv[optind - 1], "takes no value");
	if (isdigit(optopt))
		usage_error(ctl, name, "a number must not be negative");
	usage_error(ctl, name, "unknown option");
}

/*
 * getopt_long() with -d and --help done here; @shorts begins with ":" or "+:".
 * Returns an option of the caller's, or -1 at the end.
 */
int next_option(struct ctl *ctl, int argc, char **argv, const char *shorts,
		const struct option *longs)
{
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, shorts, longs, NULL)) == 'd')
		ctl->device_name = optarg;
	if (option == '?')
		bad_option(ctl, argv, longs);
	if (option == ':')
		usage_error(ctl, argv[optind - 1], "needs a value");
	if (option == 'h' && ctl->command) {
		print_help(ctl->command);
		exit(finish_output());
	}
	return option;
}

/* Returns what follows the options: as many as the subcommand wants. */
char **operands(struct ctl *ctl, int argc, char **argv)
{
	const struct command *command = ctl->command;
	int given = argc - optind;

	if (given < command->nr_operands)
		usage_error(ctl, command->name, "needs %s", command->operands);
	if (given > command->nr_operands)
		usage_error(ctl, argv[optind + command->nr_operands],
			    "unexpected argument");
	return argv + optind;
}

/* The whole command line of a subcommand that knows only --json. */
bool parse_json_option(struct ctl *ctl, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, OPT_JSON },
		COMMON_OPTIONS
	};
	bool json = false;

	while (next_option(ctl, argc, argv, ":d:h", longs) != -1)
		json = true;
	operands(ctl, argc, argv);
	return json;
}
