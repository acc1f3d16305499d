// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gather: lines from many guests to one, by a channel for each sender and one
 * vector for all of them.
 *
 *     in one guest:  gather receive NAME...    prints the lines of all
 *     in the others: gather send NAME          each line of its input is a message
 *
 * With take-over instead of send, another one goes on where a sender that is dead
 * or stopped left off; that one can send no more, should it come back. The
 * receiver ends when each sender has, or has shown no sign of life for some time.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ivshmem_channel.h>

#define CAPACITY 65536
#define SECOND 1000000000ll
#define SILENT (10 * SECOND)

static struct ivsh_directory *join(const char *name, unsigned int flags)
{
	struct ivsh_device *device = ivsh_device_open(NULL);
	struct ivsh_region *region = device ? ivsh_region_map(device, 0, 0, 0) : NULL;
	struct ivsh_vector *vector = region ? ivsh_vector_bind(device, 0) : NULL;
	struct ivsh_directory *directory;
	char host[8] = "", peer[IVSH_NAME_MAX + 1];

	/* A peer's name: two senders of a channel are two peers. */
	gethostname(host, sizeof(host) - 1);
	snprintf(peer, sizeof(peer), "%s-%.20s", host, name);
	if (!vector)
		return NULL;
	directory = ivsh_directory_open(ivsh_region_address(region),
					ivsh_region_size(region), peer, flags);
	if (directory && ivsh_directory_use_doorbell(directory, device, vector))
		return NULL;
	return directory;
}

/* --- sending ------------------------------------------------------------- */

static int send_lines(const char *name, unsigned int flags)
{
	struct ivsh_directory *directory = join(name, flags);
	struct ivsh_channel *channel;
	char line[1024];

	if (!directory)
		return -1;
	channel = ivsh_channel_open(directory, name, IVSH_PRODUCER, CAPACITY, 0,
				    flags);
	if (!channel)
		return -1;
	while (fgets(line, sizeof(line), stdin))
		if (ivsh_channel_send(channel, line, strlen(line), -1))
			return -1;
	ivsh_channel_close(channel);
	ivsh_directory_close(directory);
	return 0;
}

/* --- receiving ----------------------------------------------------------- */

/* Nobody has come yet, or who has is alive. */
static bool may_send(struct ivsh_channel *channel)
{
	int64_t silence_ns = ivsh_channel_peer_silence_ns(channel);

	return silence_ns < SILENT || silence_ns == INT64_MAX;
}

/* Print what is there; false when no more will come. */
static bool print_lines(const char *name, struct ivsh_channel *channel)
{
	size_t length;
	const char *line;
	int error;

	while ((line = ivsh_channel_peek(channel, &length))) {
		printf("%s: %.*s", name, (int)length, line);
		ivsh_channel_release(channel);
	}
	error = errno;
	if (error == EAGAIN && may_send(channel))
		return true;
	printf("%s %s\n", name, error == EAGAIN ? "is silent" :
		error == EPIPE ? "has ended" : strerror(error));
	return false;
}

static int receive_lines(char **names, int count)
{
	struct ivsh_directory *directory = join("gather", 0);
	struct ivsh_channel *channels[64] = { NULL };
	int left = count;

	if (!directory || count > 64)
		return -1;
	for (int i = 0; i < count; i++) {
		channels[i] = ivsh_channel_open(directory, names[i],
						IVSH_CONSUMER, CAPACITY, 0, 0);
		if (!channels[i])
			return -1;
	}
	while (left) {
		/* The time runs out where nobody is left to ring. */
		if (!ivsh_directory_wait(directory, SECOND) && errno != ETIMEDOUT)
			return -1;
		for (int i = 0; i < count; i++) {
			if (!channels[i] || print_lines(names[i], channels[i]))
				continue;
			ivsh_channel_close(channels[i]);
			channels[i] = NULL;
			left--;
		}
		fflush(stdout);
	}
	ivsh_directory_close(directory);
	return 0;
}

int main(int argc, char **argv)
{
	int failed;

	if (argc > 2 && !strcmp(argv[1], "receive"))
		failed = receive_lines(argv + 2, argc - 2);
	else if (argc == 3 && !strcmp(argv[1], "send"))
		failed = send_lines(argv[2], 0);
	else if (argc == 3 && !strcmp(argv[1], "take-over"))
		failed = send_lines(argv[2], IVSH_TAKE_OVER);
	else
		return fputs("usage: gather receive NAME...\n"
			     "       gather send|take-over NAME\n", stderr), 2;
	if (failed)
		return perror("gather"), 1;
	return 0;
}
