// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemctl read and hexdump: shared memory to standard output, as it is or
 * for people. Both go over the range a chunk at a time, from a private copy.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "range.h"

#define LINE 16

typedef int (*print_chunk)(uint64_t offset, const unsigned char *bytes,
			   size_t length);

static int print_raw(uint64_t offset, const unsigned char *bytes,
		     size_t length)
{
	(void)offset;
	if (fwrite(bytes, 1, length, stdout) != length)
		return fail_output();
	return STATUS_DONE;
}

static void print_line(uint64_t offset, const unsigned char *bytes,
		       size_t length)
{
	printf("%08" PRIx64, offset);
	for (size_t i = 0; i < LINE; i++) {
		printf(i % 8 ? " " : "  ");
		printf(i < length ? "%02x" : "  ", i < length ? bytes[i] : 0);
	}
	printf("  |");
	for (size_t i = 0; i < length; i++)
		putchar(isprint(bytes[i]) ? bytes[i] : '.');
	puts("|");
}

/* As hexdump -C: "*" stands for all the lines that repeat the one before. */
static void print_line_once(uint64_t offset, const unsigned char *bytes,
			    size_t length)
{
	static unsigned char last[LINE];
	static enum { NONE, PRINTED, STARRED } state;

	if (state == NONE || length < LINE || memcmp(last, bytes, LINE)) {
		print_line(offset, bytes, length);
		memcpy(last, bytes, length);
		state = PRINTED;
	} else if (state == PRINTED) {
		puts("*");
		state = STARRED;
	}
}

static int print_hex(uint64_t offset, const unsigned char *bytes,
		     size_t length)
{
	for (size_t i = 0; i < length; i += LINE)
		print_line_once(offset + i, bytes + i,
				length - i < LINE ? length - i : LINE);
	return ferror(stdout) ? fail_output() : STATUS_DONE;
}

static int print_range(const struct range *range, uint64_t offset,
		       print_chunk print)
{
	static unsigned char chunk[CHUNK_SIZE];
	uint64_t at, length;
	int status;

	for (at = 0; at < range->length; at += length) {
		length = chunk_size(at, range->length);
		status = range_copy_out(range, at, chunk, length);
		if (!status)
			status = print(offset + at, chunk, length);
		if (status)
			return status;
		if (print == print_raw)
			show_progress(at + length, range->length);
	}
	if (print == print_hex)
		printf("%08" PRIx64 "\n", offset + range->length);
	return STATUS_DONE;
}

static int run(struct ctl *ctl, int argc, char **argv, print_chunk print)
{
	static const struct option longs[] = { COMMON_OPTIONS };
	struct range range;
	uint64_t offset, length;
	char **operand;
	int status;

	next_option(ctl, argc, argv, ":d:h", longs);
	operand = operands(ctl, argc, argv);
	offset = parse_size(ctl, "OFFSET", operand[0]);
	length = parse_size(ctl, "LENGTH", operand[1]);
	if (range_open(&range, ctl, true))
		return STATUS_FAILED;
	status = range_map(&range, offset, length, true);
	if (!status)
		status = print_range(&range, offset, print);
	range_close(&range);
	return status;
}

static int run_read(struct ctl *ctl, int argc, char **argv)
{
	return run(ctl, argc, argv, print_raw);
}

static int run_hexdump(struct ctl *ctl, int argc, char **argv)
{
	return run(ctl, argc, argv, print_hex);
}

#define RANGE_HELP							\
	"OFFSET and LENGTH are bytes, decimal or 0x hexadecimal, with K, M or G if\n" \
	"wanted. Nothing is printed when the range ends beyond the memory.\n"

const struct command read_command = {
	.name = "read",
	.operands = "OFFSET LENGTH",
	.nr_operands = 2,
	.options = "",
	.summary = "Copy shared memory to standard output",
	.help = RANGE_HELP,
	.run = run_read,
};

const struct command hexdump_command = {
	.name = "hexdump",
	.operands = "OFFSET LENGTH",
	.nr_operands = 2,
	.options = "",
	.summary = "Show shared memory in hexadecimal",
	.help = RANGE_HELP "A * stands for lines that repeat the one before.\n",
	.run = run_hexdump,
};
