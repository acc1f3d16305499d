// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Vectors of libivshmem on a real device: bind, wait with and without a limit,
 * clear, and waiting for a device that goes away.
 */
#include <ivshmem.h>

#include "guest.h"
#include "sysfs.h"

#define NSEC_PER_MSEC 1000000LL
#define MARKER 3

FIXTURE(vector) {
	struct ivsh_device *device;
	struct ivsh_vector *vector;	/* 1 */
	int marker;			/* on MARKER, see settle() */
	char address[16];
};

FIXTURE_SETUP(vector)
{
	ASSERT_TRUE(sysfs_address(doorbell_node(), self->address));
	self->device = ivsh_device_open(doorbell_node());
	ASSERT_NE(NULL, self->device);
	self->vector = ivsh_vector_bind(self->device, 1);
	ASSERT_NE(NULL, self->vector);
	self->marker = new_eventfd();
	ASSERT_EQ(0, bind_vector(ivsh_device_fd(self->device), MARKER,
				 self->marker));
}

FIXTURE_TEARDOWN(vector)
{
	ivsh_vector_unbind(self->vector);
	ivsh_device_close(self->device);
	close(self->marker);
	driver_bind(self->address);
}

/* Ring a vector of our own, and let it arrive. */
static bool fire(const FIXTURE_DATA(vector) *self, uint32_t vector)
{
	int fd = ivsh_device_fd(self->device);

	return !ivsh_device_ring(self->device, 0, vector) &&
	       settle(fd, MARKER, self->marker);
}

TEST_F(vector, knows_its_number)
{
	EXPECT_EQ(1, ivsh_vector_number(self->vector));
}

TEST_F(vector, bound_twice_on_a_device_is_ebusy)
{
	errno = 0;
	EXPECT_EQ(NULL, ivsh_vector_bind(self->device, 1));
	EXPECT_EQ(EBUSY, errno);
	/* And the first is as it was. */
	ASSERT_TRUE(fire(self, 1));
	EXPECT_EQ(0, ivsh_vector_wait(self->vector, 0, NULL));
}

TEST_F(vector, unbound_may_be_bound_again)
{
	ivsh_vector_unbind(self->vector);
	self->vector = ivsh_vector_bind(self->device, 1);
	ASSERT_NE(NULL, self->vector);
	ASSERT_TRUE(fire(self, 1));
	EXPECT_EQ(0, ivsh_vector_wait(self->vector, 0, NULL));
}

TEST_F(vector, bound_on_two_devices_fires_on_both)
{
	struct ivsh_device *device = ivsh_device_open(doorbell_node());
	struct ivsh_vector *vector = ivsh_vector_bind(device, 1);

	ASSERT_NE(NULL, vector);
	ASSERT_TRUE(fire(self, 1));
	EXPECT_EQ(0, ivsh_vector_wait(self->vector, 0, NULL));
	EXPECT_EQ(0, ivsh_vector_wait(vector, 0, NULL));
	ivsh_vector_unbind(vector);
	ivsh_device_close(device);
}

TEST_F(vector, beyond_the_last_is_einval)
{
	const uint32_t numbers[] = { 4, 255, 256, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		errno = 0;
		EXPECT_EQ(NULL, ivsh_vector_bind(self->device, numbers[i]));
		EXPECT_EQ(EINVAL, errno);
	}
}

TEST_F(vector, bound_by_one_device_more_than_the_driver_allows_is_enospc)
{
	struct ivsh_device *devices[IVSHMEM_BINDINGS_MAX + 1];
	struct ivsh_vector *vectors[IVSHMEM_BINDINGS_MAX + 1];
	size_t bound = 0;

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		devices[i] = ivsh_device_open(doorbell_node());
		ASSERT_NE(NULL, devices[i]);
		errno = 0;
		vectors[i] = ivsh_vector_bind(devices[i], 2);
		bound += vectors[i] != NULL;
	}
	EXPECT_EQ(ENOSPC, errno);
	EXPECT_EQ(IVSHMEM_BINDINGS_MAX, bound);
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		ivsh_vector_unbind(vectors[i]);
		ivsh_device_close(devices[i]);
	}
}

TEST_F(vector, refused_once_can_be_asked_for_again)
{
	for (int i = 0; i < 2; i++) {
		errno = 0;
		EXPECT_EQ(NULL, ivsh_vector_bind(self->device, 200));
		EXPECT_EQ(EINVAL, errno);
	}
}

