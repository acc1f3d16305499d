// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The library as a host peer of a real ivshmemd, and on plain memory of the
 * host: the same calls as in a guest, object by object. Each device is a peer
 * of its own, so that one process can talk to itself. Bad servers are in
 * peer_protocol.c.
 */
#include <ivshmem.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "kselftest_harness.h"
#include "server_process.h"

#define SECOND 1000000000LL
#define LIMIT (20 * SECOND)
#define VECTORS 4
#define SIZE 65536

#define EXPECT_ERRNO(wanted, call) do { \
	errno = 0; \
	EXPECT_EQ(-1, (call)); \
	EXPECT_EQ(wanted, errno); \
} while (0)

#define EXPECT_NULL_ERRNO(wanted, call) do { \
	errno = 0; \
	EXPECT_EQ(NULL, (call)); \
	EXPECT_EQ(wanted, errno); \
} while (0)

FIXTURE(peer) {
	struct server server;
	char name[128];
	struct ivsh_device *a, *b;	/* peers 0 and 1 */
};

/* The server announces others as it gets to it: until all of them have come. */
static bool knows(struct ivsh_device *device, uint32_t peer)
{
	struct pollfd fd = { ivsh_device_fd(device), POLLIN, 0 };

	while (ivsh_device_ring(device, peer, VECTORS - 1))
		if (errno != ENOTCONN || poll(&fd, 1, WAIT_MS) <= 0)
			return false;
	return true;
}

FIXTURE_SETUP(peer)
{
	ASSERT_TRUE(server_init(&self->server));
	ASSERT_TRUE(server_start(&self->server, "-l 64K -n 4"));
	snprintf(self->name, sizeof(self->name), "unix:%s",
		 self->server.socket);
	self->a = ivsh_device_open(self->name);
	self->b = ivsh_device_open(self->name);
	ASSERT_NE(NULL, self->a);
	ASSERT_NE(NULL, self->b);
	ASSERT_TRUE(knows(self->a, 1));
	ASSERT_TRUE(knows(self->b, 0));
}

FIXTURE_TEARDOWN(peer)
{
	ivsh_device_close(self->b);
	ivsh_device_close(self->a);
	EXPECT_TRUE(server_fini(&self->server));
}

static short poll_now(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	poll(&pollfd, 1, 0);
	return pollfd.revents;
}

/* --- info and regions ---------------------------------------------------- */

TEST_F(peer, info_says_what_the_server_gave)
{
	struct ivsh_info *info = ivsh_device_get_info(self->b);

	ASSERT_NE(NULL, info);
	EXPECT_TRUE(ivsh_info_has_doorbell(info));
	EXPECT_EQ(SIZE, ivsh_info_shmem_size(info));
	EXPECT_EQ(1, ivsh_info_own_id(info));
	EXPECT_EQ(VECTORS, ivsh_info_nr_vectors(info));
	EXPECT_EQ(0, ivsh_info_revision(info));
	EXPECT_EQ(0, ivsh_info_generation(info));
	EXPECT_EQ(IVSH_PAGE_ATTR_WB, ivsh_info_page_attr(info));
	ivsh_info_free(info);
	EXPECT_STREQ(self->name, ivsh_device_path(self->b));
}

TEST_F(peer, alone_knows_its_vectors)
{
	struct ivsh_info *info;

	ivsh_device_close(self->b);
	ivsh_device_close(self->a);
	self->b = NULL;
	self->a = ivsh_device_open(self->name);
	info = ivsh_device_get_info(self->a);
	ASSERT_NE(NULL, info);
	EXPECT_EQ(2, ivsh_info_own_id(info));
	EXPECT_EQ(VECTORS, ivsh_info_nr_vectors(info));
	ivsh_info_free(info);
}

TEST_F(peer, opened_again_is_another_peer)
{
	struct ivsh_info *info;

	ivsh_device_close(self->b);
	self->b = ivsh_device_open(self->name);
	info = ivsh_device_get_info(self->b);
	ASSERT_NE(NULL, info);
	EXPECT_EQ(2, ivsh_info_own_id(info));
	ivsh_info_free(info);
}

