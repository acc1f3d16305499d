// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The library as a host peer of servers that break the protocol, in every way
 * that came to mind: a clear errno, no crash, no hang, no leak. Good servers are
 * in peer.c.
 */
#include <ivshmem.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

#include "kselftest_harness.h"
#include "fake_server.h"

#define SECOND 1000000000LL
#define MEMORY_SIZE 65536

static unsigned int open_files(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

FIXTURE(protocol) {
	struct fake_server server;
	struct ivsh_device *device;
	int memory;
	int bell;
};

FIXTURE_SETUP(protocol)
{
	ASSERT_TRUE(fake_listen(&self->server));
	self->device = NULL;
	self->memory = new_memory(MEMORY_SIZE);
	self->bell = new_eventfd();
}

FIXTURE_TEARDOWN(protocol)
{
	ivsh_device_close(self->device);
	fake_stop(&self->server);
}

/* A server with this script gives no device, and this errno. */
#define EXPECT_OPEN_ERRNO(wanted, ...) do { \
	const struct say script_[] = { __VA_ARGS__ }; \
	unsigned int before_; \
	ASSERT_TRUE(fake_start(&self->server, script_)); \
	before_ = open_files(); \
	errno = 0; \
	EXPECT_EQ(NULL, ivsh_device_open(self->server.name)); \
	EXPECT_EQ(wanted, errno); \
	fake_join(&self->server); \
	/* Only the server's end is new. */ \
	EXPECT_GE(before_ + 1, open_files()); \
} while (0)

#define GREETING { 0, NO_FD }, { 3, NO_FD }, { -1, self->memory }

TEST_F(protocol, server_that_hangs_up_at_once_is_econnreset)
{
	EXPECT_OPEN_ERRNO(ECONNRESET, { 0, HANG_UP });
}

TEST_F(protocol, server_that_hangs_up_before_the_memory_is_econnreset)
{
	EXPECT_OPEN_ERRNO(ECONNRESET, { 0, NO_FD }, { 3, NO_FD }, { 0, HANG_UP });
}

TEST_F(protocol, another_version_is_eproto)
{
	EXPECT_OPEN_ERRNO(EPROTO, { 1, NO_FD }, { 0, END });
}

TEST_F(protocol, version_with_a_descriptor_is_eproto)
{
	EXPECT_OPEN_ERRNO(EPROTO, { 0, self->bell }, { 0, END });
}

TEST_F(protocol, refusal_is_econnrefused)
{
	EXPECT_OPEN_ERRNO(ECONNREFUSED, { -1, NO_FD }, { 0, HANG_UP });
}

TEST_F(protocol, own_id_above_the_maximum_is_eproto)
{
	EXPECT_OPEN_ERRNO(EPROTO, { 0, NO_FD }, { 65536, NO_FD }, { 0, END });
}

TEST_F(protocol, own_id_that_is_negative_is_eproto)
{
	EXPECT_OPEN_ERRNO(EPROTO, { 0, NO_FD }, { INT64_MIN, NO_FD }, { 0, END });
}

TEST_F(protocol, own_id_with_a_descriptor_is_eproto)
{
	EXPECT_OPEN_ERRNO(EPROTO, { 0, NO_FD }, { 1, self->bell }, { 0, END });
}

TEST_F(protocol, memory_without_a_descriptor_is_eproto)
{
	EXPECT_OPEN_ERRNO(EPROTO, { 0, NO_FD }, { 1, NO_FD }, { -1, NO_FD },
			  { 0, END });
}

TEST_F(protocol, vectors_before_the_memory_are_eproto)
{
	EXPECT_OPEN_ERRNO(EPROTO, { 0, NO_FD }, { 1, NO_FD }, { 1, self->bell },
			  { 0, END });
}

TEST_F(protocol, memory_that_is_no_memory_is_eproto)
{
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	EXPECT_OPEN_ERRNO(EPROTO, { 0, NO_FD }, { 1, NO_FD }, { -1, ends[0] },
			  { 0, END });
}

TEST_F(protocol, memory_that_is_empty_is_eproto)
{
	EXPECT_OPEN_ERRNO(EPROTO, { 0, NO_FD }, { 1, NO_FD },
			  { -1, new_memory(0) }, { 0, END });
}

TEST_F(protocol, no_server_at_the_socket_is_econnrefused)
{
	close(self->server.listener);
	errno = 0;
	EXPECT_EQ(NULL, ivsh_device_open(self->server.name));
	EXPECT_EQ(ECONNREFUSED, errno);
	self->server.listener = -1;
}

