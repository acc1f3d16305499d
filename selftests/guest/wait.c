// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * IVSHMEM_WAIT and ivsh_device_wait(): one call that waits for any of a set of
 * vectors, with a limit. Every ring here is of the device itself.
 */
#include <ivshmem.h>

#include "guest.h"
#include "sysfs.h"

#define MARKER 3
#define NSEC_PER_MSEC 1000000LL

FIXTURE(wait) {
	struct ivsh_device *device;
	int marker;	/* on MARKER, see settle() */
	struct ivsh_vector_set set;
	char address[16];
};

FIXTURE_SETUP(wait)
{
	ASSERT_TRUE(sysfs_address(doorbell_node(), self->address));
	self->device = ivsh_device_open(doorbell_node());
	ASSERT_NE(NULL, self->device);
	self->marker = new_eventfd();
	ASSERT_EQ(0, bind_vector(ivsh_device_fd(self->device), MARKER,
				 self->marker));
	ivsh_vector_set_add(&self->set, 0);
	ivsh_vector_set_add(&self->set, 2);
}

FIXTURE_TEARDOWN(wait)
{
	ivsh_device_close(self->device);
	close(self->marker);
	driver_bind(self->address);
}

static bool fire(const FIXTURE_DATA(wait) *self, uint32_t vector)
{
	int fd = ivsh_device_fd(self->device);

	return !ivsh_device_ring(self->device, 0, vector) &&
	       settle(fd, MARKER, self->marker);
}

TEST_F(wait, returns_what_fired_and_once)
{
	struct ivsh_vector_set fired;

	ASSERT_TRUE(fire(self, 2));
	EXPECT_EQ(0, ivsh_device_wait(self->device, &self->set, -1, &fired));
	EXPECT_FALSE(ivsh_vector_set_contains(&fired, 0));
	EXPECT_TRUE(ivsh_vector_set_contains(&fired, 2));
	EXPECT_ERRNO(ETIMEDOUT, ivsh_device_wait(self->device, &self->set, 0,
						 &fired));
}

TEST_F(wait, returns_all_that_fired_in_one_call)
{
	ASSERT_TRUE(fire(self, 0));
	ASSERT_TRUE(fire(self, 2));
	EXPECT_EQ(0, ivsh_device_wait(self->device, &self->set, 0, &self->set));
	EXPECT_EQ(5, self->set.words[0]);
}

TEST_F(wait, leaves_alone_what_is_not_in_the_set)
{
	struct ivsh_vector_set other = { { 2 } };

	ASSERT_TRUE(fire(self, 1));
	EXPECT_ERRNO(ETIMEDOUT, ivsh_device_wait(self->device, &self->set, 0,
						 NULL));
	EXPECT_EQ(0, ivsh_device_wait(self->device, &other, 0, NULL));
}

TEST_F(wait, does_not_see_what_fired_before_the_open)
{
	struct ivsh_device *late;

	ASSERT_TRUE(fire(self, 0));
	late = ivsh_device_open(doorbell_node());
	EXPECT_ERRNO(ETIMEDOUT, ivsh_device_wait(late, &self->set, 0, NULL));
	EXPECT_EQ(0, ivsh_device_wait(self->device, &self->set, 0, NULL));
	ivsh_device_close(late);
}

TEST_F(wait, of_10_ms_is_etimedout_not_before)
{
	double begin = now_ms();

	EXPECT_ERRNO(ETIMEDOUT, ivsh_device_wait(self->device, &self->set,
						 10 * NSEC_PER_MSEC, NULL));
	EXPECT_LE(10, now_ms() - begin);
}

TEST_F(wait, of_the_longest_time_returns_what_fired)
{
	ASSERT_TRUE(fire(self, 0));
	EXPECT_EQ(0, ivsh_device_wait(self->device, &self->set, INT64_MAX, NULL));
}

TEST_F(wait, of_a_negative_time_is_einval)
{
	EXPECT_ERRNO(EINVAL, ivsh_device_wait(self->device, &self->set, -2, NULL));
	EXPECT_ERRNO(EINVAL, ivsh_device_wait(self->device, &self->set, INT64_MIN,
					      NULL));
}

