// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemctl's command line, as far as it needs no device: each usage error
 * with its whole message and status 2, the numbers that are accepted, --help
 * and --version, and the names of devices that are not there.
 */
#include "kselftest_harness.h"
#include "ctl_run.h"

FIXTURE(usage_error) {
	struct ctl_result result;
};

FIXTURE_VARIANT(usage_error) {
	const char *arguments;
	const char *message;
};

FIXTURE_SETUP(usage_error)
{
	ctl_run(&self->result, variant->arguments);
}

FIXTURE_TEARDOWN(usage_error)
{
}

/* The one line on standard error, nothing on standard output. */
TEST_F(usage_error, is_said_in_one_line_with_status_2)
{
	EXPECT_EQ(2, self->result.status);
	EXPECT_STREQ(variant->message, self->result.errors);
	EXPECT_STREQ("", self->result.output);
}

#define SEE(subcommand) "; see 'ivshmemctl " subcommand "--help'\n"
#define USAGE_ERROR(name, arguments_, message_)				\
	FIXTURE_VARIANT_ADD(usage_error, name)				\
	{								\
		.arguments = arguments_,				\
		.message = "ivshmemctl: " message_,			\
	};

USAGE_ERROR(no_subcommand, "",
	    "command line: no subcommand" SEE(""))
USAGE_ERROR(unknown_subcommand, "frob",
	    "frob: no such subcommand, there are list, info, peers, read, write, hexdump, ring, wait, channel, stat, doctor"
	    SEE(""))
USAGE_ERROR(empty_subcommand, "''",
	    ": no such subcommand, there are list, info, peers, read, write, hexdump, ring, wait, channel, stat, doctor"
	    SEE(""))
USAGE_ERROR(unknown_long_option, "--frob list",
	    "--frob: unknown option" SEE(""))
USAGE_ERROR(unknown_short_option, "-x list",
	    "-x: unknown option" SEE(""))
USAGE_ERROR(device_without_a_name, "-d",
	    "-d: needs a value" SEE(""))
USAGE_ERROR(value_for_version, "--version=1",
	    "--version=1: takes no value" SEE(""))
USAGE_ERROR(list_unknown_long_option, "list --frob",
	    "--frob: unknown option" SEE("list "))
USAGE_ERROR(list_unknown_short_option, "list -j",
	    "-j: unknown option" SEE("list "))
USAGE_ERROR(list_short_option_behind_a_long_one, "list --json -xh",
	    "-x: unknown option" SEE("list "))
USAGE_ERROR(list_value_for_json, "list --json=1",
	    "--json=1: takes no value" SEE("list "))
USAGE_ERROR(list_operand, "list 0",
	    "0: unexpected argument" SEE("list "))
USAGE_ERROR(list_device, "-d 0 list",
	    "-d: list shows every device" SEE("list "))
USAGE_ERROR(info_operand, "info 0",
	    "0: unexpected argument" SEE("info "))
USAGE_ERROR(info_device_without_a_name, "info --device",
	    "--device: needs a value" SEE("info "))
USAGE_ERROR(read_no_operands, "read",
	    "read: needs OFFSET LENGTH" SEE("read "))
USAGE_ERROR(read_no_length, "read 0",
	    "read: needs OFFSET LENGTH" SEE("read "))
USAGE_ERROR(read_third_operand, "read 0 1 2",
	    "2: unexpected argument" SEE("read "))
USAGE_ERROR(read_empty_offset, "read '' 1",
	    "OFFSET '': not a number" SEE("read "))
USAGE_ERROR(read_negative_offset, "read -1 1",
	    "-1: a number must not be negative" SEE("read "))
USAGE_ERROR(read_negative_offset_behind_dashes, "read -- -1 1",
	    "OFFSET '-1': not a number" SEE("read "))
USAGE_ERROR(read_signed_offset, "read +1 1",
	    "OFFSET '+1': not a number" SEE("read "))
USAGE_ERROR(read_offset_behind_a_space, "read ' 1' 1",
	    "OFFSET ' 1': not a number" SEE("read "))
USAGE_ERROR(read_junk_offset, "read zero 1",
	    "OFFSET 'zero': not a number" SEE("read "))
USAGE_ERROR(read_hex_prefix_alone, "read 0x 1",
	    "OFFSET '0x': not a number with at most one of K, M, G behind it"
	    SEE("read "))
USAGE_ERROR(read_negative_hex, "read 0x-1 1",
	    "OFFSET '0x-1': not a number with at most one of K, M, G behind it"
	    SEE("read "))
