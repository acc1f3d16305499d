// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemctl peers: who is connected to the server of a host peer.
 */
#include <errno.h>

#include "ctl.h"
#include "table.h"

/* A server does not say which peer is the last one: then it falls silent. */
#define SILENCE_NS 250000000

enum { PEER, NR_VECTORS };

static const struct column columns[] = {
	[PEER] = { "peer", true },
	[NR_VECTORS] = { "nr_vectors", true },
};

/* By ID, 0 for those that are not there. */
static uint32_t nr_vectors[IVSH_PEER_MAX + 1];

static int learn_peers(struct ivsh_device *device)
{
	struct ivsh_peer_event *event;

	while ((event = ivsh_device_wait_peer_event(device, SILENCE_NS))) {
		if (ivsh_peer_event_type(event) != IVSH_SERVER_LOST)
			nr_vectors[ivsh_peer_event_peer(event)] =
				ivsh_peer_event_nr_vectors(event);
		ivsh_peer_event_free(event);
	}
	if (errno == EOPNOTSUPP)
		return fail(ivsh_device_path(device),
			    "knows of no peers, only a server does (-d unix:/path)");
	return errno == ETIMEDOUT ? STATUS_DONE : device_failed(device);
}

static void print_peers(bool json)
{
	struct table *table = table_new("peers", columns,
					sizeof(columns) / sizeof(columns[0]),
					json);

	for (uint32_t peer = 0; peer <= IVSH_PEER_MAX; peer++) {
		if (!nr_vectors[peer])
			continue;
		table_add_row(table);
		table_set_number(table, PEER, peer);
		table_set_number(table, NR_VECTORS, nr_vectors[peer]);
	}
	table_print(table);
	table_free(table);
}

static int run_peers(struct ctl *ctl, int argc, char **argv)
{
	bool json = parse_json_option(ctl, argc, argv);
	struct ivsh_device *device = open_device(ctl, true);
	int status;

	if (!device)
		return STATUS_FAILED;
	status = learn_peers(device);
	if (!status)
		print_peers(json);
	ivsh_device_close(device);
	return status;
}

const struct command peers_command = {
	.name = "peers",
	.operands = "",
	.options = "[--json]",
	.summary = "Show who else is on the server",
	.help = "On the host only, with -d unix:/path: no guest knows of its peers. The command\n"
		"is a peer itself, which is not shown.\n\n"
		"  --json    as JSON\n",
	.run = run_peers,
};
