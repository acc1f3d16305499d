// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Vectors and eventfds: what is bound is signalled, what is not is not, and
 * nothing that a user does to his eventfds or files breaks it for others.
 * read() and poll() of the node are in event.c.
 */
#include <sys/epoll.h>
#include <sys/resource.h>

#include "guest.h"

#define NR_VECTORS 4
#define MARKER 3

FIXTURE(vector) {
	int fd;
	int other;	/* another file of the same device */
	int efd;	/* not bound */
	int spare;	/* not bound */
	int marker;	/* bound to MARKER of other, see settle() */
};

FIXTURE_SETUP(vector)
{
	self->fd = open(doorbell_node(), O_RDWR);
	self->other = open(doorbell_node(), O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->other);
	self->efd = new_eventfd();
	self->spare = new_eventfd();
	self->marker = new_eventfd();
	ASSERT_LE(0, self->marker);
	ASSERT_EQ(0, bind_vector(self->other, MARKER, self->marker));
}

FIXTURE_TEARDOWN(vector)
{
	close(self->marker);
	close(self->spare);
	close(self->efd);
	close(self->other);
	close(self->fd);
}

static bool settled(const FIXTURE_DATA(vector) *self)
{
	return settle(self->other, MARKER, self->marker);
}

TEST_F(vector, each_fires_its_own_eventfd_and_no_other)
{
	int efds[NR_VECTORS - 1];

	for (int i = 0; i < MARKER; i++) {
		efds[i] = new_eventfd();
		ASSERT_EQ(0, bind_vector(self->fd, i, efds[i]));
	}
	for (int i = 0; i < MARKER; i++) {
		ASSERT_EQ(0, ring_self(self->fd, i));
		EXPECT_NE(0, wait_eventfd(efds[i]));
		ASSERT_TRUE(settled(self));
		for (int k = 0; k < MARKER; k++)
			EXPECT_EQ(0, take_eventfd(efds[k]));
	}
}

TEST_F(vector, fires_once_for_each_ring_that_is_waited_for)
{
	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	for (int i = 0; i < 200; i++) {
		ASSERT_EQ(0, ring_self(self->fd, 0));
		ASSERT_EQ(1, wait_eventfd(self->efd));
	}
}

TEST_F(vector, fires_for_a_burst_of_rings_at_least_once_at_most_for_each)
{
	__u64 count;

	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	for (int i = 0; i < 500; i++)
		ASSERT_EQ(0, ring_self(self->fd, 0));
	count = wait_eventfd(self->efd);
	ASSERT_TRUE(settled(self));
	count += take_eventfd(self->efd);
	EXPECT_LE(1, count);
	EXPECT_GE(500, count);
}

