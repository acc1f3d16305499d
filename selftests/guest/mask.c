// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Masks, one shot at a time, and what is counted: nothing that a mask hides is
 * lost, a mask is its file's own, and a flood of rings is throttled without the
 * last ring being missed. Every ring here is of the device itself.
 */
#include "guest.h"
#include "sysfs.h"

#define MARKER 3
#define RATE "/sys/module/ivshmem_guest/parameters/max_rate"

FIXTURE(mask) {
	int fd;
	int efd;	/* bound to vector 0 of fd */
	int marker;	/* bound to MARKER of fd, see settle() */
	char address[16];
};

FIXTURE_SETUP(mask)
{
	ASSERT_TRUE(sysfs_address(doorbell_node(), self->address));
	self->fd = open(doorbell_node(), O_RDWR | O_NONBLOCK);
	self->efd = new_eventfd();
	self->marker = new_eventfd();
	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	ASSERT_EQ(0, bind_vector(self->fd, MARKER, self->marker));
}

FIXTURE_TEARDOWN(mask)
{
	close(self->marker);
	close(self->efd);
	close(self->fd);
	driver_bind(self->address);
}

/*
 * What came while the interrupt was off arrives as one interrupt, or as two:
 * the kernel keeps the first and the device the rest.
 */
#define EXPECT_ONE_OR_TWO(count) do { \
	__u64 count_ = (count); \
	EXPECT_LE(1, count_); \
	EXPECT_GE(2, count_); \
} while (0)

/* Ring vector 0, so many times, and let all of it arrive. */
static bool rung(const FIXTURE_DATA(mask) *self, int times)
{
	while (times--)
		if (ring_self(self->fd, 0))
			return false;
	return settle(self->fd, MARKER, self->marker);
}

static struct ivshmem_vector_stats stats_of(const FIXTURE_DATA(mask) *self)
{
	struct ivshmem_vector_stats stats;

	if (get_stats(self->fd, 0, &stats))
		stats.fired = UINT64_MAX;
	return stats;
}

TEST_F(mask, keeps_the_eventfd_silent_and_signals_when_it_ends)
{
	ASSERT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_ON));
	ASSERT_TRUE(rung(self, 5));
	EXPECT_EQ(0, take_eventfd(self->efd));
	EXPECT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_OFF));
	ASSERT_TRUE(settle(self->fd, MARKER, self->marker));
	EXPECT_ONE_OR_TWO(take_eventfd(self->efd));
	ASSERT_TRUE(rung(self, 1));
	EXPECT_EQ(1, take_eventfd(self->efd));
}

TEST_F(mask, that_hid_nothing_signals_nothing)
{
	ASSERT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_ON));
	ASSERT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_OFF));
	ASSERT_TRUE(settle(self->fd, MARKER, self->marker));
	EXPECT_EQ(0, take_eventfd(self->efd));
}

TEST_F(mask, by_every_file_switches_the_interrupt_off)
{
	__u64 before;

	ASSERT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_ON));
	before = stats_of(self).fired;
	ASSERT_TRUE(rung(self, 1000));
	EXPECT_EQ(before, stats_of(self).fired);
	ASSERT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_OFF));
	ASSERT_TRUE(settle(self->fd, MARKER, self->marker));
	EXPECT_ONE_OR_TWO(take_eventfd(self->efd));
	EXPECT_ONE_OR_TWO(stats_of(self).fired - before);
}

TEST_F(mask, by_one_file_is_not_felt_by_another)
{
	int other = open(doorbell_node(), O_RDWR), efd = new_eventfd();

	ASSERT_EQ(0, bind_vector(other, 0, efd));
	ASSERT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_ON));
	ASSERT_TRUE(rung(self, 1));
	EXPECT_EQ(1, take_eventfd(efd));
	EXPECT_EQ(0, take_eventfd(self->efd));
	EXPECT_LE(1, stats_of(self).suppressed);
	ASSERT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_OFF));
	EXPECT_EQ(1, take_eventfd(self->efd));
	close(efd);
	close(other);
}

TEST_F(mask, of_all_ends_when_another_file_is_opened)
{
	struct ivshmem_event event = {};
	int other;

	ASSERT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_ON));
	ASSERT_TRUE(rung(self, 1));
	other = open(doorbell_node(), O_RDWR);
	ASSERT_TRUE(poll_within_limit(other, POLLIN));
	EXPECT_EQ(sizeof(event), read(other, &event, sizeof(event)));
	EXPECT_EQ(0, event.vector);
	close(other);
}

TEST_F(mask, ends_with_its_file)
{
	int other = open(doorbell_node(), O_RDWR);

	ASSERT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_ON));
	ASSERT_EQ(0, mask_vector(other, 0, IVSHMEM_MASK_ON));
	close(other);
	ASSERT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_OFF));
	ASSERT_TRUE(rung(self, 1));
	EXPECT_EQ(1, take_eventfd(self->efd));
}

TEST_F(mask, outlives_a_change_of_the_eventfd)
{
	int efd = new_eventfd();

	ASSERT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_ON));
	ASSERT_EQ(0, unbind_vector(self->fd, 0));
	ASSERT_EQ(0, bind_vector(self->fd, 0, efd));
	ASSERT_TRUE(rung(self, 1));
	EXPECT_EQ(0, take_eventfd(efd));
	ASSERT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_OFF));
	EXPECT_ONE_OR_TWO(wait_eventfd(efd));
	close(efd);
}