TEST_F(wait, for_an_absent_vector_is_einval)
{
	struct ivsh_vector_set set = self->set;

	ivsh_vector_set_add(&set, IVSH_VECTOR_MAX + 1);
	EXPECT_EQ(0, memcmp(&set, &self->set, sizeof(set)));
	ivsh_vector_set_add(&set, 255);
	EXPECT_ERRNO(EINVAL, ivsh_device_wait(self->device, &set, 0, NULL));
	EXPECT_ERRNO(EINVAL, wait_vectors(ivsh_device_fd(self->device), 0, 1 << 4));
}

TEST_F(wait, for_nothing_is_einval)
{
	EXPECT_ERRNO(EINVAL, wait_vectors(ivsh_device_fd(self->device), -1, 0));
}

TEST_F(wait, on_a_plain_device_is_eopnotsupp)
{
	struct ivsh_device *plain = ivsh_device_open(plain_node());

	EXPECT_ERRNO(EOPNOTSUPP, ivsh_device_wait(plain, &self->set, 0, NULL));
	ivsh_device_close(plain);
}

/* --- a thread that waits ------------------------------------------------------- */

struct waiter {
	const FIXTURE_DATA(wait) *test;
	int64_t timeout_ns;
	atomic_long tid;
	pthread_t thread;
	int result;
	int error;
	atomic_bool done;
};

static void *waiter_main(void *data)
{
	struct waiter *waiter = data;

	waiter->tid = current_tid();
	waiter->result = ivsh_device_wait(waiter->test->device,
					  &waiter->test->set,
					  waiter->timeout_ns, NULL);
	waiter->error = errno;
	waiter->done = true;
	return NULL;
}

static bool waiter_start(struct waiter *waiter,
			 const FIXTURE_DATA(wait) *test, int64_t timeout_ns)
{
	*waiter = (struct waiter){ .test = test, .timeout_ns = timeout_ns };
	if (pthread_create(&waiter->thread, NULL, waiter_main, waiter))
		return false;
	while (!waiter->tid)
		sched_yield();
	return wait_blocked(waiter->tid, SYS_ioctl);
}

TEST_F(wait, ends_when_a_vector_of_the_set_fires)
{
	struct waiter waiter;

	ASSERT_TRUE(waiter_start(&waiter, self, -1));
	ASSERT_EQ(0, ivsh_device_ring(self->device, 0, 1));
	ASSERT_EQ(0, ivsh_device_ring(self->device, 0, 2));
	ASSERT_EQ(0, pthread_join(waiter.thread, NULL));
	EXPECT_EQ(0, waiter.result);
}

TEST_F(wait, of_two_threads_ends_for_one_at_each_firing)
{
	struct waiter waiters[2];

	for (int i = 0; i < 2; i++)
		ASSERT_TRUE(waiter_start(&waiters[i], self, -1));
	ASSERT_TRUE(fire(self, 0));
	while (!waiters[0].done && !waiters[1].done)
		sched_yield();
	EXPECT_TRUE(wait_blocked(waiters[waiters[0].done].tid, SYS_ioctl));
	ASSERT_TRUE(fire(self, 2));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(waiters[i].thread, NULL));
		EXPECT_EQ(0, waiters[i].result);
	}
}

static void do_nothing(int sig)
{
	(void)sig;
}

TEST_F(wait, interrupted_by_a_signal_is_eintr)
{
	struct sigaction action = {
		.sa_handler = do_nothing,
		.sa_flags = SA_RESTART,
	};
	const int64_t limits[] = { -1, LIMIT_MS * NSEC_PER_MSEC };
	struct waiter waiter;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	for (int i = 0; i < 2; i++) {
		ASSERT_TRUE(waiter_start(&waiter, self, limits[i]));
		ASSERT_EQ(0, pthread_kill(waiter.thread, SIGUSR1));
		ASSERT_EQ(0, pthread_join(waiter.thread, NULL));
		EXPECT_EQ(-1, waiter.result);
		EXPECT_EQ(EINTR, waiter.error);
	}
}