USAGE_ERROR(read_hex_without_prefix, "read ff 1",
	    "OFFSET 'ff': not a number" SEE("read "))
USAGE_ERROR(read_two_units, "read 1KK 1",
	    "OFFSET '1KK': not a number with at most one of K, M, G behind it"
	    SEE("read "))
USAGE_ERROR(read_unknown_unit, "read 1T 1",
	    "OFFSET '1T': not a number with at most one of K, M, G behind it"
	    SEE("read "))
USAGE_ERROR(read_unit_alone, "read K 1",
	    "OFFSET 'K': not a number" SEE("read "))
USAGE_ERROR(read_fraction, "read 0.5K 1",
	    "OFFSET '0.5K': not a number with at most one of K, M, G behind it"
	    SEE("read "))
USAGE_ERROR(read_offset_above_64_bits, "read 18446744073709551616 1",
	    "OFFSET '18446744073709551616': too large" SEE("read "))
USAGE_ERROR(read_hex_offset_above_64_bits, "read 0x10000000000000000 1",
	    "OFFSET '0x10000000000000000': too large" SEE("read "))
USAGE_ERROR(read_offset_above_64_bits_by_its_unit, "read 0x400000000G 1",
	    "OFFSET '0x400000000G': too large" SEE("read "))
USAGE_ERROR(read_junk_length, "read 0 all",
	    "LENGTH 'all': not a number" SEE("read "))
USAGE_ERROR(hexdump_no_length, "hexdump 0",
	    "hexdump: needs OFFSET LENGTH" SEE("hexdump "))
USAGE_ERROR(hexdump_junk_length, "hexdump 0 1kB",
	    "LENGTH '1kB': not a number with at most one of K, M, G behind it"
	    SEE("hexdump "))
USAGE_ERROR(write_no_offset, "write",
	    "write: needs OFFSET" SEE("write "))
USAGE_ERROR(write_second_operand, "write 0 1",
	    "1: unexpected argument" SEE("write "))
USAGE_ERROR(write_junk_offset, "write x",
	    "OFFSET 'x': not a number" SEE("write "))
USAGE_ERROR(ring_no_vector, "ring 0",
	    "ring: needs PEER VECTOR" SEE("ring "))
USAGE_ERROR(ring_peer_65536, "ring 65536 0",
	    "PEER '65536': at most 65535" SEE("ring "))
USAGE_ERROR(ring_peer_above_64_bits, "ring 99999999999999999999 0",
	    "PEER '99999999999999999999': too large" SEE("ring "))
USAGE_ERROR(ring_peer_with_a_unit, "ring 1K 0",
	    "PEER '1K': not a number" SEE("ring "))
USAGE_ERROR(ring_negative_peer, "ring -1 0",
	    "-1: a number must not be negative" SEE("ring "))
USAGE_ERROR(ring_vector_256, "ring 0 256",
	    "VECTOR '256': at most 255" SEE("ring "))
USAGE_ERROR(ring_count_0, "ring 0 0 --count 0",
	    "--count '0': at least 1" SEE("ring "))
USAGE_ERROR(ring_negative_count, "ring 0 0 --count -1",
	    "--count '-1': not a number" SEE("ring "))
USAGE_ERROR(ring_count_without_a_number, "ring 0 0 --count",
	    "--count: needs a value" SEE("ring "))
USAGE_ERROR(ring_timeout, "ring 0 0 --timeout 1",
	    "--timeout: unknown option" SEE("ring "))
USAGE_ERROR(wait_no_vector, "wait",
	    "wait: needs VECTOR" SEE("wait "))
USAGE_ERROR(wait_vector_256, "wait 256",
	    "VECTOR '256': at most 255" SEE("wait "))
USAGE_ERROR(wait_count_0, "wait 0 --count 0",
	    "--count '0': at least 1" SEE("wait "))
USAGE_ERROR(wait_junk_timeout, "wait 0 --timeout soon",
	    "--timeout 'soon': not a number of seconds" SEE("wait "))
USAGE_ERROR(wait_empty_timeout, "wait 0 --timeout ''",
	    "--timeout '': not a number of seconds" SEE("wait "))
USAGE_ERROR(wait_negative_timeout, "wait 0 --timeout -1",
	    "--timeout '-1': not a number of seconds" SEE("wait "))
USAGE_ERROR(wait_timeout_with_two_points, "wait 0 --timeout 1.2.3",
	    "--timeout '1.2.3': not a number of seconds" SEE("wait "))
USAGE_ERROR(wait_timeout_of_a_point_alone, "wait 0 --timeout .",
	    "--timeout '.': not a number of seconds" SEE("wait "))
