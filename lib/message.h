/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The messages of an ivshmem server, one at a time: 8 bytes, little-endian, and
 * at most one file descriptor. server.c reads them. Not installed.
 */
#ifndef IVSH_MESSAGE_H
#define IVSH_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

struct ivsh_message {
	int64_t value;
	int fd;			/* or -1; owned by whoever took the message */
};

/* A message of which only a part has come. Zeroed but for fd: -1. */
struct ivsh_reader {
	int sock;
	unsigned char bytes[8];
	size_t length;
	int fd;
};

/*
 * Take the next message without waiting. Returns 1, or 0 when none is complete
 * yet, or -1 with errno: ECONNRESET (the server closed the connection, even
 * inside a message), EMFILE (no descriptor left for the one that came), EPROTO
 * (more than one descriptor in a message), or what recvmsg() says.
 */
int ivsh_reader_next(struct ivsh_reader *reader, struct ivsh_message *message);

#endif /* IVSH_MESSAGE_H */
