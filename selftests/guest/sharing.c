// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One open file in many hands: dup, fork, and a UNIX socket. Its bindings and
 * mappings live until the last of them lets go.
 */
#include <sys/socket.h>

#include "mapping.h"

#define MARKER 3

FIXTURE(sharing) {
	int fd;
	int other;	/* another file: rings, and has the marker */
	int efd;	/* bound to vector 0 through fd */
	int marker;
};

FIXTURE_SETUP(sharing)
{
	self->fd = open(doorbell_node(), O_RDWR);
	self->other = open(doorbell_node(), O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->other);
	self->efd = new_eventfd();
	self->marker = new_eventfd();
	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	ASSERT_EQ(0, bind_vector(self->other, MARKER, self->marker));
}

FIXTURE_TEARDOWN(sharing)
{
	close(self->marker);
	close(self->efd);
	close(self->other);
	close(self->fd);
}

static bool fires(const FIXTURE_DATA(sharing) *self)
{
	if (ring_self(self->other, 0) ||
	    !settle(self->other, MARKER, self->marker))
		return false;
	return take_eventfd(self->efd) == 1;
}

TEST_F(sharing, dup_keeps_the_binding_when_the_other_is_closed)
{
	int copy = dup(self->fd);

	ASSERT_LE(0, copy);
	ASSERT_EQ(0, close(self->fd));
	EXPECT_TRUE(fires(self));
	EXPECT_EQ(0, unbind_vector(copy, 0));
	EXPECT_FALSE(fires(self));
	self->fd = copy;
}

TEST_F(sharing, last_close_drops_the_binding)
{
	int copy = dup(self->fd);

	ASSERT_EQ(0, close(copy));
	ASSERT_TRUE(fires(self));
	ASSERT_EQ(0, close(self->fd));
	EXPECT_FALSE(fires(self));
}

TEST_F(sharing, mapping_keeps_the_binding_as_it_keeps_the_file)
{
	void *memory = map(self->fd, 0, getpagesize());

	ASSERT_NE(MAP_FAILED, memory);
	ASSERT_EQ(0, close(self->fd));
	EXPECT_TRUE(fires(self));
	ASSERT_EQ(0, munmap(memory, getpagesize()));
	EXPECT_FALSE(fires(self));
}

TEST_F(sharing, child_that_ends_leaves_the_binding)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(fires(self));
}

TEST_F(sharing, child_can_ring_bind_and_read)
{
	struct ivshmem_event event;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		int efd = new_eventfd();

		_exit(bind_vector(self->fd, 1, efd) ||
		      ring_self(self->fd, 1) || wait_eventfd(efd) != 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	/* It is one file: what the child rang is the parent's to read. */
	ASSERT_EQ(sizeof(event), read(self->fd, &event, sizeof(event)));
	EXPECT_EQ(1, event.vector);
	EXPECT_EQ(1, event.count);
}

TEST_F(sharing, exec_closes_a_cloexec_file_and_drops_its_binding)
{
	int fd = open(doorbell_node(), O_RDWR | O_CLOEXEC);
	int efd = new_eventfd(), status;
	pid_t pid;

	ASSERT_EQ(0, bind_vector(fd, 1, efd));
	pid = fork();
	if (!pid) {
		execl("/proc/self/exe", "sharing", "only-exec", NULL);
		_exit(127);
	}
	ASSERT_EQ(0, close(fd));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, ring_self(self->other, 1));
	ASSERT_TRUE(settle(self->other, MARKER, self->marker));
	EXPECT_EQ(0, take_eventfd(efd));
	close(efd);
}

/* --- over a socket ---------------------------------------------------------------- */

union fd_message {
	struct cmsghdr head;
	char space[CMSG_SPACE(sizeof(int))];
};

static int send_fd(int sock, int fd)
{
	struct iovec iov = { "", 1 };
	union fd_message control = {};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	control.head.cmsg_len = CMSG_LEN(sizeof(fd));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -1;
}

static int receive_fd(int sock)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	union fd_message control = {};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd = -1;

	if (recvmsg(sock, &msg, 0) == 1)
		memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

TEST_F(sharing, file_in_flight_keeps_the_binding)
{
	int socks[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	ASSERT_EQ(0, send_fd(socks[0], self->fd));
	ASSERT_EQ(0, close(self->fd));
	EXPECT_TRUE(fires(self));
	self->fd = receive_fd(socks[1]);
	ASSERT_LE(0, self->fd);
	EXPECT_TRUE(fires(self));
	close(socks[0]);
	close(socks[1]);
}

TEST_F(sharing, file_that_never_arrives_drops_the_binding)
{
	int socks[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	ASSERT_EQ(0, send_fd(socks[0], self->fd));
	ASSERT_EQ(0, close(self->fd));
	close(socks[0]);
	close(socks[1]);
	EXPECT_FALSE(fires(self));
}

TEST_F(sharing, process_without_rights_uses_a_file_that_it_was_given)
{
	int socks[2], status;
	__u64 *memory = map(self->fd, 0, getpagesize());
	pid_t pid;

	ASSERT_NE(MAP_FAILED, memory);
	*memory = 1;
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	pid = fork();
	if (!pid) {
		__u64 *mine;
		int fd;

		if (setuid(65534))
			_exit(2);
		fd = receive_fd(socks[1]);
		mine = map(fd, 0, getpagesize());
		if (mine == MAP_FAILED || *mine != 1)
			_exit(3);
		*mine = 2;
		_exit(ring_self(fd, 0) ? 4 : 0);
	}
	ASSERT_EQ(0, send_fd(socks[0], self->other));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(2, *(volatile __u64 *)memory);
	EXPECT_EQ(1, wait_eventfd(self->efd));
}

int main(int argc, char **argv)
{
	/* What exec_closes... runs: it is enough to be here. */
	if (argc == 2 && !strcmp(argv[1], "only-exec"))
		return 0;
	return test_harness_run(argc, argv);
}
