// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemctl channel: the directory of channels in a device's memory. This
 * file owns the command line, and the opening; channel_list.c shows what is
 * there, channel_copy.c sends and receives.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"

static const struct action {
	const char *name;
	bool named;			/* needs NAME */
	int (*run)(struct channel_args *args);
} actions[] = {
	{ "list", false, channel_list },
	{ "dump", false, channel_dump },
	{ "format", false, channel_format },
	{ "send", true, channel_send },
	{ "recv", true, channel_receive },
	{ "cat", true, channel_cat },
};

/* What errno says of a directory or a channel. */
const char *channel_why(int error)
{
	switch (error) {
	case EBADMSG:
		return "the memory holds something else or is damaged, 'ivshmemctl channel format' makes it new";
	case EBUSY:
		return "another one uses this end, and is alive; see --take-over";
	case EEXIST:
		return "the channel is one of slots of a fixed size";
	case ENODEV:
		return "the device is gone";
	case ENOENT:
		return "nobody has made a channel in this memory yet";
	case ENOSPC:
		return "no room is left in this memory, try a smaller --size; or it has 128 names, which is the most";
	case EPROTONOSUPPORT:
		return "the channels here are of a later version";
	case ESTALE:
		return "another one has taken this end over";
	}
	return strerror(error);
}

static void on_sigbus(int signal)
{
	static const char text[] = "ivshmemctl: channel: the device is gone\n";

	(void)signal;
	if (write(STDERR_FILENO, text, sizeof(text) - 1))
		_exit(STATUS_FAILED);
	_exit(STATUS_FAILED);
}

int channel_map(struct channel_args *args, bool read_only)
{
	args->device = open_device(args->ctl, read_only);
	if (!args->device)
		return STATUS_FAILED;
	args->region = ivsh_region_map(args->device, 0, 0,
				       read_only ? IVSH_READ_ONLY : 0);
	if (!args->region)
		return device_failed(args->device);
	signal(SIGBUS, on_sigbus);
	return STATUS_DONE;
}

/* Sleep in the kernel if the device has vectors, else poll. */
static int use_doorbell(struct channel_args *args)
{
	struct ivsh_info *info = ivsh_device_get_info(args->device);
	bool doorbell;

	if (!info)
		return device_failed(args->device);
	doorbell = ivsh_info_has_doorbell(info) && ivsh_info_nr_vectors(info);
	ivsh_info_free(info);
	if (!doorbell)
		return STATUS_DONE;
	args->vector = ivsh_vector_bind(args->device, args->vector_number);
	if (!args->vector && errno == EINVAL)
		return fail("--vector", "the device has fewer vectors, see 'ivshmemctl info'");
	if (!args->vector ||
	    ivsh_directory_use_doorbell(args->directory, args->device,
					args->vector))
		return device_failed(args->device);
	return STATUS_DONE;
}

/* The name is a good one: it is the size of the memory that is none. */
static int bad_size(const struct channel_args *args)
{
	const char *path = ivsh_device_path(args->device);
	size_t size = ivsh_region_size(args->region);

	if (size < CHANNEL_MEMORY_MIN)
		return fail(path, "%zu bytes of memory are too few for channels, 32K are the least",
			    size);
	return fail(path, "the directory in it says that it is larger than its %zu bytes, 'ivshmemctl channel format' makes it new",
		    size);
}

int channel_join(struct channel_args *args, const char *peer)
{
	unsigned int flags = args->take_over ? IVSH_TAKE_OVER : 0;

	if (channel_map(args, !peer))
		return STATUS_FAILED;
	args->directory = ivsh_directory_open(
		ivsh_region_address(args->region),
		ivsh_region_size(args->region), peer, flags);
	if (!args->directory && errno == EINVAL)
		return bad_size(args);
	if (!args->directory)
		return fail(ivsh_device_path(args->device), "%s",
			    channel_why(errno));
	return peer ? use_doorbell(args) : STATUS_DONE;
}

