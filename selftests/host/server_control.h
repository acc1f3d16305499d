/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What ivshmemd says of itself on its control socket, for the programs server*.c
 * that ask it: raw, or as "ivshmemd status" and "ivshmemd kick" do.
 */
#ifndef SERVER_CONTROL_H
#define SERVER_CONTROL_H

#include "server_process.h"
#include "server_peer.h"

struct answer {
	char text[1 << 18];
	size_t length;
};

static inline int control_connect(struct server *server)
{
	return connect_to(server_path(server, "socket.control"));
}

/* All up to the end of file; false if that does not come. */
static inline bool control_read(int sock, struct answer *answer)
{
	struct pollfd pollfd = { .fd = sock, .events = POLLIN };
	ssize_t got;

	answer->length = 0;
	do {
		if (poll(&pollfd, 1, WAIT_MS) != 1)
			return false;
		got = recv(sock, answer->text + answer->length,
			   sizeof(answer->text) - 1 - answer->length, 0);
		answer->length += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	answer->text[answer->length] = '\0';
	return true;
}

/* Sends these bytes on a connection of its own. */
static inline bool control_ask(struct server *server, const char *bytes,
			       struct answer *answer)
{
	int sock = control_connect(server);
	bool answered;

	if (sock < 0)
		return false;
	send(sock, bytes, strlen(bytes), MSG_NOSIGNAL);
	answered = control_read(sock, answer);
	close(sock);
	return answered;
}

/* A number of the status: the first of this name. */
static inline long long status_number(struct server *server, const char *name)
{
	static struct answer answer;
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "\"%s\":", name);
	if (!control_ask(server, "status --json\n", &answer))
		return -1;
	at = strstr(answer.text, key);
	return at ? atoll(at + strlen(key)) : -1;
}

#endif