TEST_F(vector, of_a_plain_device_is_eopnotsupp)
{
	struct ivsh_device *plain = ivsh_device_open(plain_node());

	ASSERT_NE(NULL, plain);
	errno = 0;
	EXPECT_EQ(NULL, ivsh_vector_bind(plain, 0));
	EXPECT_EQ(EOPNOTSUPP, errno);
	ivsh_device_close(plain);
}

TEST_F(vector, of_a_read_only_device_can_be_bound)
{
	struct ivsh_device *device = ivsh_device_open_read_only(doorbell_node());
	struct ivsh_vector *vector = ivsh_vector_bind(device, 1);

	ASSERT_NE(NULL, vector);
	ASSERT_TRUE(fire(self, 1));
	EXPECT_EQ(0, ivsh_vector_wait(vector, 0, NULL));
	ivsh_vector_unbind(vector);
	ivsh_device_close(device);
}

/* --- waiting ------------------------------------------------------------------------- */

TEST_F(vector, wait_of_no_time_is_etimedout_at_once)
{
	EXPECT_ERRNO(ETIMEDOUT, ivsh_vector_wait(self->vector, 0, NULL));
}

TEST_F(vector, wait_of_10_ms_is_etimedout_not_before)
{
	double begin = now_ms();

	EXPECT_ERRNO(ETIMEDOUT, ivsh_vector_wait(self->vector,
						 10 * NSEC_PER_MSEC, NULL));
	EXPECT_LE(10, now_ms() - begin);
}

TEST_F(vector, wait_of_a_negative_time_is_einval)
{
	EXPECT_ERRNO(EINVAL, ivsh_vector_wait(self->vector, -2, NULL));
	EXPECT_ERRNO(EINVAL, ivsh_vector_wait(self->vector, INT64_MIN, NULL));
}

TEST_F(vector, wait_of_the_longest_time_returns_what_fired)
{
	uint64_t count = 0;

	ASSERT_TRUE(fire(self, 1));
	EXPECT_EQ(0, ivsh_vector_wait(self->vector, INT64_MAX, &count));
	EXPECT_EQ(1, count);
}

TEST_F(vector, wait_counts_what_fired_and_clears_it)
{
	uint64_t count = 0;

	for (int i = 0; i < 5; i++)
		ASSERT_TRUE(fire(self, 1));
	EXPECT_EQ(0, ivsh_vector_wait(self->vector, 0, &count));
	EXPECT_EQ(5, count);
	EXPECT_ERRNO(ETIMEDOUT, ivsh_vector_wait(self->vector, 0, &count));
}

TEST_F(vector, wait_does_not_see_another_vector)
{
	struct ivsh_vector *other = ivsh_vector_bind(self->device, 2);

	ASSERT_NE(NULL, other);
	ASSERT_TRUE(fire(self, 2));
	EXPECT_ERRNO(ETIMEDOUT, ivsh_vector_wait(self->vector, 0, NULL));
	EXPECT_EQ(0, ivsh_vector_wait(other, 0, NULL));
	ivsh_vector_unbind(other);
}

TEST_F(vector, clear_counts_and_may_find_nothing)
{
	uint64_t count = 99;

	EXPECT_EQ(0, ivsh_vector_clear(self->vector, &count));
	EXPECT_EQ(0, count);
	ASSERT_TRUE(fire(self, 1));
	EXPECT_EQ(0, ivsh_vector_clear(self->vector, &count));
	EXPECT_EQ(1, count);
	EXPECT_EQ(0, ivsh_vector_clear(self->vector, NULL));
}

TEST_F(vector, fd_polls_readable_until_it_is_cleared)
{
	int fd = ivsh_vector_fd(self->vector);

	EXPECT_EQ(0, poll_now(fd, POLLIN));
	ASSERT_TRUE(fire(self, 1));
	EXPECT_EQ(POLLIN, poll_now(fd, POLLIN));
	EXPECT_EQ(0, ivsh_vector_clear(self->vector, NULL));
	EXPECT_EQ(0, poll_now(fd, POLLIN));
}

/* --- a thread that waits --------------------------------------------------------------- */

struct waiter {
	struct ivsh_vector *vector;
	int64_t timeout_ns;
	atomic_long tid;
	pthread_t thread;
	int result;
	int error;
	uint64_t count;
};

static void *waiter_main(void *data)
{
	struct waiter *waiter = data;

	waiter->tid = current_tid();
	waiter->result = ivsh_vector_wait(waiter->vector, waiter->timeout_ns,
					  &waiter->count);
	waiter->error = errno;
	return NULL;
}

