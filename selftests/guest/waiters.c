// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who waits when the driver is unbound comes back, however soon that is after he
 * began to wait: in read, poll, epoll, a poll of io_uring, and on an eventfd. The
 * time between the two is swept. IVSHMEM_RACES=N does N races.
 */
#include <stdio.h>

#include "sysfs.h"
#include "uring.h"

#define NR_WAITERS 5
#define RETURN_MS 1000
#define SWEEP_NS 200000	/* the longest time between */

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
};

static pthread_barrier_t begin, end;
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
	w->ring.sqes[0] = (struct io_uring_sqe){
		.opcode = IORING_OP_POLL_ADD,
		.fd = w->fd,
		.poll_events = POLLIN,
	};
	w->result = uring_run(&w->ring);
	return w->result > 0 && w->result & POLLHUP;
}

static bool wait_eventfd_for_ever(struct waiter *w)
{
	__u64 count = 0;

	/* It may be too late to bind; then there is nothing to wait for. */
	if (bind_vector(w->fd, 1, w->efd))
		return errno == ENODEV;
	return read(w->efd, &count, sizeof(count)) == sizeof(count) && count == 1;
}

static void *waiter_main(void *data)
{
	struct waiter *w = data;

	for (;;) {
		pthread_barrier_wait(&begin);
		if (over)
			return NULL;
		w->right = w->wait(w);
		w->returned_ms = now_ms();
		pthread_barrier_wait(&end);
	}
}

FIXTURE(waiters) {
	char address[16];
	struct waiter waiters[NR_WAITERS];
	int count;
};

FIXTURE_SETUP(waiters)
{
	static const struct waiter kinds[NR_WAITERS] = {
		{ .name = "read", .wait = wait_read },
		{ .name = "poll", .wait = wait_poll },
		{ .name = "epoll", .wait = wait_epoll },
		{ .name = "eventfd", .wait = wait_eventfd_for_ever },
		{ .name = "io_uring", .wait = wait_uring },
	};

	ASSERT_TRUE(sysfs_address(doorbell_node(), self->address));
	memcpy(self->waiters, kinds, sizeof(kinds));
	/* The last is left out where the kernel has it not. */
	self->count = NR_WAITERS - !uring_open(&self->waiters[NR_WAITERS - 1].ring);
	pthread_barrier_init(&begin, NULL, self->count + 1);
	pthread_barrier_init(&end, NULL, self->count + 1);
	for (int i = 0; i < self->count; i++) {
		self->waiters[i].efd = eventfd(0, EFD_CLOEXEC);
		ASSERT_EQ(0, pthread_create(&self->waiters[i].thread, NULL,
					    waiter_main, &self->waiters[i]));
	}
}

FIXTURE_TEARDOWN(waiters)
{
	over = true;
	pthread_barrier_wait(&begin);
	for (int i = 0; i < self->count; i++) {
		pthread_join(self->waiters[i].thread, NULL);
		close(self->waiters[i].efd);
	}
	driver_bind(self->address);
}

static void spin_ns(unsigned long ns)
{
	const double end_ms = now_ms() + ns / 1e6;

	while (now_ms() < end_ms)
		;
}

/*
 * Let them wait, and unbind so much later: the milliseconds from the beginning of the
 * removal that the last took.
 */
static double race(FIXTURE_DATA(waiters) *self, unsigned long delay_ns)
{
	double begin_ms, slowest = 0;

	pthread_barrier_wait(&begin);
	spin_ns(delay_ns);
	begin_ms = now_ms();
	driver_unbind(self->address);
	pthread_barrier_wait(&end);
	for (int i = 0; i < self->count; i++) {
		double took = self->waiters[i].returned_ms - begin_ms;

		slowest = took > slowest ? took : slowest;
	}
	return slowest;
}

TEST_F_TIMEOUT(waiters, come_back_however_soon_the_device_goes, 36000)
{
	const unsigned long count = number_from("IVSHMEM_RACES", 200);
	double slowest = 0;
	char node[32];

	for (unsigned long i = 0; i < count; i++) {
		double took;

		ASSERT_TRUE(sysfs_node(self->address, node));
		for (int k = 0; k < self->count; k++) {
			self->waiters[k].fd = open(node, O_RDWR | O_CLOEXEC);
			ASSERT_LE(0, self->waiters[k].fd);
		}
		took = race(self, i * SWEEP_NS / count);
		slowest = took > slowest ? took : slowest;
		for (int k = 0; k < self->count; k++) {
			ASSERT_TRUE(self->waiters[k].right)
				TH_LOG("race %lu, %s: %ld", i,
				       self->waiters[k].name,
				       self->waiters[k].result);
			close(self->waiters[k].fd);
		}
		ASSERT_EQ(0, driver_bind(self->address));
	}
	TH_LOG("%lu races of %d waiters, the last came back after %.1f ms", count,
	       self->count, slowest);
	EXPECT_LE(slowest, RETURN_MS);
}

TEST_HARNESS_MAIN
