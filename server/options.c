// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * options: the command line, with the letters of QEMU's ivshmem-server and a
 * long name for each. Called once by main.c; value.c reads the values.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "server.h"

#define DEFAULT_SIZE (4ULL << 20)
#define MAX_VECTORS 256
/* QEMU has 1024 descriptors by default, and needs some for itself. */
#define DEFAULT_BUDGET 900
#define MAX_BUDGET 1000000
#define DEFAULT_STALL_TIMEOUT_S 30

enum {
	OPT_VERSION = 256, OPT_BUDGET, OPT_SPARSE, OPT_STALL_TIMEOUT,
	OPT_ALLOW_UID, OPT_ALLOW_GID, OPT_MAX_PER_UID, OPT_SOCKET_MODE,
	OPT_SOCKET_GROUP, OPT_ANNOUNCE_LEAVE, OPT_HUGETLB, OPT_KEEPER,
};

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "verbose", no_argument, NULL, 'v' },
	{ "foreground", no_argument, NULL, 'F' },
	{ "pidfile", required_argument, NULL, 'p' },
	{ "socket", required_argument, NULL, 'S' },
	{ "socket-mode", required_argument, NULL, OPT_SOCKET_MODE },
	{ "socket-group", required_argument, NULL, OPT_SOCKET_GROUP },
	{ "shm-name", required_argument, NULL, 'M' },
	{ "memory", required_argument, NULL, 'm' },
	{ "hugetlb", optional_argument, NULL, OPT_HUGETLB },
	{ "size", required_argument, NULL, 'l' },
	{ "vectors", required_argument, NULL, 'n' },
	{ "budget", required_argument, NULL, OPT_BUDGET },
	{ "max-per-uid", required_argument, NULL, OPT_MAX_PER_UID },
	{ "allow-uid", required_argument, NULL, OPT_ALLOW_UID },
	{ "allow-gid", required_argument, NULL, OPT_ALLOW_GID },
	{ "announce-leave", required_argument, NULL, OPT_ANNOUNCE_LEAVE },
	{ "keeper", no_argument, NULL, OPT_KEEPER },
	{ "sparse", no_argument, NULL, OPT_SPARSE },
	{ "stall-timeout", required_argument, NULL, OPT_STALL_TIMEOUT },
	{ 0 }
};

static const char help[] =
	"Usage: ivshmemd [OPTION]...\n"
	"       ivshmemd status [--json] [-S PATH]\n"
	"       ivshmemd kick ID [-S PATH]\n"
	"Serve ivshmem-doorbell devices: shared memory, and rings between peers.\n"
	"\n"
	"  -S, --socket PATH        listen there [" DEFAULT_SOCKET "]\n"
	"      --socket-mode MODE   who may connect: write bits [0660]\n"
	"      --socket-group GROUP the socket's group [ours]\n"
	"  -l, --size SIZE          bytes of shared memory, with K, M, G or T [4M];\n"
	"                           rounded up to a power of two\n"
	"  -n, --vectors N          vectors of each peer, 0 to 256 [1]: at least the\n"
	"                           largest vectors= of the devices\n"
	"  -M, --shm-name NAME      memory: a POSIX shared memory object\n"
	"  -m, --memory DIR|NAME    memory: a nameless file in a directory (hugetlbfs),\n"
	"                           or a shared memory object; without -M and -m a\n"
	"                           sealed memfd\n"
	"      --hugetlb[=SIZE]     memory: a sealed memfd of huge pages (2M, 1G)\n"
	"      --sparse             give the memory pages when they are first used\n"
	"      --budget N           eventfds that one peer can hold: vectors times\n"
	"                           peers stays below [900]\n"
	"      --max-per-uid N      peers that one user may have [no limit]\n"
	"      --allow-uid USER     only peers of this user, or of others named so\n"
	"      --allow-gid GROUP    only peers in this group, or in others named so\n"
	"      --announce-leave yes|no\n"
	"                           tell peers that one has left [yes]; no for fleets\n"
	"                           that unplug devices\n"
	"      --stall-timeout S    disconnect a peer that reads nothing so long [30]\n"
	"      --keeper             restart a killed server without the peers noticing\n"
	"  -F, --foreground         do not become a daemon\n"
	"  -p, --pidfile FILE       write the daemon's process ID there [nowhere]\n"
	"  -v, --verbose            log joins and leaves\n"
	"  -h, --help\n"
	"      --version\n";

/* As shm_open(3) wants it: a slash may only come first. */
static bool is_shm_name(const char *text)
{
	const char *name = text + (text[0] == '/');

	return *name && !strchr(name, '/') && strcmp(name, ".") &&
	       strcmp(name, "..");
}

/* A directory, or as in QEMU's documentation the name of a memory object. */
static void set_memory(struct options *options, const char *text)
{
	struct stat stat_buf;

	options->memory_dir = NULL;
	options->shm_name = NULL;
	if (!stat(text, &stat_buf) && S_ISDIR(stat_buf.st_mode))
		options->memory_dir = text;
	else if (is_shm_name(text))
		options->shm_name = text;
	else
		usage_error("-m", text, "neither a directory nor a shared memory name");
}

static void set_shm_name(struct options *options, const char *text)
{
	if (!is_shm_name(text))
		usage_error("-M", text, "must be a name without a slash inside");
	options->shm_name = text;
	options->memory_dir = NULL;
}

