// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * megabyte: a host process and a guest exchange a megabyte, checksummed.
 *
 *     on the host:   megabyte ask unix:/run/ivshmem.sock PEER
 *     in the guest:  megabyte answer [DEVICE]
 *
 * PEER is the guest's own ID. The same program runs on both sides, and between
 * two guests too: only the name of the device differs. The asker sends random
 * bytes, 64 KiB at a time; the answerer adds one to each and sends them back.
 *
 * Each side counts up a word of its own in the memory, then rings. A ring says
 * only "look": what happened is read from the words, each once, and checked.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <ivshmem.h>

#define CHUNK 65536
#define CHUNKS 16
#define VECTOR 0
/* Looks at the memory again after so long, should a ring come too early. */
#define LOOK_NS 1000000000LL
#define LOOKS 60

struct shared {
	_Atomic uint32_t asker;		/* its own ID */
	_Atomic uint32_t asked;		/* chunks */
	char apart[120];
	_Atomic uint32_t answered;
	char page[4096 - 132];
	unsigned char question[CHUNK], answer[CHUNK];
};

static void __attribute__((noreturn)) die(const char *what)
{
	perror(what);
	exit(1);
}

static uint32_t own_id(struct ivsh_device *device)
{
	struct ivsh_info *info = ivsh_device_get_info(device);
	uint32_t id;

	if (!info)
		die("info");
	id = ivsh_info_own_id(info);
	ivsh_info_free(info);
	return id;
}

/* Sleep until the other side's word is at round. */
static void await(struct ivsh_vector *vector, _Atomic uint32_t *word,
		  uint32_t round)
{
	for (int i = 0; atomic_load(word) != round; i++)
		if (i == LOOKS ||
		    (ivsh_vector_wait(vector, LOOK_NS, NULL) &&
		     ivsh_vector_clear(vector, NULL)))
			die("wait");
}

/* FNV-1a, on from where sum is. */
static uint64_t checksum(uint64_t sum, const unsigned char *bytes)
{
	for (size_t i = 0; i < CHUNK; i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3;
	return sum;
}

static void add_one(unsigned char *bytes)
{
	for (size_t i = 0; i < CHUNK; i++)
		bytes[i]++;
}

static int ask(struct ivsh_device *device, struct shared *shared,
	       struct ivsh_vector *vector, uint32_t peer)
{
	uint64_t wanted = 0xcbf29ce484222325, got = wanted;
	static unsigned char chunk[CHUNK];

	atomic_store(&shared->answered, 0);
	atomic_store(&shared->asker, own_id(device));
	for (uint32_t round = 1; round <= CHUNKS; round++) {
		for (size_t at = 0; at < CHUNK; at += 256)
			if (getrandom(chunk + at, 256, 0) != 256)
				die("random");
		memcpy(shared->question, chunk, CHUNK);
		atomic_store(&shared->asked, round);
		if (ivsh_device_ring(device, peer, VECTOR))
			die("ring");
		add_one(chunk);
		wanted = checksum(wanted, chunk);
		await(vector, &shared->answered, round);
		memcpy(chunk, shared->answer, CHUNK);
		got = checksum(got, chunk);
	}
	printf("%d bytes there and back, checksum %016" PRIx64 ", %s\n",
	       CHUNK * CHUNKS, got, got == wanted ? "the same" : "NOT the same");
	return got != wanted;
}

static int answer(struct ivsh_device *device, struct shared *shared,
		  struct ivsh_vector *vector)
{
	static unsigned char chunk[CHUNK];

	for (uint32_t round = 1; round <= CHUNKS; round++) {
		await(vector, &shared->asked, round);
		/* Into memory of our own: the peer may write meanwhile. */
		memcpy(chunk, shared->question, CHUNK);
		add_one(chunk);
		memcpy(shared->answer, chunk, CHUNK);
		atomic_store(&shared->answered, round);
		if (ivsh_device_ring(device, atomic_load(&shared->asker),
				     VECTOR))
			die("ring");
	}
	return 0;
}

int main(int argc, char **argv)
{
	bool asks = argc == 4 && !strcmp(argv[1], "ask");
	struct ivsh_device *device;
	struct ivsh_region *region;
	struct ivsh_vector *vector;
	int status;

	if (!asks && (argc < 2 || argc > 3 || strcmp(argv[1], "answer"))) {
		fputs("usage: megabyte ask DEVICE PEER | answer [DEVICE]\n",
		      stderr);
		return 2;
	}
	device = ivsh_device_open(argc > 2 ? argv[2] : NULL);
	if (!device)
		die("open");
	region = ivsh_region_map(device, 0, sizeof(struct shared), 0);
	if (!region)
		die("map");
	vector = ivsh_vector_bind(device, VECTOR);
	if (!vector)
		die("bind");
	if (asks)
		status = ask(device, ivsh_region_address(region), vector,
			     (uint32_t)strtoul(argv[3], NULL, 0));
	else
		status = answer(device, ivsh_region_address(region), vector);
	ivsh_vector_unbind(vector);
	ivsh_region_unmap(region);
	ivsh_device_close(device);
	return status;
}