TEST_F(peer, regions_are_the_same_memory)
{
	struct ivsh_region *a = ivsh_region_map(self->a, 0, 0, 0);
	struct ivsh_region *b = ivsh_region_map(self->b, 4096, 5000,
						IVSH_READ_ONLY);

	ASSERT_NE(NULL, a);
	ASSERT_NE(NULL, b);
	EXPECT_EQ(SIZE, ivsh_region_size(a));
	EXPECT_EQ(5000, ivsh_region_size(b));
	strcpy((char *)ivsh_region_address(a) + 4096, "hello");
	EXPECT_STREQ("hello", (char *)ivsh_region_address(b));
	ivsh_region_unmap(b);
	ivsh_region_unmap(a);
}

TEST_F(peer, region_outside_is_einval)
{
	EXPECT_NULL_ERRNO(EINVAL, ivsh_region_map(self->a, 0, SIZE + 1, 0));
	EXPECT_NULL_ERRNO(EINVAL, ivsh_region_map(self->a, SIZE, 0, 0));
	EXPECT_NULL_ERRNO(EINVAL, ivsh_region_map(self->a, 1, 4096, 0));
	EXPECT_NULL_ERRNO(EINVAL, ivsh_region_map(self->a, 0, 0, 2));
}

TEST_F(peer, read_only_cannot_write_or_ring)
{
	struct ivsh_device *device = ivsh_device_open_read_only(self->name);
	struct ivsh_region *region;

	ASSERT_NE(NULL, device);
	EXPECT_ERRNO(EACCES, ivsh_device_ring(device, 0, 0));
	EXPECT_NULL_ERRNO(EACCES, ivsh_region_map(device, 0, 0, 0));
	region = ivsh_region_map(device, 0, 0, IVSH_READ_ONLY);
	EXPECT_NE(NULL, region);
	ivsh_region_unmap(region);
	ivsh_device_close(device);
}

/* --- rings and vectors --------------------------------------------------- */

TEST_F(peer, ring_arrives_on_each_vector)
{
	for (uint32_t i = 0; i < VECTORS; i++) {
		struct ivsh_vector *vector = ivsh_vector_bind(self->b, i);
		uint64_t count = 0;

		ASSERT_NE(NULL, vector);
		EXPECT_EQ(i, ivsh_vector_number(vector));
		EXPECT_EQ(0, poll_now(ivsh_vector_fd(vector)));
		EXPECT_EQ(0, ivsh_device_ring(self->a, 1, i));
		EXPECT_EQ(POLLIN, poll_now(ivsh_vector_fd(vector)));
		EXPECT_EQ(0, ivsh_vector_wait(vector, LIMIT, &count));
		EXPECT_EQ(1, count);
		EXPECT_EQ(0, poll_now(ivsh_vector_fd(vector)));
		ivsh_vector_unbind(vector);
	}
}

TEST_F(peer, ring_of_itself_arrives)
{
	struct ivsh_vector *vector = ivsh_vector_bind(self->a, 2);

	ASSERT_NE(NULL, vector);
	EXPECT_EQ(0, ivsh_device_ring(self->a, 0, 2));
	EXPECT_EQ(0, ivsh_vector_wait(vector, LIMIT, NULL));
	ivsh_vector_unbind(vector);
}

TEST_F(peer, rings_coalesce_and_are_counted)
{
	struct ivsh_vector *vector = ivsh_vector_bind(self->b, 0);
	uint64_t count = 0;

	ASSERT_NE(NULL, vector);
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(0, ivsh_device_ring(self->a, 1, 0));
	EXPECT_EQ(0, ivsh_vector_clear(vector, &count));
	EXPECT_EQ(5, count);
	EXPECT_ERRNO(ETIMEDOUT, ivsh_vector_wait(vector, 0, NULL));
	ivsh_vector_unbind(vector);
}

TEST_F(peer, ring_before_the_binding_is_not_seen)
{
	struct ivsh_vector *vector;
	uint64_t count = 1;

	EXPECT_EQ(0, ivsh_device_ring(self->a, 1, 0));
	vector = ivsh_vector_bind(self->b, 0);
	ASSERT_NE(NULL, vector);
	EXPECT_EQ(0, ivsh_vector_clear(vector, &count));
	EXPECT_EQ(0, count);
	ivsh_vector_unbind(vector);
}

TEST_F(peer, vector_bound_twice_is_ebusy)
{
	struct ivsh_vector *vector = ivsh_vector_bind(self->b, 0);

	EXPECT_NULL_ERRNO(EBUSY, ivsh_vector_bind(self->b, 0));
	ivsh_vector_unbind(vector);
	vector = ivsh_vector_bind(self->b, 0);
	EXPECT_NE(NULL, vector);
	ivsh_vector_unbind(vector);
}

