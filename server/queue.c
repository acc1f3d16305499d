// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * queue: what one peer has still to be sent. peer.c fills and empties it.
 *
 * A message is 8 bytes, little-endian, and at most one file descriptor, each in
 * a sendmsg() of its own: QEMU takes one descriptor for every 8 bytes it reads.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "server.h"

#define QUEUE_FIRST_SIZE 16

static struct message *queue_at(const struct queue *queue, unsigned int i)
{
	return &queue->ring[(queue->head + i) % queue->size];
}

static int queue_grow(struct queue *queue)
{
	unsigned int size = queue->size ? queue->size * 2 : QUEUE_FIRST_SIZE;
	struct message *ring = calloc(size, sizeof(*ring));
	unsigned int i;

	if (!ring)
		return -1;
	for (i = 0; i < queue->count; i++)
		ring[i] = *queue_at(queue, i);
	free(queue->ring);
	queue->ring = ring;
	queue->head = 0;
	queue->size = size;
	return 0;
}

int queue_push(struct queue *queue, int64_t value, int fd,
	       const struct peer *owner)
{
	if (queue->count == queue->size && queue_grow(queue))
		return -1;
	*queue_at(queue, queue->count++) = (struct message) {
		.value = value,
		.fd = fd,
		.owner = owner,
	};
	return 0;
}

unsigned int queue_cancel(struct queue *queue, const struct peer *owner)
{
	unsigned int i, kept = 0, cancelled;

	for (i = 0; i < queue->count; i++) {
		if (queue_at(queue, i)->owner != owner)
			*queue_at(queue, kept++) = *queue_at(queue, i);
	}
	cancelled = queue->count - kept;
	queue->count = kept;
	return cancelled;
}

static void attach_fd(struct msghdr *header, void *control, size_t size, int fd)
{
	struct cmsghdr *cmsg;

	memset(control, 0, size);
	header->msg_control = control;
	header->msg_controllen = size;
	cmsg = CMSG_FIRSTHDR(header);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
}

/* Returns 0 or an errno. A stream takes 8 bytes whole or not at all. */
static int message_send(const struct message *message, int sock)
{
	int64_t value = htole64(message->value);
	struct iovec iov = { .iov_base = &value, .iov_len = sizeof(value) };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	ssize_t sent;

	if (message->fd >= 0)
		attach_fd(&header, control, sizeof(control), message->fd);
	sent = sendmsg(sock, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0)
		return errno;
	return sent == sizeof(value) ? 0 : EPROTO;
}

int queue_send(struct queue *queue, int sock, unsigned int *sent)
{
	int err;

	while (queue->count) {
		err = message_send(queue_at(queue, 0), sock);
		if (err == EINTR)
			continue;
		if (err)
			return err;
		queue->head = (queue->head + 1) % queue->size;
		queue->count--;
		(*sent)++;
	}
	return 0;
}

void queue_free(struct queue *queue)
{
	free(queue->ring);
	memset(queue, 0, sizeof(*queue));
}
