// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemctl: look at, read, write, ring and wait for an ivshmem device from
 * the command line. This file owns main(): the options before the subcommand,
 * and the table of subcommands, each of which has a file of its own.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

static const struct command *const commands[] = {
	&list_command,
	&info_command,
	&peers_command,
	&read_command,
	&write_command,
	&hexdump_command,
	&ring_command,
	&wait_command,
	&channel_command,
	&stat_command,
	&doctor_command,
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int print_program_help(void)
{
	char usage[64];

	puts("Usage: ivshmemctl [-d DEVICE] SUBCOMMAND [ARGUMENT...]\n\n"
	     "Look at, read, write, ring and wait for an ivshmem device.\n\n"
	     "Subcommands:");
	for (size_t i = 0; i < NR_COMMANDS; i++) {
		snprintf(usage, sizeof(usage), "%s %s", commands[i]->name,
			 commands[i]->operands);
		printf("  %-24s%s\n", usage, commands[i]->summary);
	}
	puts("\nOptions:\n"
	     "  -d, --device DEVICE     a node (/dev/ivshmem0), an index (0) or a PCI\n"
	     "                          address (0000:00:04.0); the only device when\n"
	     "                          left out; on the host a server's socket\n"
	     "                          (unix:/run/ivshmem.sock) or memory (shm:/name,\n"
	     "                          file:/path)\n"
	     "  -h, --help              this text; also after a subcommand\n"
	     "  -V, --version           the version\n\n"
	     "Exit status: 0 done, 1 failed, 2 usage, 3 timed out.");
	return finish_output();
}

static int print_version(void)
{
	puts("ivshmemctl " IVSHMEM_VERSION);
	return finish_output();
}

static void __attribute__((noreturn))
unknown_command(const struct ctl *ctl, const char *name)
{
	char names[128] = "";

	for (size_t i = 0; i < NR_COMMANDS; i++) {
		strcat(names, i ? ", " : "");
		strcat(names, commands[i]->name);
	}
	usage_error(ctl, name, "no such subcommand, there are %s", names);
}

static const struct command *find_command(const struct ctl *ctl,
					  const char *name)
{
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	unknown_command(ctl, name);
}

static int run_command(struct ctl *ctl, int argc, char **argv)
{
	int status;

	ctl->command = find_command(ctl, argv[0]);
	optind = 0;
	status = ctl->command->run(ctl, argc, argv);
	return status == STATUS_DONE ? finish_output() : status;
}

/*
 * Else the device would become standard input or output, where the caller
 * closed it. Open for the wrong direction: to use it is EBADF, as before.
 */
static void fill_closed_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", fd == STDIN_FILENO ? O_WRONLY :
							       O_RDONLY);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "version", no_argument, NULL, 'V' },
		COMMON_OPTIONS
	};
	struct ctl ctl = { 0 };

	fill_closed_files();
	/* A closed pipe is an error to report, not a reason to die. */
	signal(SIGPIPE, SIG_IGN);

	switch (next_option(&ctl, argc, argv, "+:d:hV", longs)) {
	case 'h':
		return print_program_help();
	case 'V':
		return print_version();
	}
	if (optind == argc)
		usage_error(&ctl, "command line", "no subcommand");
	return run_command(&ctl, argc - optind, argv + optind);
}