/* Start a thread that waits, and wait until it sleeps. */
static bool waiter_start(struct waiter *waiter, struct ivsh_vector *vector,
			 int64_t timeout_ns)
{
	*waiter = (struct waiter){ .vector = vector, .timeout_ns = timeout_ns };
	if (pthread_create(&waiter->thread, NULL, waiter_main, waiter))
		return false;
	while (!waiter->tid)
		sched_yield();
	return wait_blocked(waiter->tid, SYS_ppoll);
}

TEST_F(vector, wait_for_ever_ends_when_it_fires)
{
	struct waiter waiter;

	ASSERT_TRUE(waiter_start(&waiter, self->vector, -1));
	ASSERT_EQ(0, ivsh_device_ring(self->device, 0, 1));
	ASSERT_EQ(0, pthread_join(waiter.thread, NULL));
	EXPECT_EQ(0, waiter.result);
	EXPECT_EQ(1, waiter.count);
}

static void do_nothing(int sig)
{
	(void)sig;
}

TEST_F(vector, wait_interrupted_by_a_signal_is_eintr)
{
	struct sigaction action = { .sa_handler = do_nothing };
	struct waiter waiter;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_TRUE(waiter_start(&waiter, self->vector, -1));
	ASSERT_EQ(0, pthread_kill(waiter.thread, SIGUSR1));
	ASSERT_EQ(0, pthread_join(waiter.thread, NULL));
	EXPECT_EQ(-1, waiter.result);
	EXPECT_EQ(EINTR, waiter.error);
}

TEST_F(vector, wait_for_ever_is_enodev_when_the_device_goes)
{
	struct waiter waiter;

	ASSERT_TRUE(waiter_start(&waiter, self->vector, -1));
	ASSERT_EQ(0, driver_unbind(self->address));
	ASSERT_EQ(0, pthread_join(waiter.thread, NULL));
	EXPECT_EQ(-1, waiter.result);
	EXPECT_EQ(ENODEV, waiter.error);
}

TEST_F(vector, fd_polls_readable_when_the_device_goes)
{
	ASSERT_EQ(0, driver_unbind(self->address));
	EXPECT_EQ(POLLIN, poll_now(ivsh_vector_fd(self->vector), POLLIN));
	EXPECT_ERRNO(ENODEV, ivsh_vector_clear(self->vector, NULL));
}

TEST_F(vector, of_a_device_that_is_gone_is_enodev_each_time)
{
	ASSERT_EQ(0, driver_unbind(self->address));
	for (int i = 0; i < 3; i++) {
		EXPECT_ERRNO(ENODEV, ivsh_vector_wait(self->vector, -1, NULL));
		EXPECT_ERRNO(ENODEV, ivsh_vector_wait(self->vector, 0, NULL));
		EXPECT_ERRNO(ENODEV, ivsh_vector_clear(self->vector, NULL));
	}
}

TEST_F(vector, of_a_device_that_is_gone_can_be_unbound)
{
	ASSERT_EQ(0, driver_unbind(self->address));
	ivsh_vector_unbind(self->vector);
	self->vector = NULL;
	EXPECT_ERRNO(ENODEV, ivsh_device_ring(self->device, 0, 0));
}

struct answerer {
	struct ivsh_device *device;
	struct ivsh_vector *question;
	int answered;
};

static void *answer(void *data)
{
	struct answerer *a = data;

	while (a->answered < 200 &&
	       !ivsh_vector_wait(a->question, LIMIT_MS * NSEC_PER_MSEC, NULL) &&
	       !ivsh_device_ring(a->device, 0, 1))
		a->answered++;
	return NULL;
}

TEST_F(vector, carries_a_conversation_of_two_threads)
{
	struct answerer answerer = {
		.device = self->device,
		.question = ivsh_vector_bind(self->device, 2),
	};
	pthread_t thread;

	ASSERT_NE(NULL, answerer.question);
	ASSERT_EQ(0, pthread_create(&thread, NULL, answer, &answerer));
	for (int i = 0; i < 200; i++) {
		ASSERT_EQ(0, ivsh_device_ring(self->device, 0, 2));
		ASSERT_EQ(0, ivsh_vector_wait(self->vector,
					      LIMIT_MS * NSEC_PER_MSEC, NULL));
	}
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(200, answerer.answered);
	ivsh_vector_unbind(answerer.question);
}

TEST_HARNESS_MAIN