/* The page's size goes into six bits of memfd_create(), as a power of two. */
static void set_hugetlb(struct options *options, const char *text)
{
	options->hugetlb = true;
	options->huge_page_size = text ? value_size("--hugetlb", text) : 0;
	if (options->huge_page_size & (options->huge_page_size - 1))
		usage_error("--hugetlb", text, "must be a power of two such as 2M");
}

static void allow(struct allowed *allowed, unsigned int id, const char *option)
{
	if (allowed->nr == MAX_ALLOWED)
		usage_error(option, NULL, "too many of them");
	allowed->id[allowed->nr++] = id;
}

/* What getopt_long() says itself begins with a path, and is no line of ours. */
static _Noreturn void unknown_option(char **argv)
{
	char letter[] = { '-', (char)optopt, '\0' };

	if (strncmp(argv[optind - 1], "--", 2))
		usage_error(letter, NULL, "unknown option");
	usage_error(argv[optind - 1], NULL,
		    optopt ? "takes no argument" : "unknown option");
}

static bool parse_limit(struct options *options, int option)
{
	struct limits *limits = &options->limits;

	switch (option) {
	case OPT_BUDGET:
		limits->budget = value_number("--budget", optarg, 1, MAX_BUDGET);
		return true;
	case OPT_MAX_PER_UID:
		limits->max_per_uid = value_number("--max-per-uid", optarg, 1,
						   MAX_BUDGET);
		return true;
	case OPT_ALLOW_UID:
		allow(&limits->uids, value_user("--allow-uid", optarg),
		      "--allow-uid");
		return true;
	case OPT_ALLOW_GID:
		allow(&limits->gids, value_group("--allow-gid", optarg),
		      "--allow-gid");
		return true;
	case OPT_STALL_TIMEOUT:
		limits->stall_timeout_s = value_number("--stall-timeout", optarg,
						       1, 86400);
		return true;
	default:
		return false;
	}
}

static bool parse_memory(struct options *options, int option)
{
	switch (option) {
	case 'M':
		set_shm_name(options, optarg);
		return true;
	case 'm':
		set_memory(options, optarg);
		return true;
	case 'l':
		options->size = value_size("-l", optarg);
		return true;
	case OPT_HUGETLB:
		set_hugetlb(options, optarg);
		return true;
	case OPT_SPARSE:
		options->sparse = true;
		return true;
	default:
		return false;
	}
}

static bool parse_socket(struct options *options, int option)
{
	switch (option) {
	case 'S':
		if (!*optarg)
			usage_error("-S", optarg, "must be the path of a socket");
		options->socket_path = optarg;
		return true;
	case OPT_SOCKET_MODE:
		options->socket_mode = value_mode("--socket-mode", optarg);
		return true;
	case OPT_SOCKET_GROUP:
		options->socket_group = value_group("--socket-group", optarg);
		return true;
	default:
		return false;
	}
}

static void parse_option(struct options *options, int option, char **argv)
{
	switch (option) {
	case 'v':
		options->verbose = true;
		break;
	case 'F':
		options->foreground = true;
		break;
	case 'p':
		options->pid_file = optarg;
		break;
	case 'n':
		options->nr_vectors = value_number("-n", optarg, 0, MAX_VECTORS);
		break;
	case OPT_ANNOUNCE_LEAVE:
		options->announce_leave = value_yes("--announce-leave", optarg);
		break;
	case OPT_KEEPER:
		options->keeper = true;
		break;
	case OPT_VERSION:
		puts("ivshmemd " IVSHMEM_VERSION);
		exit(EXIT_SUCCESS);
	case 'h':
		fputs(help, stdout);
		exit(EXIT_SUCCESS);
	case ':':
		usage_error(argv[optind - 1], NULL, "argument missing");
	default:
		unknown_option(argv);
	}
}

static void check_together(const struct options *options)
{
	if (options->nr_vectors > options->limits.budget)
		usage_error("-n", NULL, "more vectors than --budget allows one peer");
	if (options->hugetlb && (options->shm_name || options->memory_dir))
		usage_error("--hugetlb", NULL, "not together with -M or -m: huge pages in a directory are -m alone");
	/* As QEMU's server; scripts that pass both go on working. */
	if (options->foreground && options->pid_file)
		log_notice("-p %s: not written in the foreground",
			   options->pid_file);
}

void options_parse(struct options *options, int argc, char **argv)
{
	int option;

	*options = (struct options) {
		.socket_path = DEFAULT_SOCKET,
		.socket_mode = 0660,
		.socket_group = (gid_t)-1,
		.size = DEFAULT_SIZE,
		.nr_vectors = 1,
		.announce_leave = true,
		.limits.budget = DEFAULT_BUDGET,
		.limits.stall_timeout_s = DEFAULT_STALL_TIMEOUT_S,
	};
	while ((option = getopt_long(argc, argv, ":hvFp:S:M:m:l:n:",
				     long_options, NULL)) != -1) {
		if (!parse_limit(options, option) &&
		    !parse_memory(options, option) &&
		    !parse_socket(options, option))
			parse_option(options, option, argv);
	}
	if (optind < argc)
		usage_error(argv[optind], NULL, "not an option");
	check_together(options);
}