static void *accept_in_silence(void *data)
{
	struct fake_server *server = data;

	server->sock = accept(server->listener, NULL, NULL);
	/* Until the client has given up. */
	while (recv(server->sock, &(char){ 0 }, 1, 0) > 0)
		;
	return NULL;
}

TEST_F(protocol, server_that_says_nothing_is_etimedout)
{
	self->server.threaded = !pthread_create(&self->server.thread, NULL,
						accept_in_silence, &self->server);
	ASSERT_TRUE(self->server.threaded);
	errno = 0;
	EXPECT_EQ(NULL, ivsh_device_open(self->server.name));
	EXPECT_EQ(ETIMEDOUT, errno);
}

/* --- after the greeting -------------------------------------------------- */

static bool greet(struct __test_metadata *_metadata,
		  FIXTURE_DATA(protocol) *self, const struct say *script)
{
	(void)_metadata;
	if (!fake_start(&self->server, script))
		return false;
	self->device = ivsh_device_open(self->server.name);
	fake_join(&self->server);
	return self->device;
}

#define GREET(...) do { \
	const struct say script_[] = { GREETING, __VA_ARGS__ __VA_OPT__(,) \
				       { 0, END } }; \
	ASSERT_TRUE(greet(_metadata, self, script_)); \
} while (0)

#define OWN_VECTOR { 3, self->bell }

/* Returns the errno of the loss, or -1 when another event came. */
static int lost_by(struct ivsh_device *device)
{
	struct ivsh_peer_event *event =
		ivsh_device_wait_peer_event(device, 20 * SECOND);
	int error = -1;

	if (event && ivsh_peer_event_type(event) == IVSH_SERVER_LOST)
		error = ivsh_peer_event_error(event);
	ivsh_peer_event_free(event);
	return error;
}

#define EXPECT_LOST(wanted, value, fd) do { \
	GREET(OWN_VECTOR); \
	ASSERT_TRUE(fake_send(&self->server, value, fd)); \
	EXPECT_EQ(wanted, lost_by(self->device)); \
	/* Told once; then there is nothing to wait for. */ \
	errno = 0; \
	EXPECT_EQ(NULL, ivsh_device_wait_peer_event(self->device, -1)); \
	EXPECT_EQ(ENODEV, errno); \
	/* What is there goes on working. */ \
	EXPECT_EQ(0, ivsh_device_ring(self->device, 3, 0)); \
} while (0)

TEST_F(protocol, peer_id_above_the_maximum_is_eproto)
{
	EXPECT_LOST(EPROTO, 65536, self->bell);
}

TEST_F(protocol, peer_id_that_is_huge_is_eproto)
{
	EXPECT_LOST(EPROTO, INT64_MAX, NO_FD);
}

TEST_F(protocol, peer_id_that_is_negative_is_eproto)
{
	EXPECT_LOST(EPROTO, -2, self->bell);
}

TEST_F(protocol, second_memory_is_eproto)
{
	EXPECT_LOST(EPROTO, -1, self->memory);
}

TEST_F(protocol, leave_of_ourselves_is_eproto)
{
	EXPECT_LOST(EPROTO, 3, NO_FD);
}

TEST_F(protocol, vector_that_is_a_pipe_is_eproto)
{
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	EXPECT_LOST(EPROTO, 4, ends[1]);
}

TEST_F(protocol, vector_that_is_a_file_is_eproto)
{
	EXPECT_LOST(EPROTO, 4, self->memory);
}

TEST_F(protocol, vector_that_is_a_timer_is_eproto)
{
	EXPECT_LOST(EPROTO, 4, timerfd_create(CLOCK_MONOTONIC, 0));
}

TEST_F(protocol, vector_that_is_an_epoll_is_eproto)
{
	EXPECT_LOST(EPROTO, 4, epoll_create1(0));
}

TEST_F(protocol, two_descriptors_in_a_message_are_eproto)
{
	int fds[] = { self->bell, new_eventfd() };
	int64_t id = 4;

	GREET(OWN_VECTOR);
	ASSERT_TRUE(fake_send_raw(self->server.sock, &id, 8, fds, 2));
	EXPECT_EQ(EPROTO, lost_by(self->device));
}

TEST_F(protocol, descriptors_in_both_halves_of_a_message_are_eproto)
{
	int fd = new_eventfd();
	int64_t id = 4;

	GREET(OWN_VECTOR);
	ASSERT_TRUE(fake_send_raw(self->server.sock, &id, 4, &fd, 1));
	ASSERT_TRUE(fake_send_raw(self->server.sock, (char *)&id + 4, 4, &fd, 1));
	EXPECT_EQ(EPROTO, lost_by(self->device));
}