TEST_F(wait, ends_with_enodev_when_the_device_goes)
{
	struct waiter waiter;

	ASSERT_TRUE(waiter_start(&waiter, self, -1));
	ASSERT_EQ(0, driver_unbind(self->address));
	ASSERT_EQ(0, pthread_join(waiter.thread, NULL));
	EXPECT_EQ(-1, waiter.result);
	EXPECT_EQ(ENODEV, waiter.error);
	EXPECT_ERRNO(ENODEV, ivsh_device_wait(self->device, &self->set, 0, NULL));
}

/* --- masks and counts of the library --------------------------------------------- */

TEST_F(wait, vector_of_one_shot_fires_once_until_armed_again)
{
	struct ivsh_vector *vector = ivsh_vector_bind(self->device, 1);

	ASSERT_NE(NULL, vector);
	ASSERT_EQ(0, ivsh_vector_set_mode(vector, IVSH_VECTOR_ONE_SHOT));
	ASSERT_TRUE(fire(self, 1));
	EXPECT_EQ(0, ivsh_vector_wait(vector, 0, NULL));
	ASSERT_TRUE(fire(self, 1));
	EXPECT_ERRNO(ETIMEDOUT, ivsh_vector_wait(vector, 0, NULL));
	ASSERT_EQ(0, ivsh_vector_set_mode(vector, IVSH_VECTOR_ONE_SHOT));
	EXPECT_EQ(0, ivsh_vector_wait(vector, LIMIT_MS * NSEC_PER_MSEC, NULL));
	ASSERT_EQ(0, ivsh_vector_set_mode(vector, IVSH_VECTOR_NORMAL));
	EXPECT_ERRNO(EINVAL, ivsh_vector_set_mode(vector, 3));
	ivsh_vector_unbind(vector);
}

TEST_F(wait, vector_bound_again_is_not_masked)
{
	struct ivsh_vector *vector = ivsh_vector_bind(self->device, 1);

	ASSERT_EQ(0, ivsh_vector_set_mode(vector, IVSH_VECTOR_MASKED));
	ivsh_vector_unbind(vector);
	vector = ivsh_vector_bind(self->device, 1);
	ASSERT_TRUE(fire(self, 1));
	EXPECT_EQ(0, ivsh_vector_wait(vector, 0, NULL));
	ivsh_vector_unbind(vector);
}

TEST_F(wait, vector_of_a_device_that_is_gone_cannot_be_masked)
{
	struct ivsh_vector *vector = ivsh_vector_bind(self->device, 1);

	ASSERT_EQ(0, driver_unbind(self->address));
	EXPECT_ERRNO(ENODEV, ivsh_vector_set_mode(vector, IVSH_VECTOR_MASKED));
	errno = 0;
	EXPECT_EQ(NULL, ivsh_device_get_stats(self->device));
	EXPECT_EQ(ENODEV, errno);
	ivsh_vector_unbind(vector);
}

TEST_F(wait, stats_count_for_each_vector)
{
	struct ivsh_vector *vector = ivsh_vector_bind(self->device, 1);
	struct ivsh_stats *before = ivsh_device_get_stats(self->device), *after;

	ASSERT_NE(NULL, before);
	ASSERT_TRUE(fire(self, 1));
	ASSERT_TRUE(fire(self, 2));
	after = ivsh_device_get_stats(self->device);
	EXPECT_EQ(4, ivsh_stats_nr_vectors(after));
	for (int i = 1; i < 3; i++)
		EXPECT_EQ(ivsh_stats_fired(before, i) + 1,
			  ivsh_stats_fired(after, i));
	EXPECT_EQ(ivsh_stats_delivered(before, 1) + 1,
		  ivsh_stats_delivered(after, 1));
	EXPECT_EQ(ivsh_stats_delivered(before, 2),
		  ivsh_stats_delivered(after, 2));
	EXPECT_EQ(ivsh_stats_suppressed(before, 1),
		  ivsh_stats_suppressed(after, 1));
	EXPECT_EQ(ivsh_stats_backoffs(before, 1), ivsh_stats_backoffs(after, 1));
	EXPECT_EQ(0, ivsh_stats_fired(after, 4));
	ivsh_stats_free(before);
	ivsh_stats_free(after);
	ivsh_stats_free(NULL);
	ivsh_vector_unbind(vector);
}

TEST_HARNESS_MAIN
