// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemctl ring: ring a vector of a peer.
 */
#include "ctl.h"

static int ring(struct ivsh_device *device, uint32_t peer, uint32_t vector,
		uint64_t count)
{
	while (count--)
		if (ivsh_device_ring(device, peer, vector))
			return device_failed(device);
	return STATUS_DONE;
}

static int run_ring(struct ctl *ctl, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "count", required_argument, NULL, OPT_COUNT },
		COMMON_OPTIONS
	};
	struct ivsh_device *device;
	uint32_t peer, vector;
	uint64_t count = 1;
	char **operand;
	int status;

	while (next_option(ctl, argc, argv, ":d:h", longs) != -1)
		count = parse_count(ctl, optarg);
	operand = operands(ctl, argc, argv);
	peer = (uint32_t)parse_number(ctl, "PEER", operand[0], IVSH_PEER_MAX);
	vector = (uint32_t)parse_number(ctl, "VECTOR", operand[1],
					IVSH_VECTOR_MAX);
	device = open_device(ctl, false);
	if (!device)
		return STATUS_FAILED;
	status = ring(device, peer, vector, count);
	ivsh_device_close(device);
	return status;
}

const struct command ring_command = {
	.name = "ring",
	.operands = "PEER VECTOR",
	.nr_operands = 2,
	.options = "[--count N]",
	.summary = "Ring a vector of a peer",
	.help = "PEER is the peer's own ID, VECTOR 0 to 255. A ring to a peer or vector that is\n"
		"not there is dropped by the device, which does not tell.\n\n"
		"  --count N    ring N times; the peer may see fewer interrupts\n",
	.run = run_ring,
};