TEST_F(protocol, end_inside_a_message_is_econnreset)
{
	GREET(OWN_VECTOR);
	ASSERT_TRUE(fake_send_raw(self->server.sock, "abc", 3, NULL, 0));
	close(self->server.sock);
	self->server.sock = -1;
	EXPECT_EQ(ECONNRESET, lost_by(self->device));
}

/* A descriptor that is lost must not look like a peer that has left. */
TEST_F(protocol, no_descriptor_left_is_emfile)
{
	struct ivsh_peer_event *event;
	struct rlimit limit;

	GREET(OWN_VECTOR, { 4, new_eventfd() });
	ASSERT_EQ(0, ivsh_device_ring(self->device, 4, 0));
	ASSERT_TRUE(fake_send(&self->server, 4, self->bell));
	limit.rlim_cur = limit.rlim_max = dup(self->bell);
	close(limit.rlim_cur);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	event = ivsh_device_wait_peer_event(self->device, 20 * SECOND);
	ASSERT_NE(NULL, event);
	EXPECT_EQ(IVSH_PEER_JOINED, ivsh_peer_event_type(event));
	ivsh_peer_event_free(event);
	EXPECT_EQ(EMFILE, lost_by(self->device));
	EXPECT_EQ(0, ivsh_device_ring(self->device, 4, 0));
}

TEST_F(protocol, message_in_single_bytes_is_understood)
{
	struct ivsh_peer_event *event;
	int64_t id = 4;

	GREET(OWN_VECTOR);
	for (int i = 0; i < 8; i++)
		ASSERT_TRUE(fake_send_raw(self->server.sock, (char *)&id + i, 1,
					  &self->bell, i == 0));
	event = ivsh_device_wait_peer_event(self->device, 20 * SECOND);
	ASSERT_NE(NULL, event);
	EXPECT_EQ(IVSH_PEER_JOINED, ivsh_peer_event_type(event));
	EXPECT_EQ(4, ivsh_peer_event_peer(event));
	EXPECT_EQ(1, ivsh_peer_event_nr_vectors(event));
	EXPECT_EQ(0, ivsh_peer_event_error(event));
	ivsh_peer_event_free(event);
}

TEST_F(protocol, leave_of_a_stranger_is_ignored)
{
	GREET(OWN_VECTOR);
	ASSERT_TRUE(fake_send(&self->server, 77, NO_FD));
	ASSERT_TRUE(fake_send(&self->server, 65535, NO_FD));
	ASSERT_TRUE(fake_send(&self->server, 65535, self->bell));
	EXPECT_EQ(0, ivsh_device_ring(self->device, 65535, 0));
}

TEST_F(protocol, vectors_beyond_the_maximum_are_closed)
{
	unsigned int before;

	GREET();
	before = open_files();
	for (int i = 0; i < 300; i++) {
		ASSERT_TRUE(fake_send(&self->server, 4, self->bell));
		/* Which reads: a socket does not hold so many. */
		EXPECT_EQ(0, ivsh_device_ring(self->device, 4, 0));
	}
	EXPECT_EQ(0, ivsh_device_ring(self->device, 4, 255));
	EXPECT_EQ(before + 256, open_files());
}

TEST_F(protocol, own_vectors_after_those_of_others_are_found)
{
	struct ivsh_info *info;
	int bells[2] = { new_eventfd(), new_eventfd() };

	/* The order of QEMU's example server. */
	GREET({ 1, new_eventfd() }, { 1, new_eventfd() }, { 3, bells[0] },
	      { 3, bells[1] });
	info = ivsh_device_get_info(self->device);
	ASSERT_NE(NULL, info);
	EXPECT_EQ(2, ivsh_info_nr_vectors(info));
	EXPECT_EQ(3, ivsh_info_own_id(info));
	ivsh_info_free(info);
	EXPECT_EQ(0, ivsh_device_ring(self->device, 1, 1));
}