TEST_F(peer, vector_beyond_the_last_is_einval)
{
	EXPECT_NULL_ERRNO(EINVAL, ivsh_vector_bind(self->b, VECTORS));
	EXPECT_NULL_ERRNO(EINVAL, ivsh_vector_bind(self->b, 256));
}

TEST_F(peer, ring_to_nobody_is_enotconn)
{
	EXPECT_ERRNO(ENOTCONN, ivsh_device_ring(self->a, 7, 0));
	EXPECT_ERRNO(ENOTCONN, ivsh_device_ring(self->a, 1, VECTORS));
	EXPECT_ERRNO(EINVAL, ivsh_device_ring(self->a, IVSH_PEER_MAX + 1, 0));
	EXPECT_ERRNO(EINVAL, ivsh_device_ring(self->a, 1, IVSH_VECTOR_MAX + 1));
}

/* --- events -------------------------------------------------------------- */

/* Whether the next event is this one. */
static bool told(struct ivsh_device *device, enum ivsh_peer_event_type type,
		 uint32_t peer, uint32_t nr_vectors)
{
	struct ivsh_peer_event *event =
		ivsh_device_wait_peer_event(device, LIMIT);
	bool right = event && ivsh_peer_event_type(event) == type &&
		     ivsh_peer_event_peer(event) == peer &&
		     ivsh_peer_event_nr_vectors(event) == nr_vectors;

	ivsh_peer_event_free(event);
	return right;
}

TEST_F(peer, those_there_before_have_joined)
{
	EXPECT_TRUE(told(self->b, IVSH_PEER_JOINED, 0, VECTORS));
	EXPECT_NULL_ERRNO(ETIMEDOUT, ivsh_device_wait_peer_event(self->b, 0));
}

TEST_F(peer, joining_and_leaving_are_told)
{
	struct pollfd fd = { ivsh_device_fd(self->a), POLLIN, 0 };

	EXPECT_TRUE(told(self->a, IVSH_PEER_JOINED, 1, VECTORS));
	EXPECT_NULL_ERRNO(ETIMEDOUT, ivsh_device_wait_peer_event(self->a, 0));
	EXPECT_EQ(0, poll_now(fd.fd));
	ivsh_device_close(self->b);
	self->b = NULL;
	EXPECT_EQ(1, poll(&fd, 1, WAIT_MS));
	EXPECT_TRUE(told(self->a, IVSH_PEER_LEFT, 1, 0));
	EXPECT_EQ(0, poll_now(fd.fd));
	EXPECT_ERRNO(ENOTCONN, ivsh_device_ring(self->a, 1, 0));
}

TEST_F(peer, event_read_while_ringing_polls_readable)
{
	EXPECT_EQ(0, ivsh_device_ring(self->a, 1, 0));
	/* The socket is empty now, the event is in the library. */
	EXPECT_EQ(POLLIN, poll_now(ivsh_device_fd(self->a)));
	EXPECT_TRUE(told(self->a, IVSH_PEER_JOINED, 1, VECTORS));
	EXPECT_EQ(0, poll_now(ivsh_device_fd(self->a)));
}

TEST_F(peer, wait_for_events_of_a_bad_time_is_einval)
{
	EXPECT_NULL_ERRNO(EINVAL, ivsh_device_wait_peer_event(self->a, -2));
}

static void do_nothing(int sig)
{
	(void)sig;
}

TEST_F(peer, event_wait_interrupted_by_a_signal_is_eintr)
{
	struct sigaction action = { .sa_handler = do_nothing };
	struct itimerspec every_10_ms = { { 0, 10000000 }, { 0, 10000000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGUSR1 };
	timer_t timer;

	EXPECT_TRUE(told(self->a, IVSH_PEER_JOINED, 1, VECTORS));
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, timer_create(CLOCK_MONOTONIC, &event, &timer));
	ASSERT_EQ(0, timer_settime(timer, 0, &every_10_ms, NULL));
	EXPECT_NULL_ERRNO(EINTR, ivsh_device_wait_peer_event(self->a, -1));
	ASSERT_EQ(0, timer_delete(timer));
}

static void kill_server(struct server *server)
{
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	server->pid = 0;
	unlink(server->socket);
	unlink(server_path(server, "socket.lock"));
	unlink(server_path(server, "socket.control"));
}

