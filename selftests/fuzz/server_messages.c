// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: a server says anything, in pieces of any length and with any
 * descriptors, to a host peer. Each step of the input is a byte, whose bits say
 * how many bytes to send (1 to 8), how many descriptors (0 to 2), of which kind,
 * and whether the library reads now; then these bytes. "make fuzz-lib" builds
 * and runs it.
 */
#include <fcntl.h>

#include "../../lib/server.c"

#include "../host/fake_server.h"

static const unsigned char greeting[] = {
	0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
	255, 255, 255, 255, 255, 255, 255, 255,
};

static int descriptors[4];

static void make_descriptors(void)
{
	int ends[2];

	if (descriptors[0])
		return;
	if (pipe(ends))
		abort();
	descriptors[0] = new_eventfd();
	descriptors[1] = descriptors[0];
	descriptors[2] = new_memory(65536);
	descriptors[3] = ends[1];
}

/* What ivsh_device_open() does, but for the connection. */
static void open_pair(struct ivsh_device *device, int pair[2])
{
	struct server *server = device->state = server_new();

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
	    fcntl(pair[1], F_SETFL, O_NONBLOCK))
		abort();
	device->page_size = 4096;
	device->memory_fd = -1;
	device->fd = epoll_create1(EPOLL_CLOEXEC);
	server->changed = eventfd(0, EFD_NONBLOCK);
	server->reader.sock = pair[0];
	/* Over: nothing that is missing is waited for. */
	server->deadline = (struct timespec){ 0 };
	if (watch_fd(device, server->changed) || watch_fd(device, pair[0]))
		abort();
}

static void greet(int sock)
{
	fake_send_raw(sock, greeting, 16, NULL, 0);
	fake_send_raw(sock, greeting + 16, 8, &descriptors[2], 1);
}

static void use(struct ivsh_device *device)
{
	struct ivsh_peer_event event = { 0 };
	struct ivsh_info info;
	int fd;

	drain(device);
	if (server_of(device)->stage != GREETED)
		return;
	server_query(device, &info);
	server_ring(device, 3, 0);
	server_ring(device, 0, 1);
	fd = server_bind(device, 0);
	server_unbind(device, 0, fd);
	while (server_next_event(device, &event) > 0)
		if (event.peer > IVSH_PEER_MAX ||
		    event.nr_vectors > IVSH_VECTOR_MAX + 1)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ivsh_device device = { .backend = &ivsh_server_backend };
	int pair[2], fds[2];
	size_t length;

	make_descriptors();
	open_pair(&device, pair);
	if (size && *data & 1)
		greet(pair[1]);
	for (size_t at = 1; at + 1 < size; at += 1 + length) {
		length = (data[at] & 7) + 1;
		if (length > size - at - 1)
			length = size - at - 1;
		fds[0] = fds[1] = descriptors[data[at] >> 5 & 3];
		/* When the socket is full, somebody has to read. */
		if (!fake_send_raw(pair[1], data + at + 1, length, fds,
				   (data[at] >> 3 & 3) % 3) ||
		    data[at] & 0x80)
			use(&device);
	}
	close(pair[1]);
	use(&device);
	server_close(&device);
	return 0;
}
