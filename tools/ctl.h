/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of ivshmemctl share: the exit statuses, the table of
 * subcommands, and the helpers that more than one subcommand calls. A usage
 * error exits at once; any other failure is reported with fail(), whose value
 * the subcommand returns.
 */
#ifndef IVSHMEMCTL_CTL_H
#define IVSHMEMCTL_CTL_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ivshmem.h>

enum status {
	STATUS_DONE = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_TIMED_OUT = 3,
};

struct ctl;

/* One subcommand. operands and options are "" when there are none. */
struct command {
	const char *name;
	const char *operands;
	int nr_operands;
	const char *options;
	const char *summary;
	const char *help;
	int (*run)(struct ctl *ctl, int argc, char **argv);
};

extern const struct command list_command;
extern const struct command info_command;
extern const struct command peers_command;
extern const struct command read_command;
extern const struct command write_command;
extern const struct command hexdump_command;
extern const struct command ring_command;
extern const struct command wait_command;
extern const struct command channel_command;
extern const struct command stat_command;
extern const struct command doctor_command;

/* What the command line said so far. */
struct ctl {
	const struct command *command;	/* NULL before the subcommand */
	const char *device_name;	/* of -d, or NULL */
};

/* message.c */
int fail(const char *what, const char *why, ...)
	__attribute__((format(printf, 2, 3)));
int fail_output(void);
void usage_error(const struct ctl *ctl, const char *what, const char *why, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
int finish_output(void);

/* options.c */
enum { OPT_JSON = 256, OPT_COUNT, OPT_TIMEOUT, OPT_WATCH, OPT_AFTER, OPT_RING,
       OPT_RESOURCE2 };
#define COMMON_OPTIONS						\
	{ "device", required_argument, NULL, 'd' },		\
	{ "help", no_argument, NULL, 'h' },			\
	{ NULL, 0, NULL, 0 }

int next_option(struct ctl *ctl, int argc, char **argv, const char *shorts,
		const struct option *longs);
char **operands(struct ctl *ctl, int argc, char **argv);
bool parse_json_option(struct ctl *ctl, int argc, char **argv);

/* number.c: each exits with a usage error naming @what unless @text is good */
uint64_t parse_size(const struct ctl *ctl, const char *what, const char *text);
uint64_t parse_number(const struct ctl *ctl, const char *what,
		      const char *text, uint64_t max);
uint64_t parse_count(const struct ctl *ctl, const char *text);
int64_t parse_seconds_ns(const struct ctl *ctl, const char *what,
			 const char *text);

/* device.c */
const char *device_why(int error);
struct ivsh_device *open_device(const struct ctl *ctl, bool read_only);
int device_failed(const struct ivsh_device *device);
const char *flavour_name(bool doorbell);
const char *page_attr_name(enum ivsh_page_attr attr);

#endif /* IVSHMEMCTL_CTL_H */
