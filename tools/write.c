// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemctl write: standard input to shared memory, all or nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "range.h"

struct input {
	unsigned char *bytes;
	size_t length;
	size_t size;
};

static int input_failed(void)
{
	return fail("standard input", "%s", strerror(errno));
}

static int input_grow(struct input *input)
{
	size_t size = input->size ? input->size * 2 : CHUNK_SIZE;
	unsigned char *bytes = realloc(input->bytes, size);

	if (!bytes)
		return input_failed();
	input->bytes = bytes;
	input->size = size;
	return STATUS_DONE;
}

/* Read to the end, or until it is longer than fits. */
static int read_input(struct input *input, uint64_t fits)
{
	errno = 0;
	while (!feof(stdin) && input->length <= fits) {
		if (input->length == input->size && input_grow(input))
			return STATUS_FAILED;
		input->length += fread(input->bytes + input->length, 1,
				       input->size - input->length, stdin);
		if (ferror(stdin))
			return input_failed();
	}
	if (input->length <= fits)
		return STATUS_DONE;
	return fail("standard input",
		    "more than the %" PRIu64 " bytes from the offset to the end of the shared memory; nothing was written",
		    fits);
}

static int copy_input(const struct range *range, const struct input *input)
{
	size_t length;

	for (size_t at = 0; at < input->length; at += length) {
		length = chunk_size(at, input->length);
		if (range_copy_in(range, at, input->bytes + at, length))
			return STATUS_FAILED;
		show_progress(at + length, input->length);
	}
	return STATUS_DONE;
}

static int write_input(struct range *range, uint64_t offset,
		       struct input *input)
{
	int status;

	/* Said before anything is read: an offset outside needs no input. */
	status = range_map(range, offset, 0, false);
	if (!status)
		status = read_input(input, range->shmem_size - offset);
	if (!status)
		status = range_map(range, offset, input->length, false);
	if (!status)
		status = copy_input(range, input);
	return status;
}

static int run_write(struct ctl *ctl, int argc, char **argv)
{
	static const struct option longs[] = { COMMON_OPTIONS };
	struct input input = { 0 };
	struct range range;
	uint64_t offset;
	int status;

	next_option(ctl, argc, argv, ":d:h", longs);
	offset = parse_size(ctl, "OFFSET", *operands(ctl, argc, argv));
	if (range_open(&range, ctl, false))
		return STATUS_FAILED;
	status = write_input(&range, offset, &input);
	free(input.bytes);
	range_close(&range);
	return status;
}

const struct command write_command = {
	.name = "write",
	.operands = "OFFSET",
	.nr_operands = 1,
	.options = "",
	.summary = "Copy standard input to shared memory",
	.help = "OFFSET is in bytes, decimal or 0x hexadecimal, with K, M or G if wanted. All\n"
		"or nothing: input that ends beyond the memory is refused before a byte is\n"
		"written.\n",
	.run = run_write,
};