USAGE_ERROR(wait_endless_timeout, "wait 0 --timeout inf",
	    "--timeout 'inf': not a number of seconds" SEE("wait "))
USAGE_ERROR(wait_timeout_above_63_bits_of_nanoseconds,
	    "wait 0 --timeout 9223372037",
	    "--timeout '9223372037': too large" SEE("wait "))

/*
 * Good arguments get as far as to the device, which is not there: status 1.
 */
FIXTURE(without_device) {
	struct ctl_result result;
};

FIXTURE_VARIANT(without_device) {
	const char *arguments;
	const char *message;
};

FIXTURE_SETUP(without_device)
{
	ctl_run(&self->result, variant->arguments);
}

FIXTURE_TEARDOWN(without_device)
{
}

TEST_F(without_device, is_said_in_one_line_with_status_1)
{
	EXPECT_EQ(1, self->result.status);
	EXPECT_STREQ(variant->message, self->result.errors);
	EXPECT_STREQ("", self->result.output);
}

#define NO_DEVICE(name, arguments_, message_)				\
	FIXTURE_VARIANT_ADD(without_device, name)			\
	{								\
		.arguments = arguments_,				\
		.message = "ivshmemctl: " message_ "\n",		\
	};
#define ABSENT ": no such device, see 'ivshmemctl list'"
#define NO_NAME ": not a node, an index or a PCI address, nor unix:, shm: or file:"

NO_DEVICE(socket, "-d unix:/absent info",
	  "unix:/absent: no such socket or memory")
NO_DEVICE(shared_memory, "-d shm:/ivshmem-absent read 0 1",
	  "shm:/ivshmem-absent: no such socket or memory")
NO_DEVICE(index, "-d 4711 info", "4711" ABSENT)
NO_DEVICE(node, "-d /dev/ivshmem4711 info", "/dev/ivshmem4711" ABSENT)
NO_DEVICE(pci_address, "-d ffff:ff:1f.7 info", "ffff:ff:1f.7" ABSENT)
NO_DEVICE(short_pci_address, "-d ff:1f.7 info", "ff:1f.7" ABSENT)
NO_DEVICE(node_of_another_driver, "-d /dev/null info",
	  "/dev/null: not an ivshmem device, nor memory")
NO_DEVICE(name_of_a_directory, "-d / read 0 1", "/: not an ivshmem device, nor memory")
NO_DEVICE(name_of_letters, "-d what info", "what" NO_NAME)
NO_DEVICE(empty_name, "-d '' info", NO_NAME)
NO_DEVICE(negative_index, "-d -1 info", "-1" NO_NAME)
NO_DEVICE(slot_out_of_range, "-d 00:20.0 info", "00:20.0" NO_NAME)
NO_DEVICE(name_behind_the_subcommand, "info -d what", "what" NO_NAME)
NO_DEVICE(last_of_two_names, "-d 0 info --device=what", "what" NO_NAME)
NO_DEVICE(info_as_json, "-d 4711 info --json", "4711" ABSENT)
NO_DEVICE(read, "-d 4711 read 0 4096", "4711" ABSENT)
NO_DEVICE(read_in_hexadecimal, "-d 4711 read 0xfF 0X10", "4711" ABSENT)
NO_DEVICE(read_with_units, "-d 4711 read 1K 1M", "4711" ABSENT)
NO_DEVICE(read_with_small_units, "-d 4711 read 1k 1g", "4711" ABSENT)
NO_DEVICE(read_hexadecimal_with_a_unit, "-d 4711 read 0x10K 1",
	  "4711" ABSENT)
NO_DEVICE(read_decimal_with_leading_zeros, "-d 4711 read 0089 1",
	  "4711" ABSENT)
NO_DEVICE(read_the_largest_offset, "-d 4711 read 18446744073709551615 1",
	  "4711" ABSENT)
NO_DEVICE(read_the_largest_offset_with_a_unit, "-d 4711 read 0x3ffffffffG 1",
	  "4711" ABSENT)
NO_DEVICE(hexdump, "-d 4711 hexdump 0 16", "4711" ABSENT)
NO_DEVICE(write, "-d 4711 write 0", "4711" ABSENT)
NO_DEVICE(ring_the_last_vector_of_the_last_peer,
	  "-d 4711 ring 65535 255 --count 2", "4711" ABSENT)
NO_DEVICE(ring_with_the_option_first, "-d 4711 ring --count 2 0 0",
	  "4711" ABSENT)