TEST_F(protocol, server_without_vectors_is_understood)
{
	struct ivsh_info *info;

	GREET();
	info = ivsh_device_get_info(self->device);
	ASSERT_NE(NULL, info);
	EXPECT_EQ(0, ivsh_info_nr_vectors(info));
	ivsh_info_free(info);
	errno = 0;
	EXPECT_EQ(NULL, ivsh_vector_bind(self->device, 0));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(protocol, id_given_again_is_told_as_left_and_joined)
{
	enum ivsh_peer_event_type wanted[] = { IVSH_PEER_LEFT, IVSH_PEER_JOINED };
	struct ivsh_peer_event *event;

	GREET(OWN_VECTOR, { 1, new_eventfd() });
	ivsh_peer_event_free(ivsh_device_wait_peer_event(self->device,
							 20 * SECOND));
	ASSERT_TRUE(fake_send(&self->server, 1, NO_FD));
	ASSERT_TRUE(fake_send(&self->server, 1, new_eventfd()));
	for (int i = 0; i < 2; i++) {
		event = ivsh_device_wait_peer_event(self->device, 20 * SECOND);
		ASSERT_NE(NULL, event);
		EXPECT_EQ(wanted[i], ivsh_peer_event_type(event));
		EXPECT_EQ(1, ivsh_peer_event_peer(event));
		ivsh_peer_event_free(event);
	}
}

TEST_F(protocol, peer_that_came_and_left_is_not_told_of)
{
	unsigned int before;

	GREET(OWN_VECTOR);
	ASSERT_EQ(0, ivsh_device_ring(self->device, 3, 0));
	before = open_files();
	for (int i = 0; i < 1000; i++) {
		ASSERT_TRUE(fake_send(&self->server, 9 + i % 5, self->bell));
		ASSERT_TRUE(fake_send(&self->server, 9 + i % 5, NO_FD));
		ASSERT_EQ(0, ivsh_device_ring(self->device, 3, 0));
	}
	errno = 0;
	EXPECT_EQ(NULL, ivsh_device_wait_peer_event(self->device, 0));
	EXPECT_EQ(ETIMEDOUT, errno);
	EXPECT_EQ(before, open_files());
}

/* --- eventfds that others meddle with ------------------------------------ */

static void clear_nonblock(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

TEST_F(protocol, vector_made_blocking_by_others_does_not_block)
{
	struct ivsh_vector *vector;
	uint64_t count = 1;

	GREET(OWN_VECTOR);
	vector = ivsh_vector_bind(self->device, 0);
	ASSERT_NE(NULL, vector);
	clear_nonblock(self->bell);
	EXPECT_EQ(0, ivsh_vector_clear(vector, &count));
	EXPECT_EQ(0, count);
	errno = 0;
	EXPECT_EQ(-1, ivsh_vector_wait(vector, 0, NULL));
	EXPECT_EQ(ETIMEDOUT, errno);
	EXPECT_EQ(0, ivsh_device_ring(self->device, 3, 0));
	EXPECT_EQ(0, ivsh_vector_wait(vector, 20 * SECOND, &count));
	EXPECT_EQ(1, count);
	ivsh_vector_unbind(vector);
}

TEST_F(protocol, ring_of_a_full_eventfd_does_not_block)
{
	GREET(OWN_VECTOR);
	ASSERT_EQ(0, eventfd_write(self->bell, UINT64_MAX - 1));
	clear_nonblock(self->bell);
	EXPECT_EQ(0, ivsh_device_ring(self->device, 3, 0));
}

static unsigned int inherited_files(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) == 0;
	return count;
}

TEST_F(protocol, descriptors_are_closed_on_exec)
{
	unsigned int before = inherited_files();

	GREET(OWN_VECTOR, { 4, new_eventfd() });
	EXPECT_EQ(0, ivsh_device_ring(self->device, 4, 0));
	/* The socket that the fake server has accepted. */
	EXPECT_EQ(before + 1, inherited_files());
}

/* --- the memory ---------------------------------------------------------- */

static bool may_shrink(struct ivsh_device *device)
{
	struct ivsh_info *info = ivsh_device_get_info(device);
	bool shrink = ivsh_info_may_shrink(info);

	ivsh_info_free(info);
	return shrink;
}

TEST_F(protocol, memory_that_is_not_sealed_may_shrink)
{
	GREET(OWN_VECTOR);
	EXPECT_TRUE(may_shrink(self->device));
}

TEST_F(protocol, memory_that_is_sealed_may_not_shrink)
{
	ASSERT_EQ(0, fcntl(self->memory, F_ADD_SEALS, F_SEAL_SHRINK));
	GREET(OWN_VECTOR);
	EXPECT_FALSE(may_shrink(self->device));
}

TEST_F(protocol, region_beyond_memory_that_shrank_is_einval)
{
	GREET(OWN_VECTOR);
	ASSERT_EQ(0, ftruncate(self->memory, 4096));
	errno = 0;
	EXPECT_EQ(NULL, ivsh_region_map(self->device, 0, MEMORY_SIZE, 0));
	EXPECT_EQ(EINVAL, errno);
}

TEST_HARNESS_MAIN
