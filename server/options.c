// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * options: the command line, with the letters of QEMU's ivshmem-server and a
 * long name for each. Called once by main.c.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "server.h"

#define DEFAULT_SOCKET "/tmp/ivshmem_socket"
#define DEFAULT_SIZE (4ULL << 20)
#define MAX_VECTORS 256
/* QEMU has 1024 descriptors by default, and needs some for itself. */
#define DEFAULT_BUDGET 900
#define MAX_BUDGET 1000000
#define DEFAULT_STALL_TIMEOUT_S 30
#define EXIT_USAGE 2

enum { OPT_VERSION = 256, OPT_BUDGET, OPT_SPARSE, OPT_STALL_TIMEOUT };

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "verbose", no_argument, NULL, 'v' },
	{ "foreground", no_argument, NULL, 'F' },
	{ "pidfile", required_argument, NULL, 'p' },
	{ "socket", required_argument, NULL, 'S' },
	{ "shm-name", required_argument, NULL, 'M' },
	{ "memory", required_argument, NULL, 'm' },
	{ "size", required_argument, NULL, 'l' },
	{ "vectors", required_argument, NULL, 'n' },
	{ "budget", required_argument, NULL, OPT_BUDGET },
	{ "sparse", no_argument, NULL, OPT_SPARSE },
	{ "stall-timeout", required_argument, NULL, OPT_STALL_TIMEOUT },
	{ 0 }
};

static const char help[] =
	"Usage: ivshmemd [OPTION]...\n"
	"Serve ivshmem-doorbell devices: shared memory, and rings between peers.\n"
	"\n"
	"  -S, --socket PATH        listen there [" DEFAULT_SOCKET "]\n"
	"  -l, --size SIZE          bytes of shared memory, with K, M, G or T [4M];\n"
	"                           rounded up to a power of two\n"
	"  -n, --vectors N          vectors of each peer, 0 to 256 [1]: at least the\n"
	"                           largest vectors= of the devices\n"
	"  -M, --shm-name NAME      memory: a POSIX shared memory object\n"
	"  -m, --memory DIR|NAME    memory: a nameless file in a directory (hugetlbfs),\n"
	"                           or a shared memory object; without -M and -m a\n"
	"                           sealed memfd\n"
	"      --sparse             give the memory pages when they are first used\n"
	"      --budget N           eventfds that one peer can hold: vectors times\n"
	"                           peers stays below [900]\n"
	"      --stall-timeout S    disconnect a peer that reads nothing so long [30]\n"
	"  -F, --foreground         do not become a daemon\n"
	"  -p, --pidfile FILE       write the daemon's process ID there [nowhere]\n"
	"  -v, --verbose            log joins and leaves\n"
	"  -h, --help\n"
	"      --version\n";

static _Noreturn void usage_error(const char *what, const char *value,
				  const char *why)
{
	log_error("%s%s%s: %s (see ivshmemd --help)", what, value ? " " : "",
		  value ? value : "", why);
	exit(EXIT_USAGE);
}

static unsigned int parse_number(const char *option, const char *text,
				 unsigned int min, unsigned int max)
{
	char why[64];
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 0);
	if (!*text || *end || strchr(text, '-') || errno || number < min ||
	    number > max) {
		snprintf(why, sizeof(why), "must be a number from %u to %u",
			 min, max);
		usage_error(option, text, why);
	}
	return (unsigned int)number;
}

static int suffix_shift(char suffix)
{
	static const char suffixes[] = "BKMGT";
	const char *at;

	if (!suffix)
		return 0;
	if (suffix >= 'a')
		suffix -= 'a' - 'A';
	at = strchr(suffixes, suffix);
	return at ? (int)(at - suffixes) * 10 : -1;
}

/* 4194304, 0x400000, 4096K, 4M, 1.5G. Exact: a double holds 53 bits. */
static uint64_t parse_size(const char *text)
{
	const char *why = "must be a size such as 4194304, 0x400000, 4M or 1.5G, up to 4194304T";
	char *end;
	long double number;
	int shift;

	number = strtold(text, &end);
	shift = end == text ? -1 : suffix_shift(*end);
	if (shift < 0 || (*end && end[1]) || strpbrk(text, "-iInNpP") ||
	    !(number > 0))
		usage_error("-l", text, why);
	number = ldexpl(number, shift);
	if (number > 0x1p62L)
		usage_error("-l", text, why);
	return number < 1 ? 1 : (uint64_t)number;
}

/* A directory, or as in QEMU's documentation the name of a memory object. */
static void set_memory(struct options *options, const char *text)
{
	struct stat stat_buf;

	options->memory_dir = NULL;
	options->shm_name = NULL;
	if (!stat(text, &stat_buf) && S_ISDIR(stat_buf.st_mode))
		options->memory_dir = text;
	else if (text[0] && !strchr(text + 1, '/'))
		options->shm_name = text;
	else
		usage_error("-m", text, "neither a directory nor a shared memory name");
}

static void set_shm_name(struct options *options, const char *text)
{
	if (!text[0] || !strcmp(text, "/") || strchr(text + 1, '/'))
		usage_error("-M", text, "must be a name without a slash inside");
	options->shm_name = text;
	options->memory_dir = NULL;
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
	case 'S':
		options->socket_path = optarg;
		break;
	case 'M':
		set_shm_name(options, optarg);
		break;
	case 'm':
		set_memory(options, optarg);
		break;
	case 'l':
		options->size = parse_size(optarg);
		break;
	case 'n':
		options->nr_vectors = parse_number("-n", optarg, 0,
						   MAX_VECTORS);
		break;
	case OPT_BUDGET:
		options->budget = parse_number("--budget", optarg, 1,
					       MAX_BUDGET);
		break;
	case OPT_STALL_TIMEOUT:
		options->stall_timeout_s = parse_number("--stall-timeout",
							optarg, 1, 86400);
		break;
	case OPT_SPARSE:
		options->sparse = true;
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

void options_parse(struct options *options, int argc, char **argv)
{
	int option;

	*options = (struct options) {
		.socket_path = DEFAULT_SOCKET,
		.size = DEFAULT_SIZE,
		.nr_vectors = 1,
		.budget = DEFAULT_BUDGET,
		.stall_timeout_s = DEFAULT_STALL_TIMEOUT_S,
	};
	while ((option = getopt_long(argc, argv, ":hvFp:S:M:m:l:n:",
				     long_options, NULL)) != -1)
		parse_option(options, option, argv);
	if (optind < argc)
		usage_error(argv[optind], NULL, "not an option");
	if (options->nr_vectors > options->budget)
		usage_error("-n", NULL, "more vectors than --budget allows one peer");
}
