// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who waits when the driver is unbound comes back, however soon that is before or
 * after he began to wait: in read, poll, epoll, on an eventfd, and in a poll of
 * io_uring. The time between the two is swept, from the beginning of a removal
 * back to those who sleep, and on beyond its end. IVSHMEM_RACES=N does N races.
 */
#include <stdio.h>

#include "sysfs.h"
#include "uring.h"

#define RETURN_MS 1000
#define BEFORE_MS 1	/* the longest time between waiting and a removal */

struct waiter {
	const char *name;
	bool (*wait)(struct waiter *w);	/* whether it ended as it must */
	pthread_t thread;
	int fd;
	int efd;
	struct uring ring;
	double returned_ms;
	long result;	/* of its call, where that tells more */
	bool right;
	bool slept;	/* until the removal woke it: nobody rings */
	unsigned long sleeps;	/* races in which it did */
};

static pthread_barrier_t begin, end;
static double wait_from_ms;
static bool over;

static bool wait_read(struct waiter *w)
{
	struct ivshmem_event event;

	return read(w->fd, &event, sizeof(event)) == -1 && errno == ENODEV;
}

static bool wait_poll(struct waiter *w)
{
	struct pollfd pfd = { .fd = w->fd, .events = POLLIN };

	return poll(&pfd, 1, -1) == 1 && pfd.revents & POLLHUP;
}

static bool wait_epoll(struct waiter *w)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	bool right;

	epoll_ctl(epoll, EPOLL_CTL_ADD, w->fd, &event);
	right = epoll_wait(epoll, &event, 1, -1) == 1 && event.events & EPOLLHUP;
	close(epoll);
	return right;
}

static bool wait_uring(struct waiter *w)
{
	w->result = uring_poll(&w->ring, w->fd);
	return w->result > 0 && w->result & POLLHUP;
}

/* It was bound before the race. */
static bool wait_bound_eventfd(struct waiter *w)
{
	__u64 count = 0;

	w->result = read(w->efd, &count, sizeof(count));
	return w->result == sizeof(count) && count == 1;
}