TEST_F(vector, wakes_a_blocked_reader_of_the_eventfd)
{
	int efd = eventfd(0, EFD_CLOEXEC);
	int status, ready[2];
	__u64 count;
	pid_t pid;

	ASSERT_EQ(0, bind_vector(self->fd, 0, efd));
	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	if (!pid) {
		if (write(ready[1], "", 1) != 1)
			_exit(2);
		_exit(read(efd, &count, sizeof(count)) != sizeof(count));
	}
	ASSERT_EQ(1, read(ready[0], &status, 1));
	ASSERT_EQ(0, ring_self(self->fd, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(vector, wakes_epoll_for_each_edge)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET }, got;
	int epfd = epoll_create1(0);

	ASSERT_LE(0, epfd);
	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	ASSERT_EQ(0, epoll_ctl(epfd, EPOLL_CTL_ADD, self->efd, &event));
	for (int i = 0; i < 10; i++) {
		ASSERT_EQ(0, ring_self(self->fd, 0));
		ASSERT_EQ(1, epoll_wait(epfd, &got, 1, LIMIT_MS));
		EXPECT_EQ(EPOLLIN, got.events);
	}
	/* Never read in between: it has counted all of them. */
	EXPECT_EQ(10, take_eventfd(self->efd));
	close(epfd);
}

TEST_F(vector, bound_by_two_files_signals_both)
{
	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	ASSERT_EQ(0, bind_vector(self->other, 0, self->spare));
	ASSERT_EQ(0, ring_self(self->fd, 0));
	EXPECT_EQ(1, wait_eventfd(self->efd));
	EXPECT_EQ(1, wait_eventfd(self->spare));
}

TEST_F(vector, bound_by_two_files_survives_the_close_of_one)
{
	int third = open(doorbell_node(), O_RDWR);

	ASSERT_EQ(0, bind_vector(third, 0, self->spare));
	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	close(third);
	ASSERT_EQ(0, ring_self(self->fd, 0));
	EXPECT_EQ(1, wait_eventfd(self->efd));
	ASSERT_TRUE(settled(self));
	EXPECT_EQ(0, take_eventfd(self->spare));
}

TEST_F(vector, bound_again_signals_only_the_new_eventfd)
{
	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	ASSERT_EQ(0, bind_vector(self->fd, 0, self->spare));
	ASSERT_EQ(0, ring_self(self->fd, 0));
	EXPECT_EQ(1, wait_eventfd(self->spare));
	ASSERT_TRUE(settled(self));
	EXPECT_EQ(0, take_eventfd(self->efd));
}

TEST_F(vector, bound_again_to_the_same_eventfd_signals_it_once)
{
	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	ASSERT_EQ(0, ring_self(self->fd, 0));
	ASSERT_TRUE(settled(self));
	EXPECT_EQ(1, take_eventfd(self->efd));
}

TEST_F(vector, may_share_an_eventfd_with_another_vector)
{
	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	ASSERT_EQ(0, bind_vector(self->fd, 1, self->efd));
	ASSERT_EQ(0, ring_self(self->fd, 0));
	ASSERT_EQ(0, ring_self(self->fd, 1));
	ASSERT_TRUE(settled(self));
	EXPECT_EQ(2, take_eventfd(self->efd));
}

TEST_F(vector, may_share_an_eventfd_with_another_file)
{
	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	ASSERT_EQ(0, bind_vector(self->other, 0, self->efd));
	ASSERT_EQ(0, ring_self(self->fd, 0));
	ASSERT_TRUE(settled(self));
	EXPECT_EQ(2, take_eventfd(self->efd));
}

TEST_F(vector, unbound_signals_nobody)
{
	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	EXPECT_EQ(0, unbind_vector(self->fd, 0));
	ASSERT_EQ(0, ring_self(self->fd, 0));
	ASSERT_TRUE(settled(self));
	EXPECT_EQ(0, take_eventfd(self->efd));
}

TEST_F(vector, unbound_by_one_file_stays_bound_by_the_other)
{
	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	ASSERT_EQ(0, bind_vector(self->other, 0, self->spare));
	EXPECT_EQ(0, unbind_vector(self->other, 0));
	ASSERT_EQ(0, ring_self(self->fd, 0));
	EXPECT_EQ(1, wait_eventfd(self->efd));
	ASSERT_TRUE(settled(self));
	EXPECT_EQ(0, take_eventfd(self->spare));
}

TEST_F(vector, may_be_unbound_twice)
{
	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	EXPECT_EQ(0, unbind_vector(self->fd, 0));
	EXPECT_EQ(0, unbind_vector(self->fd, 0));
}

TEST_F(vector, may_be_unbound_and_never_bound)
{
	for (int i = 0; i < NR_VECTORS; i++)
		EXPECT_EQ(0, unbind_vector(self->fd, i));
}

TEST_F(vector, may_be_bound_through_a_read_only_file)
{
	int fd = open(doorbell_node(), O_RDONLY);

	EXPECT_EQ(0, bind_vector(fd, 0, self->efd));
	ASSERT_EQ(0, ring_self(self->fd, 0));
	EXPECT_EQ(1, wait_eventfd(self->efd));
	close(fd);
}

TEST_F(vector, bind_beyond_last_is_einval)
{
	EXPECT_ERRNO(EINVAL, bind_vector(self->fd, NR_VECTORS, self->efd));
}

TEST_F(vector, rung_before_the_bind_does_not_fire)
{
	ASSERT_EQ(0, bind_vector(self->other, 0, self->spare));
	ASSERT_EQ(0, ring_self(self->fd, 0));
	ASSERT_EQ(1, wait_eventfd(self->spare));
	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	ASSERT_TRUE(settled(self));
	EXPECT_EQ(0, take_eventfd(self->efd));
}

TEST_F(vector, rung_while_nobody_has_it_bound_does_not_fire_later)
{
	ASSERT_EQ(0, ring_self(self->fd, 0));
	ASSERT_TRUE(settled(self));
	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	ASSERT_TRUE(settled(self));
	EXPECT_EQ(0, take_eventfd(self->efd));
}

TEST_F(vector, does_not_mind_the_close_of_its_eventfd)
{
	int closed = new_eventfd();

	ASSERT_EQ(0, bind_vector(self->fd, 0, closed));
	ASSERT_EQ(0, bind_vector(self->other, 0, self->spare));
	close(closed);
	ASSERT_EQ(0, ring_self(self->fd, 0));
	EXPECT_EQ(1, wait_eventfd(self->spare));
	/* And may be bound anew. */
	EXPECT_EQ(0, bind_vector(self->fd, 0, self->efd));
	ASSERT_EQ(0, ring_self(self->fd, 0));
	EXPECT_EQ(1, wait_eventfd(self->efd));
}

TEST_F(vector, does_not_mind_an_eventfd_that_is_full)
{
	const __u64 full = UINT64_MAX - 1;

	ASSERT_EQ(sizeof(full), write(self->efd, &full, sizeof(full)));
	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, ring_self(self->fd, 0));
		ASSERT_TRUE(settled(self));
	}
	EXPECT_LE(full, take_eventfd(self->efd));
}