TEST_F(peer, server_that_dies_is_told_once_and_rings_go_on)
{
	struct ivsh_vector *vector = ivsh_vector_bind(self->b, 0);
	struct ivsh_region *region = ivsh_region_map(self->b, 0, 0, 0);
	struct ivsh_peer_event *event;

	EXPECT_TRUE(told(self->a, IVSH_PEER_JOINED, 1, VECTORS));
	kill_server(&self->server);
	event = ivsh_device_wait_peer_event(self->a, LIMIT);
	ASSERT_NE(NULL, event);
	EXPECT_EQ(IVSH_SERVER_LOST, ivsh_peer_event_type(event));
	EXPECT_EQ(ECONNRESET, ivsh_peer_event_error(event));
	ivsh_peer_event_free(event);
	EXPECT_NULL_ERRNO(ENODEV, ivsh_device_wait_peer_event(self->a, -1));
	EXPECT_EQ(0, ivsh_device_ring(self->a, 1, 0));
	EXPECT_EQ(0, ivsh_vector_wait(vector, LIMIT, NULL));
	EXPECT_ERRNO(ETIMEDOUT, ivsh_vector_wait(vector, 1000000, NULL));
	ASSERT_NE(NULL, region);
	strcpy(ivsh_region_address(region), "still there");
	ivsh_region_unmap(region);
	ivsh_vector_unbind(vector);
}

/* Waiting for a vector reads the server's messages too: they do not pile up. */
TEST_F(peer, who_waits_for_a_vector_hears_the_server)
{
	struct ivsh_vector *vector = ivsh_vector_bind(self->a, 0);
	struct ivsh_device *more[40];

	ASSERT_NE(NULL, vector);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		more[i] = ivsh_device_open(self->name);
		ASSERT_NE(NULL, more[i]);
		EXPECT_ERRNO(ETIMEDOUT, ivsh_vector_wait(vector, 0, NULL));
	}
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		EXPECT_EQ(0, ivsh_device_ring(more[i], 0, 0));
	EXPECT_EQ(0, ivsh_vector_wait(vector, LIMIT, NULL));
	for (uint32_t i = 1; i < ARRAY_SIZE(more) + 2; i++)
		EXPECT_TRUE(told(self->a, IVSH_PEER_JOINED, i, VECTORS));
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		ivsh_device_close(more[i]);
	ivsh_vector_unbind(vector);
}

/* --- threads ------------------------------------------------------------- */

struct crew {
	struct ivsh_device *device, *other;
	uint32_t number;
	atomic_uint *failed;
};

static void *ring_and_wait(void *data)
{
	struct crew *crew = data;
	struct ivsh_vector *vector = ivsh_vector_bind(crew->device,
						      crew->number);

	for (int i = 0; vector && i < 300; i++)
		if (ivsh_device_ring(crew->other, 0, crew->number) ||
		    ivsh_vector_wait(vector, LIMIT, NULL))
			atomic_fetch_add(crew->failed, 1);
	if (!vector)
		atomic_fetch_add(crew->failed, 1);
	ivsh_vector_unbind(vector);
	return NULL;
}

static void *come_and_go(void *data)
{
	struct crew *crew = data;
	const char *name = ivsh_device_path(crew->device);

	for (int i = 0; i < 20; i++) {
		struct ivsh_device *device = ivsh_device_open(name);
		struct ivsh_info *info = device ? ivsh_device_get_info(device)
						: NULL;

		if (!info || ivsh_device_ring(device, 0, 3))
			atomic_fetch_add(crew->failed, 1);
		ivsh_info_free(info);
		ivsh_device_close(device);
	}
	return NULL;
}

TEST_F(peer, threads_ring_and_wait_while_others_come_and_go)
{
	struct crew crew[VECTORS];
	pthread_t thread[VECTORS];
	struct ivsh_peer_event *event;
	atomic_uint failed = 0;
	int joined = 0, left = 0;

	for (uint32_t i = 0; i < VECTORS; i++) {
		crew[i] = (struct crew){ self->a, self->b, i, &failed };
		ASSERT_EQ(0, pthread_create(&thread[i], NULL,
					    i == 3 ? come_and_go : ring_and_wait,
					    &crew[i]));
	}
	while (left < 1) {
		event = ivsh_device_wait_peer_event(self->a, LIMIT);
		ASSERT_NE(NULL, event);
		joined += ivsh_peer_event_type(event) == IVSH_PEER_JOINED;
		left += ivsh_peer_event_type(event) == IVSH_PEER_LEFT;
		ivsh_peer_event_free(event);
	}
	for (int i = 0; i < VECTORS; i++)
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
	EXPECT_EQ(0, atomic_load(&failed));
	EXPECT_LE(2, joined);
}