static void close_all(struct channel_args *args)
{
	ivsh_channel_close(args->channel);
	ivsh_directory_close(args->directory);
	ivsh_vector_unbind(args->vector);
	ivsh_region_unmap(args->region);
	ivsh_device_close(args->device);
}

int channel_format(struct channel_args *args)
{
	if (channel_map(args, false))
		return STATUS_FAILED;
	if (ivsh_directory_format(ivsh_region_address(args->region),
				  ivsh_region_size(args->region)))
		return bad_size(args);
	return STATUS_DONE;
}

/* --- the command line ---------------------------------------------------- */

static const struct action *find_action(struct ctl *ctl, const char *name)
{
	if (!name)
		usage_error(ctl, "channel", "needs %s", channel_command.operands);
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (!strcmp(actions[i].name, name))
			return &actions[i];
	usage_error(ctl, name, "no such action, there are list, dump, format, send, recv, cat");
}

static const char *parse_name(struct ctl *ctl, const char *name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789._:-";

	if (!*name || strlen(name) > CHANNEL_NAME_MAX ||
	    strspn(name, allowed) != strlen(name))
		usage_error(ctl, "NAME", "not 1 to %d of the characters A-Z a-z 0-9 . _ : -",
			    CHANNEL_NAME_MAX);
	return name;
}

static size_t parse_capacity(struct ctl *ctl, const char *text)
{
	uint64_t size = parse_size(ctl, "--size", text);

	if (size < 4096 || size > 1u << 30 || size & (size - 1))
		usage_error(ctl, "--size", "not a power of two from 4K to 1G");
	return (size_t)size;
}

enum { OPT_SIZE = 512, OPT_VECTOR, OPT_TAKE_OVER };

static const struct action *parse(struct channel_args *args, int argc,
				  char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, OPT_JSON },
		{ "size", required_argument, NULL, OPT_SIZE },
		{ "take-over", no_argument, NULL, OPT_TAKE_OVER },
		{ "vector", required_argument, NULL, OPT_VECTOR },
		COMMON_OPTIONS
	};
	struct ctl *ctl = args->ctl;
	const struct action *action;
	int option;

	while ((option = next_option(ctl, argc, argv, ":d:h", longs)) != -1) {
		if (option == OPT_JSON)
			args->json = true;
		else if (option == OPT_SIZE)
			args->capacity = parse_capacity(ctl, optarg);
		else if (option == OPT_TAKE_OVER)
			args->take_over = true;
		else
			args->vector_number = (uint32_t)parse_number(
				ctl, "--vector", optarg, IVSH_VECTOR_MAX);
	}
	action = find_action(ctl, argv[optind]);
	if (action->named && optind + 1 == argc)
		usage_error(ctl, action->name, "needs NAME");
	if (optind + 1 + action->named < argc)
		usage_error(ctl, argv[optind + 1 + action->named],
			    "unexpected argument");
	if (action->named)
		args->name = parse_name(ctl, argv[optind + 1]);
	return action;
}

static int run_channel(struct ctl *ctl, int argc, char **argv)
{
	struct channel_args args = { .ctl = ctl };
	const struct action *action = parse(&args, argc, argv);
	int status = action->run(&args);

	close_all(&args);
	return status;
}

const struct command channel_command = {
	.name = "channel",
	.operands = "ACTION [NAME]",
	.nr_operands = 1,
	.options = "[--size SIZE] [--vector N] [--take-over] [--json]",
	.summary = "Send and receive messages through shared memory",
	.help = "ACTION is one of\n"
		"  list         show the names in the memory, and who is alive\n"
		"  dump         show all that the directory says of them\n"
		"  format       zero all of the memory, for a new beginning\n"
		"  send NAME    send standard input through the channel\n"
		"  recv NAME    receive what one send sends, and check it\n"
		"  cat NAME     print what comes, until interrupted\n\n"
		"  --size SIZE      bytes that a new channel holds, a power of two\n"
		"  --vector N       the vector to be woken by, 0 if not given\n"
		"  --take-over      take the end from whoever has it\n"
		"  --json           list and dump: for programs\n",
	.run = run_channel,
};