TEST_F(vector, signals_a_semaphore_eventfd)
{
	int efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);

	ASSERT_EQ(0, bind_vector(self->fd, 0, efd));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, ring_self(self->fd, 0));
		ASSERT_TRUE(settled(self));
	}
	EXPECT_EQ(1, take_eventfd(efd));
	EXPECT_EQ(1, take_eventfd(efd));
	EXPECT_EQ(0, take_eventfd(efd));
	close(efd);
}

/* --- as many files as there may be ------------------------------------------- */

enum { FILES = IVSHMEM_BINDINGS_MAX };

struct crowd {
	int fds[FILES];
	int efds[FILES];
};

/* Open the node FILES times, and bind one vector through all. */
static bool gather(struct crowd *crowd, int vector)
{
	struct rlimit limit = { 2 * FILES + 64, 2 * FILES + 64 };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		return false;
	for (int i = 0; i < FILES; i++) {
		crowd->fds[i] = open(doorbell_node(), O_RDWR);
		crowd->efds[i] = new_eventfd();
		if (bind_vector(crowd->fds[i], vector, crowd->efds[i]))
			return false;
	}
	return true;
}

TEST_F(vector, signals_each_of_as_many_files_as_there_may_be)
{
	struct crowd crowd;

	ASSERT_TRUE(gather(&crowd, 0));
	ASSERT_EQ(0, ring_self(self->fd, 0));
	for (int i = 0; i < FILES; i++)
		ASSERT_EQ(1, wait_eventfd(crowd.efds[i]));
	for (int i = 0; i < FILES; i += 2)
		close(crowd.fds[i]);
	ASSERT_EQ(0, ring_self(self->fd, 0));
	ASSERT_TRUE(settled(self));
	for (int i = 0; i < FILES; i++)
		ASSERT_EQ(i % 2, take_eventfd(crowd.efds[i]));
}

TEST_F(vector, bound_by_one_file_more_is_enospc)
{
	struct crowd crowd;

	ASSERT_TRUE(gather(&crowd, 0));
	EXPECT_ERRNO(ENOSPC, bind_vector(self->fd, 0, self->efd));
	/* The limit is each vector's own. */
	EXPECT_EQ(0, bind_vector(self->fd, 1, self->efd));
	/* To replace a binding, or to drop one that is not there, takes no place. */
	EXPECT_EQ(0, bind_vector(crowd.fds[0], 0, crowd.efds[1]));
	EXPECT_EQ(0, unbind_vector(self->fd, 0));
	EXPECT_ERRNO(ENOSPC, bind_vector(self->fd, 0, self->efd));
	EXPECT_EQ(0, unbind_vector(crowd.fds[1], 0));
	EXPECT_EQ(0, bind_vector(self->fd, 0, self->efd));
	EXPECT_ERRNO(ENOSPC, bind_vector(crowd.fds[1], 0, crowd.efds[1]));
	close(crowd.fds[2]);
	EXPECT_EQ(0, bind_vector(crowd.fds[1], 0, crowd.efds[1]));
}

/* --- binding while it fires -------------------------------------------------- */

struct binder {
	int fd;
	atomic_bool stop;
	bool failed;
};

/* Bind, rebind, unbind and open and close, as fast as possible. */
static void *bind_in_a_loop(void *data)
{
	struct binder *binder = data;

	while (!binder->stop && !binder->failed) {
		int fd = open(doorbell_node(), O_RDWR | O_CLOEXEC);
		int efd = new_eventfd();

		binder->failed = bind_vector(binder->fd, 0, efd) ||
				 bind_vector(binder->fd, 0, efd) ||
				 bind_vector(fd, 0, efd) ||
				 unbind_vector(binder->fd, 0);
		close(efd);
		close(fd);
	}
	return NULL;
}

TEST_F(vector, fires_for_its_owner_while_others_bind_and_unbind)
{
	struct binder binders[3] = {};
	pthread_t threads[ARRAY_SIZE(binders)];

	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	for (size_t i = 0; i < ARRAY_SIZE(binders); i++) {
		binders[i].fd = open(doorbell_node(), O_RDWR);
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, bind_in_a_loop,
					    &binders[i]));
	}
	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(0, ring_self(self->fd, 0));
		ASSERT_EQ(1, wait_eventfd(self->efd));
	}
	for (size_t i = 0; i < ARRAY_SIZE(binders); i++) {
		binders[i].stop = true;
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_FALSE(binders[i].failed);
	}
}

TEST_HARNESS_MAIN
