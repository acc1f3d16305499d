// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wake: wait for a ring, or ring.
 *
 *     in one guest:  wake              says its own ID, then waits on vector 0
 *     in another:    wake PEER         rings vector 0 of the peer with that ID
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <ivshmem.h>

static int ring(struct ivsh_device *device, const char *peer)
{
	return ivsh_device_ring(device, (uint32_t)strtoul(peer, NULL, 0), 0);
}

static int wait_for_a_ring(struct ivsh_device *device)
{
	struct ivsh_info *info = ivsh_device_get_info(device);
	struct ivsh_vector *vector = ivsh_vector_bind(device, 0);

	if (!info || !vector)
		return -1;
	/* From the bind on no ring is lost: now peers may be told. */
	printf("my own ID is %" PRIu32 "\n", ivsh_info_own_id(info));
	fflush(stdout);
	if (ivsh_vector_wait(vector, -1, NULL))
		return -1;
	puts("woken");
	ivsh_vector_unbind(vector);
	ivsh_info_free(info);
	return 0;
}

int main(int argc, char **argv)
{
	struct ivsh_device *device = ivsh_device_open(NULL);

	if (!device || (argc > 1 ? ring(device, argv[1]) : wait_for_a_ring(device)))
		return perror("wake"), 1;
	ivsh_device_close(device);
	return 0;
}
