// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemctl channel send, recv and cat: a stream through a channel. A message
 * is one letter and what follows it: S the start, D data, E the end with the
 * length and the checksum (FNV-1a) of all data, each 8 bytes little-endian.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"

#define MESSAGE_SIZE 65536
#define BEAT_MS 500
#define NS_PER_SECOND 1000000000LL
/* Who lives beats each second, also while it waits for its input or output. */
#define SILENCE_NS (10 * NS_PER_SECOND)
#define CHECKSUM_START 0xcbf29ce484222325

struct stream {
	bool started;			/* the start has come */
	uint64_t length;
	uint64_t checksum;
	size_t most;			/* bytes of data in a message */
	unsigned char message[1 + MESSAGE_SIZE];
};

static volatile sig_atomic_t interrupted;

/* An alarm only ends the system call of the moment. */
static void on_signal(int signal)
{
	if (signal != SIGALRM)
		interrupted = signal;
}

static void count(struct stream *stream, const unsigned char *data,
		  size_t length)
{
	uint64_t checksum = stream->checksum;

	for (size_t i = 0; i < length; i++)
		checksum = (checksum ^ data[i]) * 0x100000001b3;
	stream->checksum = checksum;
	stream->length += length;
}

/* Once a second, on a terminal. */
static void show_bytes(const struct stream *stream)
{
	static time_t last;
	time_t now = time(NULL);

	if (now == last || !isatty(STDERR_FILENO))
		return;
	last = now;
	fprintf(stderr, "%" PRIu64 " bytes\r", stream->length);
}

static int channel_failed(const struct channel_args *args)
{
	return fail(args->name, "%s", channel_why(errno));
}

static int open_channel(struct channel_args *args, const char *prefix,
			enum ivsh_role role)
{
	struct sigaction action = { .sa_handler = on_signal };
	char peer[IVSH_NAME_MAX + 1];

	/* An interrupted one leaves as it should. */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	snprintf(peer, sizeof(peer), "%s.%.*s", prefix, CHANNEL_NAME_MAX,
		 args->name);
	if (channel_join(args, peer))
		return STATUS_FAILED;
	args->channel = ivsh_channel_open(
		args->directory, args->name, role, args->capacity, 0,
		args->take_over ? IVSH_TAKE_OVER : 0);
	return args->channel ? STATUS_DONE : channel_failed(args);
}

/* The other side had opened its end, and has not closed it. */
static bool other_is_silent(const struct channel_args *args)
{
	int64_t silence = ivsh_channel_peer_silence_ns(args->channel);

	return silence >= SILENCE_NS && silence != INT64_MAX;
}

/* --- send ---------------------------------------------------------------- */

static int send_failed(const struct channel_args *args)
{
	switch (errno) {
	case EINTR:
		return fail(args->name, "interrupted");
	case EPIPE:
		return fail(args->name, "the receiver has gone");
	case ETIMEDOUT:
		return fail(args->name, "the receiver has shown no sign of life for 10 seconds");
	}
	return channel_failed(args);
}

/* Whether to try again what has failed, as nothing is wrong. A signal may have
 * come while nothing slept. */
static bool worth_another_try(const struct channel_args *args)
{
	if (errno != ETIMEDOUT && errno != EINTR)
		return false;
	if (interrupted) {
		errno = EINTR;
		return false;
	}
	return errno == EINTR || !other_is_silent(args);
}

static int send_message(struct channel_args *args, const void *message,
			size_t length)
{
	while (ivsh_channel_send(args->channel, message, length, NS_PER_SECOND))
		if (!worth_another_try(args))
			return send_failed(args);
	return STATUS_DONE;
}

/* The receiver of an earlier transfer has closed its end: wait for another. */
static int send_start(struct channel_args *args)
{
	while (ivsh_channel_send(args->channel, "S", 1, NS_PER_SECOND)) {
		if (errno == EPIPE && !interrupted) {
			ivsh_directory_beat(args->directory);
			usleep(10000);
		} else if (!worth_another_try(args)) {
			return send_failed(args);
		}
	}
	return STATUS_DONE;
}

/* Bytes of standard input, 0 at its end, -1 with a signal or an error. */
static ssize_t read_input(struct channel_args *args, struct stream *stream)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	int ready;

	do {
		ivsh_directory_beat(args->directory);
		ready = poll(&input, 1, BEAT_MS);
	} while (!ready && !interrupted);
	if (ready < 0 || interrupted) {
		errno = EINTR;
		return -1;
	}
	return read(STDIN_FILENO, stream->message + 1, stream->most);
}

static int send_data(struct channel_args *args, struct stream *stream)
{
	ssize_t length;

	stream->message[0] = 'D';
	while ((length = read_input(args, stream)) > 0) {
		if (send_message(args, stream->message, 1 + (size_t)length))
			return STATUS_FAILED;
		count(stream, stream->message + 1, (size_t)length);
		show_bytes(stream);
	}
	if (interrupted)
		return fail(args->name, "interrupted");
	return length ? fail("standard input", "%s", strerror(errno)) :
			STATUS_DONE;
}

static int send_end(struct channel_args *args, const struct stream *stream)
{
	unsigned char message[17] = { 'E' };
	uint64_t words[2] = { htole64(stream->length),
			      htole64(stream->checksum) };

	memcpy(message + 1, words, sizeof(words));
	return send_message(args, message, sizeof(message));
}

int channel_send(struct channel_args *args)
{
	static struct stream stream = { .checksum = CHECKSUM_START };

	if (open_channel(args, "send", IVSH_PRODUCER))
		return STATUS_FAILED;
	stream.most = ivsh_channel_max_message(args->channel) - 1;
	if (stream.most > MESSAGE_SIZE)
		stream.most = MESSAGE_SIZE;
	if (send_start(args) || send_data(args, &stream))
		return STATUS_FAILED;
	return send_end(args, &stream);
}