/* --- names --------------------------------------------------------------- */

TEST(socket_that_is_not_there_is_enoent)
{
	EXPECT_NULL_ERRNO(ENOENT, ivsh_device_open("unix:/absent/socket"));
}

TEST(socket_name_that_is_empty_or_too_long_is_einval)
{
	char name[200] = "unix:/";

	memset(name + 6, 'x', sizeof(name) - 7);
	EXPECT_NULL_ERRNO(EINVAL, ivsh_device_open(name));
	EXPECT_NULL_ERRNO(EINVAL, ivsh_device_open("unix:"));
}

TEST(socket_of_datagrams_is_enotty)
{
	struct sockaddr_un address = { AF_UNIX, "/tmp/ivshmem-dgram" };
	int sock = socket(AF_UNIX, SOCK_DGRAM, 0);

	unlink(address.sun_path);
	ASSERT_EQ(0, bind(sock, (void *)&address, sizeof(address)));
	EXPECT_NULL_ERRNO(ENOTTY, ivsh_device_open("unix:/tmp/ivshmem-dgram"));
	unlink(address.sun_path);
	close(sock);
}

TEST(socket_without_permission_is_eacces)
{
	struct server server;
	char name[128];
	int status;
	pid_t pid;

	if (geteuid())
		SKIP(return, "only root can become somebody else");
	ASSERT_TRUE(server_init(&server));
	ASSERT_TRUE(server_start(&server, "-l 64K"));
	snprintf(name, sizeof(name), "unix:%s", server.socket);
	pid = fork();
	if (!pid)
		_exit(setuid(65534) || ivsh_device_open(name) ||
		      errno != EACCES);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(server_fini(&server));
}

/* --- plain memory -------------------------------------------------------- */

TEST_F(peer, has_no_masks_no_stats_no_wait_for_a_set_and_no_dmabufs)
{
	struct ivsh_vector *vector = ivsh_vector_bind(self->a, 0);
	struct ivsh_vector_set set = { { 1 } };

	ASSERT_NE(NULL, vector);
	EXPECT_ERRNO(EOPNOTSUPP,
		     ivsh_vector_set_mode(vector, IVSH_VECTOR_ONE_SHOT));
	EXPECT_NULL_ERRNO(EOPNOTSUPP, ivsh_device_get_stats(self->a));
	EXPECT_ERRNO(EOPNOTSUPP, ivsh_device_wait(self->a, &set, 0, NULL));
	EXPECT_ERRNO(EOPNOTSUPP, ivsh_device_export_dmabuf(self->a, 0, 0));
	ivsh_vector_unbind(vector);
}

FIXTURE(memory) {
	char shm[64];
	char path[96];		/* of the same memory, as a file */
	char file[128];
	struct ivsh_device *device;
};

FIXTURE_SETUP(memory)
{
	int fd;

	snprintf(self->shm, sizeof(self->shm), "shm:/ivshmem-test-%d", getpid());
	snprintf(self->path, sizeof(self->path), "/dev/shm/%s", self->shm + 5);
	snprintf(self->file, sizeof(self->file), "file:%s", self->path);
	fd = shm_open(self->shm + 4, O_RDWR | O_CREAT | O_EXCL, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, SIZE));
	close(fd);
	self->device = ivsh_device_open(self->shm);
	ASSERT_NE(NULL, self->device);
}

FIXTURE_TEARDOWN(memory)
{
	ivsh_device_close(self->device);
	unlink(self->path);
}

TEST_F(memory, is_a_plain_device)
{
	struct ivsh_info *info = ivsh_device_get_info(self->device);

	ASSERT_NE(NULL, info);
	EXPECT_FALSE(ivsh_info_has_doorbell(info));
	EXPECT_EQ(SIZE, ivsh_info_shmem_size(info));
	EXPECT_EQ(0, ivsh_info_nr_vectors(info));
	EXPECT_TRUE(ivsh_info_may_shrink(info));
	ivsh_info_free(info);
	EXPECT_STREQ(self->shm, ivsh_device_path(self->device));
}

