// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * control: the socket beside the one for peers, on which the owner of the
 * server asks how it is, and disconnects a peer: one line, one answer, the end.
 * What can be asked is in status.c; main.c passes events; ask.c is the other
 * side. Nobody is waited for: a few connections at a time, and the oldest makes
 * room for a new one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"

void control_init(struct control *control, const struct subject *subject)
{
	unsigned int i;

	control->subject = *subject;
	control->socket.fd = -1;
	for (i = 0; i < CONTROL_CLIENTS; i++)
		control->clients[i].sock = -1;
}

static int control_watch(const struct control *control, int operation, int fd,
			 void *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	return epoll_ctl(control->epoll_fd, operation, fd, &event);
}

static char *control_path(const char *socket_path)
{
	char *path;

	if (asprintf(&path, "%s" CONTROL_SUFFIX, socket_path) < 0)
		return NULL;
	return path;
}

/* Without it the peers are served all the same. */
void control_open(struct control *control, const struct listener *listener,
		  int epoll_fd, int given_fd)
{
	control->epoll_fd = epoll_fd;
	control->socket.fd = given_fd;
	if (given_fd >= 0) {
		fcntl(given_fd, F_SETFL, fcntl(given_fd, F_GETFL) | O_NONBLOCK);
	} else {
		control->path = control_path(listener->socket.path);
		if (!control->path ||
		    socket_open(&control->socket, control->path, SOCK_STREAM,
				0600, (gid_t)-1)) {
			log_error("no control socket: status and kick will not work");
			return;
		}
	}
	/* Edges only: a connection that cannot be accepted now would spin us. */
	if (control_watch(control, EPOLL_CTL_ADD, control->socket.fd, control,
			  EPOLLIN | EPOLLET)) {
		log_error("control socket: %s: status and kick will not work",
			  strerror(errno));
		close(control->socket.fd);
		control->socket.fd = -1;
	}
}

static void client_close(struct control_client *client)
{
	if (client->sock >= 0)
		close(client->sock);
	free(client->reply);
	*client = (struct control_client) { .sock = -1 };
}

static struct control_client *find_room(struct control *control)
{
	struct control_client *client = &control->clients[0];
	unsigned int i;

	for (i = 0; i < CONTROL_CLIENTS; i++) {
		if (control->clients[i].sock < 0)
			return &control->clients[i];
		if (control->clients[i].turn < client->turn)
			client = &control->clients[i];
	}
	client_close(client);
	return client;
}

/* One a turn; more, or one for which there is no descriptor now, by timer. */
void control_accept(struct control *control)
{
	struct control_client *client;
	int sock;

	if (!control->pending)
		return;
	sock = accept4(control->socket.fd, NULL, NULL,
		       SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (sock < 0) {
		control->pending = errno != EAGAIN;
		return;
	}
	client = find_room(control);
	client->sock = sock;
	client->turn = ++control->turn;
	if (control_watch(control, EPOLL_CTL_ADD, sock, client, EPOLLIN))
		client_close(client);
}

static void client_send(const struct control *control,
			struct control_client *client)
{
	ssize_t sent = send(client->sock, client->reply + client->sent,
			    client->reply_length - client->sent,
			    MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent > 0)
		client->sent += (size_t)sent;
	if (client->sent == client->reply_length ||
	    (sent < 0 && errno != EAGAIN && errno != EINTR) ||
	    control_watch(control, EPOLL_CTL_MOD, client->sock, client, EPOLLOUT))
		client_close(client);
}

/* False while the line is not whole. */
static bool client_read(struct control_client *client)
{
	size_t room = sizeof(client->line) - 1 - client->length;
	ssize_t got = recv(client->sock, client->line + client->length, room,
			   MSG_DONTWAIT);
	char *end;

	if (got <= 0) {
		if (got == 0 || (errno != EAGAIN && errno != EINTR))
			client_close(client);
		return false;
	}
	client->length += (size_t)got;
	end = memchr(client->line, '\n', client->length);
	if (!end && client->length < sizeof(client->line) - 1)
		return false;
	*(end ? end : client->line + client->length) = '\0';
	return true;
}

static void client_event(struct control *control, struct control_client *client)
{
	if (client->sock < 0)
		return;
	if (!client->reply) {
		if (!client_read(client))
			return;
		client->reply = status_answer(client->line, &control->subject,
					      &client->reply_length);
	}
	if (client->reply)
		client_send(control, client);
	else
		client_close(client);
}

bool control_is_source(const struct control *control, const void *source)
{
	const struct control_client *clients = control->clients;

	return source == control ||
	       ((const char *)source >= (const char *)clients &&
		(const char *)source < (const char *)(clients + CONTROL_CLIENTS));
}

void control_event(struct control *control, void *source)
{
	if (source == control)
		control->pending = true;
	else
		client_event(control, source);
}

/* The next server makes its own. */
void control_close(struct control *control)
{
	unsigned int i;

	for (i = 0; i < CONTROL_CLIENTS; i++)
		client_close(&control->clients[i]);
	if (control->path)
		socket_unlink(&control->socket);
	if (control->socket.fd >= 0)
		close(control->socket.fd);
	free(control->path);
}
