// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hostile memory. With libFuzzer (make -C selftests fuzz) the input is the
 * memory and a list of calls, and a second thread changes words meanwhile; as a
 * test of its own a random generator makes the inputs, IVSHMEM_FUZZ of them.
 * Whatever comes: no access outside the memory, and every call comes back.
 */
#include <pthread.h>
#include <stdio.h>

#include "channel_memory.h"

#define SIZE 65536u

static unsigned char *memory;		/* with a page before and behind it
					 * that cannot be touched */
static volatile bool hostile;

static void make_memory(void)
{
	unsigned char *all = mmap(NULL, SIZE + 8192, PROT_NONE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	memory = all + 4096;
	if (all == MAP_FAILED || mprotect(memory, SIZE, PROT_READ | PROT_WRITE))
		abort();
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* The words that matter: of the directory, and of the first channel. */
static ivsh_word *any_word(uint64_t random)
{
	static const unsigned int starts[] = {
		0, 0x400, 0x1000, 0x5000, 0x5080, 0x5200, 0x6000,
	};

	return (ivsh_word *)(memory + starts[random % 7] +
			     (random >> 8) % 16 * 8);
}

static void change_a_word(uint64_t *state)
{
	uint64_t random = next_random(state);
	ivsh_word *word = any_word(random);
	uint64_t value = word_load(word);

	switch (random >> 32 & 3) {
	case 0:
		value = next_random(state);
		break;
	case 1:
		value += (random >> 40 & 0xff) << 19;
		break;
	case 2:
		value ^= 1ull << (random >> 40 & 63);
		break;
	case 3:
		value = 0;
	}
	word_store(word, value);
}

static void *mutate(void *unused)
{
	uint64_t state = 88172645463325252;

	(void)unused;
	for (;;) {
		if (hostile)
			change_a_word(&state);
		else
			sched_yield();
	}
	return NULL;
}

static void use(struct ivsh_channel *channel, unsigned int what)
{
	static unsigned char buffer[9000];
	size_t length;
	const unsigned char *place;
	struct iovec many[4] = {
		{ buffer, 64 }, { buffer, 1000 }, { buffer, 8 }, { buffer, 0 },
	};

	switch (what % 10) {
	case 0:
		ivsh_channel_send(channel, buffer, what * 8 % 9000, 0);
		break;
	case 1:
		ivsh_channel_receive(channel, buffer, sizeof(buffer), &length, 0);
		break;
	case 2:
		place = ivsh_channel_peek(channel, &length);
		for (size_t i = 0; place && i < length; i++)
			buffer[i % sizeof(buffer)] ^= place[i];
		break;
	case 3:
		ivsh_channel_release(channel);
		break;
	case 4:
		place = ivsh_channel_reserve(channel, what * 8);
		if (place)
			memset((void *)place, 'x', what * 8);
		break;
	case 5:
		ivsh_channel_commit(channel, what * 8);
		break;
	case 6:
		ivsh_channel_flush(channel);
		break;
	case 7:
		ivsh_channel_wait(channel, 0);
		break;
	case 8:
		ivsh_channel_send_many(channel, many, 4, 0, &length);
		break;
	case 9:
		ivsh_channel_receive_many(channel, many, 4, 0, &length);
	}
}

static void look(struct ivsh_directory *directory)
{
	for (size_t i = ivsh_directory_count(directory); i-- > 0;) {
		struct ivsh_entry *entry = ivsh_directory_get_entry(directory, i);

		if (entry && strlen(ivsh_entry_name(entry)) > IVSH_NAME_MAX)
			abort();
		ivsh_entry_free(entry);
	}
}

/* The segment is all that it says it is. */
static void use_segment(struct ivsh_directory *directory)
{
	size_t size = 4096;
	volatile unsigned char *segment =
		ivsh_directory_segment(directory, "s", &size);

	if (segment)
		segment[size - 1] = segment[0];
}

static void run(const unsigned char *calls, size_t count)
{
	struct ivsh_directory *directory = ivsh_directory_open(
		memory, SIZE, "a", IVSH_TAKE_OVER);
	struct ivsh_channel *end[2] = { NULL, NULL };

	if (!directory)
		return;
	for (size_t i = 0; i < count; i++) {
		unsigned int which = calls[i] & 1, flags = calls[i] >> 1 & 3;

		if (!end[which])
			end[which] = ivsh_channel_open(
				directory, "c", which, 4096,
				calls[0] & 64 ? 64 : 0, flags);
		else if (calls[i] < 250)
			use(end[which], calls[i] >> 1);
		else {
			ivsh_channel_close(end[which]);
			end[which] = NULL;
		}
	}
	look(directory);
	use_segment(directory);
	ivsh_channel_close(end[0]);
	ivsh_channel_close(end[1]);
	ivsh_directory_close(directory);
}

/* Inputs: a byte of how, words to put into fresh memory, calls. */
static void prepare(const unsigned char **data, size_t *size)
{
	static pthread_t thread;

	if (!memory) {
		make_memory();
		pthread_create(&thread, NULL, mutate, NULL);
	}
	memset(memory, 0, 0x7100);
	if ((*data)[0] & 1)
		run((const unsigned char *)"\100\101\102\103", 4);
	for (unsigned int n = (*data)[0] >> 4; n && *size > 10; n--) {
		uint64_t value, where = (*data)[1] * 257u;

		memcpy(&value, *data + 2, 8);
		word_store(any_word(where), value);
		*data += 9;
		*size -= 9;
	}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	if (size < 3)
		return 0;
	hostile = false;
	prepare(&data, &size);
	hostile = data[0] & 2;
	run(data + 1, size - 1);
	hostile = false;
	return 0;
}

#ifndef LIBFUZZER
int main(void)
{
	const char *wanted = getenv("IVSHMEM_FUZZ");
	unsigned long runs = wanted ? strtoul(wanted, NULL, 10) : 20000;
	unsigned char input[256];
	uint64_t state = 1;

	printf("TAP version 13\n1..1\n");
	fflush(stdout);
	for (unsigned long i = 0; i < runs; i++) {
		size_t size = 3 + next_random(&state) % 253;

		for (size_t at = 0; at < size; at++)
			input[at] = (unsigned char)next_random(&state);
		LLVMFuzzerTestOneInput(input, size);
	}
	printf("# %lu inputs\nok 1 hostile_memory_is_survived\n", runs);
	return 0;
}
#endif