TEST_F(memory, by_all_of_its_names_is_the_same)
{
	const char *names[] = { self->shm, self->file, self->path };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct ivsh_device *device = ivsh_device_open(names[i]);
		struct ivsh_region *region = ivsh_region_map(device, 0, 0, 0);
		struct ivsh_region *other = ivsh_region_map(self->device, 0, 0,
							    IVSH_READ_ONLY);

		ASSERT_NE(NULL, region);
		ASSERT_NE(NULL, other);
		strcpy(ivsh_region_address(region), names[i]);
		EXPECT_STREQ(names[i], (char *)ivsh_region_address(other));
		ivsh_region_unmap(other);
		ivsh_region_unmap(region);
		ivsh_device_close(device);
	}
}

TEST_F(memory, has_no_doorbell_no_vectors_no_events)
{
	EXPECT_ERRNO(EOPNOTSUPP, ivsh_device_ring(self->device, 0, 0));
	EXPECT_NULL_ERRNO(EOPNOTSUPP, ivsh_vector_bind(self->device, 0));
	EXPECT_NULL_ERRNO(EOPNOTSUPP,
			  ivsh_device_wait_peer_event(self->device, 0));
	EXPECT_EQ(0, poll_now(ivsh_device_fd(self->device)));
}

TEST_F(memory, read_only_cannot_be_written)
{
	struct ivsh_device *device = ivsh_device_open_read_only(self->shm);

	ASSERT_NE(NULL, device);
	EXPECT_NULL_ERRNO(EACCES, ivsh_region_map(device, 0, 0, 0));
	ivsh_device_close(device);
}

TEST_F(memory, guarded_region_outlives_memory_that_shrinks)
{
	struct ivsh_region *region = ivsh_region_map(self->device, 0, 0, 0);
	volatile char *byte = (char *)ivsh_region_address(region) + SIZE - 1;

	ASSERT_NE(NULL, region);
	*byte = 'x';
	ASSERT_EQ(0, ivsh_region_guard(region));
	ASSERT_EQ(0, truncate(self->path, 0));
	EXPECT_EQ(0, *byte);
	EXPECT_TRUE(ivsh_region_is_lost(region));
	*byte = 'y';
	EXPECT_EQ('y', *byte);
	ivsh_region_unmap(region);
}

TEST_F(memory, absent_is_enoent)
{
	EXPECT_NULL_ERRNO(ENOENT, ivsh_device_open("shm:/ivshmem-absent"));
	EXPECT_NULL_ERRNO(ENOENT, ivsh_device_open("file:/absent"));
}

TEST_F(memory, that_is_no_file_is_enotty)
{
	EXPECT_NULL_ERRNO(ENOTTY, ivsh_device_open("file:/dev/zero"));
	EXPECT_NULL_ERRNO(ENOTTY, ivsh_device_open("file:/tmp"));
	EXPECT_NULL_ERRNO(ENOTTY, ivsh_device_open("file:/proc/self/comm"));
	ASSERT_EQ(0, truncate(self->path, 0));
	EXPECT_NULL_ERRNO(ENOTTY, ivsh_device_open(self->shm));
}

TEST_F(memory, without_a_name_is_einval)
{
	EXPECT_NULL_ERRNO(EINVAL, ivsh_device_open("shm:"));
}

TEST_F(memory, without_permission_is_eacces)
{
	int status;
	pid_t pid;

	if (geteuid())
		SKIP(return, "only root can become somebody else");
	pid = fork();
	if (!pid)
		_exit(setuid(65534) || ivsh_device_open(self->shm) ||
		      errno != EACCES);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* In huge pages mappings begin and end at huge pages; regions need not. */
TEST(region_in_huge_pages_may_begin_at_any_page)
{
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	struct ivsh_region *region, *all;
	struct ivsh_device *device;
	char name[64];

	if (fd < 0 || ftruncate(fd, 4 << 20) ||
	    posix_fallocate(fd, 0, 4 << 20))
		SKIP(return, "no two free huge pages of 2 MiB");
	snprintf(name, sizeof(name), "file:/proc/self/fd/%d", fd);
	device = ivsh_device_open(name);
	ASSERT_NE(NULL, device);
	all = ivsh_region_map(device, 0, 0, 0);
	region = ivsh_region_map(device, (2 << 20) - 4096, 8192, 0);
	ASSERT_NE(NULL, all);
	ASSERT_NE(NULL, region);
	memcpy((char *)ivsh_region_address(all) + (2 << 20) - 1, "xy", 2);
	EXPECT_EQ(0, memcmp((char *)ivsh_region_address(region) + 4095, "xy",
			    2));
	ivsh_region_unmap(region);
	ivsh_region_unmap(all);
	ivsh_device_close(device);
	close(fd);
}

TEST_HARNESS_MAIN
