/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ways for messages from one process to another: channels, the reference, and
 * what the kernel offers. One call for each sends and receives by any of them.
 */
#ifndef BENCH_PATH_H
#define BENCH_PATH_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

#include "../selftests/host/channel_memory.h"
#include "reference.h"

enum kind { RECORDS, SLOTS, PLACE, REFERENCE, SOCKET, PIPE, TCP, NR_KINDS };

static const char *const kind_names[] = {
	"records", "slots", "place", "reference", "socket", "pipe", "tcp",
};

/* One direction; made before the fork, used by one side each. */
struct path {
	enum kind kind;
	size_t size;
	const char *name;
	size_t ring;			/* bytes; 0: RING */
	void *memory;
	struct bells *bells;
	struct bell bell;
	enum ivsh_waiting waiting;
	struct ivsh_directory *directory;
	struct ivsh_channel *channel;
	struct reference_end reference;
	bool peeked;
	int fds[2];
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* A connection to ourselves over the loopback interface. */
static void connect_tcp(int fds[2])
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	fds[1] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, length) ||
	    listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &length) ||
	    connect(fds[1], (struct sockaddr *)&address, length))
		die("tcp");
	fds[0] = accept(listener, NULL, NULL);
	if (fds[0] < 0 ||
	    setsockopt(fds[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		die("tcp");
	close(listener);
}

static void path_make(struct path *path)
{
	if (path->kind == TCP)
		connect_tcp(path->fds);
	if (path->kind == SOCKET &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, path->fds))
		die("socketpair");
	if (path->kind == PIPE && pipe(path->fds))
		die("pipe");
	if (path->kind == REFERENCE)
		path->reference.ring = memory_new(sizeof(struct reference));
}

/* A directory for each process; both directions are in it. */
static void path_open(struct path *path, enum ivsh_role role,
		      struct ivsh_directory *directory)
{
	if (path->kind > PLACE)
		return;
	path->directory = directory;
	path->channel = ivsh_channel_open(
		directory, path->name, role, path->ring ? path->ring : RING,
		path->kind == SLOTS ? path->size : 0, 0);
	if (!path->channel)
		die("channel");
}

static struct ivsh_directory *join(struct path *path, const char *name,
				   unsigned int id)
{
	struct ivsh_directory *directory;

	if (path->kind > PLACE)
		return NULL;
	directory = ivsh_directory_open(path->memory, MEMORY_SIZE, name, 0);
	if (!directory)
		die("directory");
	ivsh_directory_set_waiting(directory, path->waiting);
	if (path->bells)
		use_bell(directory, &path->bell, path->bells, id);
	return directory;
}

/* Every byte is written, as by a sender that makes its message here. */
static void make_in_place(unsigned char *place, const struct iovec *message)
{
	size_t end = message->iov_len - 8;

	memset(place, 0x5a, message->iov_len);
	memcpy(place, message->iov_base, 8);
	memcpy(place + end, (char *)message->iov_base + end, 8);
}

static void send_in_place(struct path *path, const struct iovec *messages,
			  size_t count)
{
	for (size_t i = 0; i < count; i++) {
		void *place;

		while (!(place = ivsh_channel_reserve(path->channel,
						      messages[i].iov_len)))
			if (ivsh_channel_wait(path->channel, -1))
				die("wait");
		make_in_place(place, &messages[i]);
		ivsh_channel_commit(path->channel, messages[i].iov_len);
	}
	ivsh_channel_flush(path->channel);
}

static void send_all(struct path *path, const struct iovec *messages,
		     size_t count)
{
	if (path->kind == REFERENCE) {
		reference_send(&path->reference, messages, count);
	} else if (path->kind == PLACE) {
		send_in_place(path, messages, count);
	} else if (path->kind < PLACE) {
		if (ivsh_channel_send_many(path->channel, messages, count, -1,
					   NULL))
			die("send");
	} else {
		for (size_t i = 0; i < count; i++)
			if (write(path->fds[1], messages[i].iov_base,
				  messages[i].iov_len) < 0)
				die("write");
	}
}

static void read_all(int fd, void *buffer, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t got = read(fd, (char *)buffer + at, size - at);

		if (got <= 0)
			die("read");
		at += (size_t)got;
	}
}

/* A look at every line, as a reader in place takes. */
static uint64_t sum_lines(const unsigned char *at, size_t size)
{
	uint64_t sum = 0, word;

	for (size_t i = 0; i + 8 <= size; i += 64) {
		__builtin_prefetch(at + i + 1024);
		memcpy(&word, at + i, 8);
		sum += word;
	}
	return sum;
}

static volatile uint64_t sink;

/* Read in place; it is released when the next is asked for. */
static size_t receive_in_place(struct path *path, struct iovec *buffer)
{
	const void *place;

	if (path->peeked && ivsh_channel_release(path->channel))
		die("release");
	while (!(place = ivsh_channel_peek(path->channel, &buffer->iov_len)))
		if (errno != EAGAIN || ivsh_channel_wait(path->channel, -1))
			die("peek");
	path->peeked = true;
	buffer->iov_base = (void *)place;
	sink += sum_lines(place, buffer->iov_len);
	return 1;
}

static size_t receive_some(struct path *path, struct iovec *buffers,
			   size_t count)
{
	size_t received = 1;

	if (path->kind == REFERENCE)
		return reference_receive(&path->reference, buffers, count);
	if (path->kind == PLACE)
		return receive_in_place(path, buffers);
	if (path->kind < PLACE) {
		if (ivsh_channel_receive_many(path->channel, buffers, count,
					      -1, &received))
			die("receive");
		return received;
	}
	read_all(path->fds[0], buffers[0].iov_base, path->size);
	return 1;
}

#endif /* BENCH_PATH_H */