TEST_F(mask, one_shot_signals_once_until_it_is_armed_again)
{
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_ONE_SHOT));
		ASSERT_TRUE(rung(self, 1));
		EXPECT_EQ(1, take_eventfd(self->efd));
		ASSERT_TRUE(rung(self, 5));
		EXPECT_EQ(0, take_eventfd(self->efd));
		/* What came meanwhile is the next shot. */
		ASSERT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_ONE_SHOT));
		EXPECT_EQ(1, wait_eventfd(self->efd));
		ASSERT_TRUE(rung(self, 1));
		EXPECT_EQ(0, take_eventfd(self->efd));
		ASSERT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_OFF));
		ASSERT_TRUE(settle(self->fd, MARKER, self->marker));
		EXPECT_ONE_OR_TWO(take_eventfd(self->efd));
	}
}

TEST_F(mask, one_shot_makes_a_flood_one_interrupt)
{
	__u64 before;

	ASSERT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_ONE_SHOT));
	before = stats_of(self).fired;
	ASSERT_TRUE(rung(self, 20000));
	EXPECT_EQ(before + 1, stats_of(self).fired);
	EXPECT_EQ(1, take_eventfd(self->efd));
}

TEST_F(mask, armed_for_ever_loses_no_last_ring)
{
	ASSERT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_ONE_SHOT));
	for (int i = 0; i < 500; i++) {
		ASSERT_EQ(0, ring_self(self->fd, 0));
		ASSERT_LE(1, wait_eventfd(self->efd));
		ASSERT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_ONE_SHOT));
	}
}

TEST_F(mask, does_not_hide_the_end_of_the_device)
{
	ASSERT_EQ(0, mask_vector(self->fd, 0, IVSHMEM_MASK_ON));
	ASSERT_EQ(0, driver_unbind(self->address));
	EXPECT_LE(1, take_eventfd(self->efd));
	EXPECT_ERRNO(ENODEV, mask_vector(self->fd, 0, IVSHMEM_MASK_OFF));
}

TEST_F(mask, of_an_absent_vector_is_einval)
{
	EXPECT_ERRNO(EINVAL, mask_vector(self->fd, 4, IVSHMEM_MASK_ON));
	EXPECT_ERRNO(EINVAL, mask_vector(self->fd, UINT32_MAX, IVSHMEM_MASK_ON));
}

TEST_F(mask, of_an_unknown_mode_is_einval)
{
	EXPECT_ERRNO(EINVAL, mask_vector(self->fd, 0, 3));
	EXPECT_ERRNO(EINVAL, mask_vector(self->fd, 0, UINT32_MAX));
}

TEST_F(mask, of_a_plain_device_is_eopnotsupp)
{
	struct ivshmem_vector_stats stats;
	int fd = open(plain_node(), O_RDWR);

	EXPECT_ERRNO(EOPNOTSUPP, mask_vector(fd, 0, IVSHMEM_MASK_ON));
	EXPECT_ERRNO(EOPNOTSUPP, get_stats(fd, 0, &stats));
	close(fd);
}

/* --- what is counted --------------------------------------------------------- */

TEST_F(mask, stats_count_each_interrupt_and_each_signal)
{
	struct ivshmem_vector_stats before = stats_of(self), after;

	for (int i = 0; i < 10; i++)
		ASSERT_TRUE(rung(self, 1));
	after = stats_of(self);
	EXPECT_EQ(before.fired + 10, after.fired);
	EXPECT_EQ(before.delivered + 10, after.delivered);
	EXPECT_EQ(before.suppressed, after.suppressed);
	EXPECT_EQ(before.backoffs, after.backoffs);
	EXPECT_EQ(1, after.nr_bindings);
}

TEST_F(mask, stats_of_an_absent_vector_are_einval)
{
	struct ivshmem_vector_stats stats;

	EXPECT_ERRNO(EINVAL, get_stats(self->fd, 4, &stats));
}

/* --- too fast ------------------------------------------------------------------ */

TEST_F(mask, of_a_flood_backs_off_and_sees_the_last_ring)
{
	struct ivshmem_vector_stats before = stats_of(self), after;

	/* As slow as that, two interrupts in a tick are a flood. */
	ASSERT_EQ(0, sysfs_write(RATE, "1"));
	for (int i = 0; i < 200; i++) {
		ASSERT_EQ(0, ring_self(self->fd, 0));
		ASSERT_LE(1, wait_eventfd(self->efd));
	}
	after = stats_of(self);
	ASSERT_EQ(0, sysfs_write(RATE, "100000"));
	EXPECT_LT(before.backoffs, after.backoffs);
	EXPECT_LE(before.fired + 200, after.fired);
}

TEST_F(mask, without_a_limit_never_backs_off)
{
	struct ivshmem_vector_stats before = stats_of(self);

	ASSERT_EQ(0, sysfs_write(RATE, "0"));
	for (int i = 0; i < 200; i++) {
		ASSERT_EQ(0, ring_self(self->fd, 0));
		ASSERT_LE(1, wait_eventfd(self->efd));
	}
	ASSERT_EQ(0, sysfs_write(RATE, "100000"));
	EXPECT_EQ(before.backoffs, stats_of(self).backoffs);
}

TEST_F(mask, of_a_flood_does_not_outlive_the_driver)
{
	ASSERT_EQ(0, sysfs_write(RATE, "1"));
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(0, ring_self(self->fd, 0));
		ASSERT_LE(1, wait_eventfd(self->efd));
	}
	/* Probably in the middle of a back-off, which must not end after it. */
	ASSERT_EQ(0, driver_unbind(self->address));
	ASSERT_EQ(0, sysfs_write(RATE, "100000"));
	ASSERT_EQ(0, driver_bind(self->address));
}

TEST_HARNESS_MAIN
