// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * queue: what one peer has still to be sent. peer.c fills and empties it.
 *
 * A message is 8 bytes, little-endian, and at most one file descriptor, each a
 * message of its own to the kernel: QEMU takes one descriptor for every 8 bytes
 * that it reads.
 */
#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
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

int queue_push(struct queue *queue, const struct message *message)
{
	if (queue->count == queue->size && queue_grow(queue))
		return -1;
	*queue_at(queue, queue->count++) = *message;
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

/* What the kernel reads of a message; the header itself is in the flight. */
struct parcel {
	int64_t value;
	struct iovec iov;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};

static void pack(struct parcel *parcel, struct mmsghdr *header,
		 const struct message *message)
{
	parcel->value = htole64(message->value);
	parcel->iov.iov_base = &parcel->value;
	parcel->iov.iov_len = sizeof(parcel->value);
	*header = (struct mmsghdr) {
		.msg_hdr = { .msg_iov = &parcel->iov, .msg_iovlen = 1 },
	};
	if (message->fd >= 0)
		attach_fd(&header->msg_hdr, parcel->control,
			  sizeof(parcel->control), message->fd);
}

static unsigned int load_flight(const struct queue *queue,
				struct flight *flight, unsigned int slot,
				struct parcel *parcels)
{
	unsigned int i, nr = queue->count < BATCH ? queue->count : BATCH;

	for (i = 0; i < nr; i++) {
		pack(&parcels[i], &flight->header[i], queue_at(queue, i));
		flight->step[i] = queue_at(queue, i)->step;
	}
	flight->slot = slot;
	/* Only a whole flight counts: see flight_land(). */
	atomic_signal_fence(memory_order_seq_cst);
	flight->nr = nr;
	return nr;
}

/* A stream takes 8 bytes whole or not at all. */
int queue_send(struct queue *queue, int sock, struct state *state,
	       unsigned int slot, unsigned int *sent)
{
	struct parcel parcels[BATCH];
	unsigned int nr = load_flight(queue, &state->flight, slot, parcels);
	int err = 0;

	if (!nr)
		return 0;
	if (sendmmsg(sock, state->flight.header, nr,
		     MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		err = errno;
	*sent = flight_land(state);
	queue->head = (queue->head + *sent) % queue->size;
	queue->count -= *sent;
	return err == EINTR ? EAGAIN : err;
}

void queue_free(struct queue *queue)
{
	free(queue->ring);
	memset(queue, 0, sizeof(*queue));
}
