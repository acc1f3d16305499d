// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reading a server's messages from its socket, which nobody trusts: they may
 * come in pieces, with any number of descriptors or none. Called by server.c.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "message.h"

/* So many descriptors fit in a message; with less room some are just lost. */
#define FDS_MAX 253

static int fail(int error)
{
	errno = error;
	return -1;
}

/* Keep the first descriptor; whatever is beside it breaks the protocol. */
static int keep_fd(struct ivsh_reader *reader, const struct cmsghdr *cmsg)
{
	size_t nr = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int result = 0;
	int fd;

	for (size_t i = 0; i < nr; i++) {
		memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
		if (reader->fd < 0) {
			reader->fd = fd;
		} else {
			close(fd);
			result = fail(EPROTO);
		}
	}
	return result;
}

static int keep_fds(struct ivsh_reader *reader, struct msghdr *header)
{
	struct cmsghdr *cmsg;
	int result = 0;

	for (cmsg = CMSG_FIRSTHDR(header); cmsg;
	     cmsg = CMSG_NXTHDR(header, cmsg))
		if (cmsg->cmsg_level == SOL_SOCKET &&
		    cmsg->cmsg_type == SCM_RIGHTS && keep_fd(reader, cmsg))
			result = -1;
	/* One that was lost would look like a peer that has left. */
	if (header->msg_flags & MSG_CTRUNC)
		result = fail(EMFILE);
	return result;
}

/* Returns 1 when something came, else as ivsh_reader_next(). */
static int receive(struct ivsh_reader *reader)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int))];
	struct iovec iov = {
		.iov_base = reader->bytes + reader->length,
		.iov_len = sizeof(reader->bytes) - reader->length,
	};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got;

	do {
		got = recvmsg(reader->sock, &header,
			      MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? 0 : -1;
	if (keep_fds(reader, &header))
		return -1;
	if (got == 0)
		return fail(ECONNRESET);
	reader->length += (size_t)got;
	return 1;
}

int ivsh_reader_next(struct ivsh_reader *reader, struct ivsh_message *message)
{
	int64_t value;
	int result;

	while (reader->length < sizeof(reader->bytes)) {
		result = receive(reader);
		if (result != 1)
			return result;
	}
	memcpy(&value, reader->bytes, sizeof(value));
	*message = (struct ivsh_message){
		.value = (int64_t)le64toh((uint64_t)value),
		.fd = reader->fd,
	};
	reader->length = 0;
	reader->fd = -1;
	return 1;
}