/* --- recv and cat -------------------------------------------------------- */

static void set_alarms(int ms)
{
	struct itimerval alarms = {
		.it_interval.tv_usec = ms * 1000,
		.it_value.tv_usec = ms * 1000,
	};

	setitimer(ITIMER_REAL, &alarms, NULL);
}

/* The sender sees us alive, for however long nobody reads what we write. */
static int print_data(struct channel_args *args, struct stream *stream,
		      size_t length)
{
	const unsigned char *data = stream->message + 1;
	ssize_t written = 0;

	count(stream, data, length);
	set_alarms(BEAT_MS);
	while (length && !interrupted) {
		written = write(STDOUT_FILENO, data, length);
		ivsh_directory_beat(args->directory);
		if (written < 0 && errno != EINTR)
			return fail_output();
		data += written > 0 ? written : 0;
		length -= written > 0 ? (size_t)written : 0;
	}
	set_alarms(0);
	show_bytes(stream);
	return length ? fail(args->name, "interrupted") : STATUS_DONE;
}

/* The start of another transfer stays where it is, for who receives that. */
static bool begins_again(const struct channel_args *args,
			 const struct stream *stream)
{
	size_t length;
	const char *message = ivsh_channel_peek(args->channel, &length);

	return stream->started && message && length == 1 && *message == 'S';
}

static int next_message(struct channel_args *args, struct stream *stream,
			size_t *length)
{
	if (ivsh_channel_wait(args->channel, NS_PER_SECOND))
		return -1;
	if (begins_again(args, stream)) {
		errno = ECANCELED;
		return -1;
	}
	return ivsh_channel_receive(args->channel, stream->message,
				    sizeof(stream->message), length, 0);
}

/* A message, or none (length 0) when the sender closed or we shall end. */
static int receive_message(struct channel_args *args, struct stream *stream,
			   size_t *length)
{
	while (!interrupted) {
		if (!next_message(args, stream, length))
			return STATUS_DONE;
		if (errno == ETIMEDOUT && stream->started && other_is_silent(args))
			return fail(args->name, "the sender has shown no sign of life for 10 seconds");
		if (errno == ETIMEDOUT || errno == EINTR)
			continue;
		if (errno == EPIPE)
			break;
		if (errno == ECANCELED)
			return fail(args->name, "the sender began again before the end");
		if (errno == EMSGSIZE)
			return fail(args->name, "not a message of 'ivshmemctl channel send'");
		return channel_failed(args);
	}
	*length = 0;
	return STATUS_DONE;
}

static int check_end(const struct channel_args *args,
		     const struct stream *stream)
{
	uint64_t words[2];

	memcpy(words, stream->message + 1, sizeof(words));
	if (le64toh(words[0]) == stream->length &&
	    le64toh(words[1]) == stream->checksum)
		return STATUS_DONE;
	return fail(args->name, "what came is not what was sent: %" PRIu64 " bytes of %" PRIu64 ", checksum %016" PRIx64 " for %016" PRIx64,
		    stream->length, le64toh(words[0]), stream->checksum,
		    le64toh(words[1]));
}

static int receive_data(struct channel_args *args, struct stream *stream)
{
	size_t length = 0;

	for (;;) {
		if (receive_message(args, stream, &length))
			return STATUS_FAILED;
		if (!length)
			return fail(args->name, interrupted ? "interrupted" :
				    "the sender has gone before the end");
		if (stream->message[0] == 'E' && length == 17)
			return check_end(args, stream);
		if (stream->message[0] != 'D')
			return fail(args->name, "not a message of 'ivshmemctl channel send'");
		if (print_data(args, stream, length - 1))
			return STATUS_FAILED;
	}
}

/*
 * The oldest transfer that is whole from its start. Before it there may be the
 * rest of one whose receiver died; and when the sender of an earlier one has
 * closed, another will come.
 */
static int receive_start(struct channel_args *args, struct stream *stream)
{
	uint64_t left_out = 0;
	size_t length = 0;

	do {
		if (receive_message(args, stream, &length))
			return STATUS_FAILED;
		if (!length) {
			ivsh_directory_beat(args->directory);
			usleep(10000);
		}
		stream->started = length == 1 && stream->message[0] == 'S';
		left_out += length && !stream->started;
	} while (!stream->started && !interrupted);
	if (left_out)
		fprintf(stderr, "ivshmemctl: %s: left out %" PRIu64 " messages of a transfer whose start is gone\n",
			args->name, left_out);
	return stream->started ? STATUS_DONE : fail(args->name, "interrupted");
}

int channel_receive(struct channel_args *args)
{
	static struct stream stream = { .checksum = CHECKSUM_START };

	if (open_channel(args, "recv", IVSH_CONSUMER))
		return STATUS_FAILED;
	return receive_start(args, &stream) ? STATUS_FAILED :
					      receive_data(args, &stream);
}

int channel_cat(struct channel_args *args)
{
	static struct stream stream;
	size_t length = 0;

	if (open_channel(args, "recv", IVSH_CONSUMER))
		return STATUS_FAILED;
	while (!interrupted) {
		if (receive_message(args, &stream, &length))
			return STATUS_FAILED;
		if (length && stream.message[0] == 'D' &&
		    print_data(args, &stream, length - 1))
			return STATUS_FAILED;
		if (!length && !interrupted) {
			ivsh_directory_beat(args->directory);
			usleep(10000);
		}
	}
	return STATUS_DONE;
}