NO_DEVICE(wait_the_last_vector, "-d 4711 wait 255", "4711" ABSENT)
NO_DEVICE(wait_for_0_seconds, "-d 4711 wait 0 --timeout 0", "4711" ABSENT)
NO_DEVICE(wait_for_a_fraction, "-d 4711 wait 0 --timeout 1.5", "4711" ABSENT)
NO_DEVICE(wait_for_the_longest_time, "-d 4711 wait 0 --timeout 9223372035",
	  "4711" ABSENT)

FIXTURE(help) {
	struct ctl_result result;
};

FIXTURE_VARIANT(help) {
	const char *arguments;
	const char *usage;
};

FIXTURE_SETUP(help)
{
	ctl_run(&self->result, variant->arguments);
}

FIXTURE_TEARDOWN(help)
{
}

TEST_F(help, begins_with_the_usage_and_is_no_error)
{
	EXPECT_EQ(0, self->result.status);
	EXPECT_STREQ("", self->result.errors);
	EXPECT_EQ(0, strncmp(self->result.output, variant->usage,
			     strlen(variant->usage)))
		TH_LOG("%s", self->result.output);
}

#define HELP(name, arguments_, usage_)					\
	FIXTURE_VARIANT_ADD(help, name)					\
	{								\
		.arguments = arguments_,				\
		.usage = "Usage: ivshmemctl [-d DEVICE] " usage_ "\n",	\
	};

HELP(ivshmemctl, "--help", "SUBCOMMAND [ARGUMENT...]")
HELP(ivshmemctl_short, "-h", "SUBCOMMAND [ARGUMENT...]")
HELP(list, "list --help", "list [--json]")
HELP(info, "info --help", "info [--json]")
HELP(read, "read --help", "read OFFSET LENGTH")
HELP(write, "write --help", "write OFFSET")
HELP(hexdump, "hexdump --help", "hexdump OFFSET LENGTH")
HELP(ring, "ring --help", "ring PEER VECTOR [--count N]")
HELP(wait, "wait --help",
     "wait VECTOR [--timeout SECONDS] [--count N] [--after N]")
HELP(wait_short, "-d 0 wait 0 -h",
     "wait VECTOR [--timeout SECONDS] [--count N] [--after N]")

TEST(help_names_every_subcommand)
{
	static const char *const names[] = {
		"list", "info", "read", "write", "hexdump", "ring", "wait",
	};
	struct ctl_result result;
	char line[32];

	ctl_run(&result, "--help");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(line, sizeof(line), "\n  %s ", names[i]);
		EXPECT_NE(NULL, strstr(result.output, line))
			TH_LOG("%s is missing", names[i]);
	}
}

TEST(help_lines_fit_into_80_columns)
{
	struct ctl_result result;

	ctl_run(&result, "--help");
	for (char *line = strtok(result.output, "\n"); line;
	     line = strtok(NULL, "\n")) {
		EXPECT_GE(80, strlen(line))
			TH_LOG("%s", line);
	}
}

TEST(version_is_the_version_of_the_project)
{
	struct ctl_result result;

	ctl_run(&result, "--version");
	EXPECT_EQ(0, result.status);
	EXPECT_STREQ("ivshmemctl " IVSHMEM_VERSION "\n", result.output);
	EXPECT_STREQ("", result.errors);
}

TEST(full_disk_is_an_error)
{
	struct ctl_result result;

	ctl_run(&result, "--help > /dev/full");
	EXPECT_EQ(1, result.status);
	EXPECT_STREQ("ivshmemctl: standard output: No space left on device\n",
		     result.errors);
}

TEST(closed_pipe_is_an_error)
{
	struct ctl_result result;
	int ends[2];
	char command[64];

	ASSERT_EQ(0, pipe(ends));
	close(ends[0]);
	snprintf(command, sizeof(command), "--help >&%d", ends[1]);
	ctl_run(&result, command);
	EXPECT_EQ(1, result.status);
	EXPECT_STREQ("ivshmemctl: standard output: Broken pipe\n",
		     result.errors);
}

TEST(closed_output_is_an_error)
{
	struct ctl_result result;

	ctl_run(&result, "--version >&-");
	EXPECT_EQ(1, result.status);
	EXPECT_STREQ("ivshmemctl: standard output: Bad file descriptor\n",
		     result.errors);
}

/* Nor does a file that is opened later take its place. */
TEST(closed_input_and_errors_change_no_status)
{
	struct ctl_result result;

	ctl_run(&result, "-d 4711 write 0 <&- 2>&-");
	EXPECT_EQ(1, result.status);
	EXPECT_STREQ("", result.errors);
}

TEST_HARNESS_MAIN