static void sleep_until(double ms)
{
	struct timespec until = {
		.tv_sec = ms / 1e3,
		.tv_nsec = (long)(ms * 1e6) % 1000000000,
	};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* How often this thread has gone to sleep. */
static long times_asleep(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw;
}

static void *waiter_main(void *data)
{
	struct waiter *w = data;
	long before;

	for (;;) {
		pthread_barrier_wait(&begin);
		if (over)
			return NULL;
		sleep_until(wait_from_ms);
		before = times_asleep();
		w->right = w->wait(w);
		w->returned_ms = now_ms();
		w->slept = times_asleep() > before;
		pthread_barrier_wait(&end);
	}
}

static const struct waiter calls[] = {
	{ .name = "read", .wait = wait_read },
	{ .name = "poll", .wait = wait_poll },
	{ .name = "epoll", .wait = wait_epoll },
	{ .name = "eventfd", .wait = wait_bound_eventfd },
};

static const struct waiter uring_calls[] = {
	{ .name = "io_uring", .wait = wait_uring },
};

/* Of a few, in milliseconds; 0 when one failed. */
static double shortest_removal(const char *address)
{
	double took, shortest = RETURN_MS;

	for (int i = 0; i < 5; i++) {
		took = now_ms();
		if (driver_unbind(address))
			return 0;
		took = now_ms() - took;
		shortest = took < shortest ? took : shortest;
		if (driver_bind(address))
			return 0;
	}
	return shortest;
}

FIXTURE(waiters) {
	char address[16];
	struct waiter waiters[ARRAY_SIZE(calls)];
	bool offered;		/* this kernel has such calls */
	double after_ms;	/* twice what a removal takes when nobody waits */
};

FIXTURE_VARIANT(waiters) {
	const struct waiter *kinds;
	int count;
};

FIXTURE_VARIANT_ADD(waiters, calls) {
	.kinds = calls,
	.count = ARRAY_SIZE(calls),
};

FIXTURE_VARIANT_ADD(waiters, io_uring) {
	.kinds = uring_calls,
	.count = ARRAY_SIZE(uring_calls),
};

FIXTURE_SETUP(waiters)
{
	struct waiter *w = self->waiters;

	ASSERT_TRUE(sysfs_address(doorbell_node(), self->address));
	memcpy(w, variant->kinds, variant->count * sizeof(*w));
	self->offered = w->wait != wait_uring || uring_open(&w->ring);
	if (!self->offered)
		return;
	pthread_barrier_init(&begin, NULL, variant->count + 1);
	pthread_barrier_init(&end, NULL, variant->count + 1);
	for (; w < self->waiters + variant->count; w++) {
		w->efd = eventfd(0, EFD_CLOEXEC);
		ASSERT_EQ(0, pthread_create(&w->thread, NULL, waiter_main, w));
	}
	self->after_ms = 2 * shortest_removal(self->address);
	ASSERT_LT(0, self->after_ms);
}

FIXTURE_TEARDOWN(waiters)
{
	struct waiter *w = self->waiters;

	if (!self->offered)
		return;
	over = true;
	pthread_barrier_wait(&begin);
	for (; w < self->waiters + variant->count; w++) {
		pthread_join(w->thread, NULL);
		close(w->efd);
	}
	driver_bind(self->address);
}

static bool waiter_open(struct waiter *w, const char *node)
{
	w->fd = open(node, O_RDWR | O_CLOEXEC);
	return w->fd >= 0 && (w->wait != wait_bound_eventfd ||
			      !bind_vector(w->fd, 1, w->efd));
}

/*
 * Let them wait from so much before or after the beginning of a removal: the
 * milliseconds from that until the last came back.
 */
static double race(struct waiter *waiters, int count, const char *address,
		   double offset_ms)
{
	/* All are on their way then. */
	const double begin_ms = now_ms() + 2 * BEFORE_MS;
	double last = begin_ms;

	wait_from_ms = begin_ms + offset_ms;
	pthread_barrier_wait(&begin);
	sleep_until(begin_ms);
	driver_unbind(address);
	pthread_barrier_wait(&end);
	for (int i = 0; i < count; i++) {
		last = waiters[i].returned_ms > last ? waiters[i].returned_ms : last;
		waiters[i].sleeps += waiters[i].slept;
	}
	return last - begin_ms;
}

TEST_F_TIMEOUT(waiters, come_back_however_soon_the_device_goes, 36000)
{
	const unsigned long count = number_from("IVSHMEM_RACES", 200);
	const double sweep_ms = BEFORE_MS + self->after_ms;
	double took, slowest = 0;
	struct waiter *w;
	char node[32];

	if (!self->offered)
		SKIP(return, "no io_uring: %s", strerror(errno));
	for (unsigned long i = 0; i < count; i++) {
		ASSERT_TRUE(sysfs_node(self->address, node));
		for (int k = 0; k < variant->count; k++)
			ASSERT_TRUE(waiter_open(&self->waiters[k], node));
		took = race(self->waiters, variant->count, self->address,
			    i * sweep_ms / count - BEFORE_MS);
		slowest = took > slowest ? took : slowest;
		for (int k = 0; k < variant->count; k++) {
			w = &self->waiters[k];
			ASSERT_TRUE(w->right)
				TH_LOG("race %lu, %s: %ld", i, w->name, w->result);
			close(w->fd);
		}
		ASSERT_EQ(0, driver_bind(self->address));
	}
	TH_LOG("%lu races of %d waiters, begun %d ms before a removal to %.1f ms after, the last came back after %.1f ms",
	       count, variant->count, BEFORE_MS, self->after_ms, slowest);
	EXPECT_LE(slowest, RETURN_MS);
	for (w = self->waiters; w < self->waiters + variant->count; w++) {
		TH_LOG("%s: slept in %lu races, found it gone in %lu", w->name,
		       w->sleeps, count - w->sleeps);
		/* Else only one side was met. */
		EXPECT_LT(0, w->sleeps);
		EXPECT_LT(w->sleeps, count);
	}
}

TEST_HARNESS_MAIN
