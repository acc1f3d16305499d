// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the hot paths cost, in instructions of the guest, and what they may
 * cost. Run by qemu/tests/cost.py in a guest whose clock counts instructions
 * (-icount shift=0): a tick of the TSC is one instruction, whatever the host
 * is doing. Each figure is the least of many short runs, so that it has no
 * timer tick in it, and is printed.
 */
#include <ivshmem.h>
#include <x86intrin.h>

#include "../guest/guest.h"

#define RUNS 200
/* Nobody has this ID, so that a ring brings no interrupt. */
#define ABSENT IVSHMEM_PEER_MAX
/* A longer time between two looks at the clock was an interrupt. */
#define GAP 150
/* One that took longer had a tick of the clock in it. */
#define TICK 1000

#define EXPECT_COST(limit, call) do { \
	long cost_ = (call); \
	TH_LOG("%ld instructions, at most %d", cost_, limit); \
	EXPECT_LT(0, cost_); \
	EXPECT_GE(limit, cost_); \
} while (0)

FIXTURE(cost) {
	struct ivsh_device *device;
	int fd;
	int efd;
};

static long least(long a, long b)
{
	return a < b ? a : b;
}

/* Instructions of call, without those of looking at the clock. */
#define COST(call) ({ \
	long best_ = LONG_MAX, empty_ = LONG_MAX; \
	for (int i_ = 0; i_ < RUNS; i_++) { \
		__u64 start_ = __rdtsc(), then_; \
		then_ = __rdtsc(); \
		empty_ = least(empty_, then_ - start_); \
		start_ = __rdtsc(); \
		call; \
		then_ = __rdtsc(); \
		best_ = least(best_, then_ - start_); \
	} \
	best_ - empty_; \
})

/* 1000 times two instructions that depend on each other. */
static void spin_2000(void)
{
	long count = 1000;

	__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r" (count) : : "cc");
}

static bool clock_counts_instructions(void)
{
	long cost = COST(spin_2000());

	return cost >= 2000 && cost < 2010;
}

FIXTURE_SETUP(cost)
{
	self->device = ivsh_device_open(doorbell_node());
	ASSERT_NE(NULL, self->device);
	self->fd = ivsh_device_fd(self->device);
	self->efd = new_eventfd();
	ASSERT_TRUE(clock_counts_instructions());
}

FIXTURE_TEARDOWN(cost)
{
	ivsh_device_close(self->device);
	close(self->efd);
}

/*
 * An ioctl that is not there tells what the kernel takes before and after us:
 * 610 instructions on Debian's 6.1, 169 of them in its security modules.
 */
TEST_F(cost, of_a_ring_by_ioctl_above_that_of_a_system_call)
{
	struct ivshmem_ring arg = { .size = sizeof(arg), .peer = ABSENT };
	long absent = COST(ioctl(self->fd, _IO(IVSHMEM_IOC_TYPE, 0x1f), &arg));
	long whole = COST(ioctl(self->fd, IVSHMEM_RING, &arg));

	TH_LOG("%ld instructions in all", whole);
	EXPECT_COST(260, whole - absent);
}

typedef int (*call_t)(struct ivsh_device *, uint32_t, uint32_t);

/* As any function of the library is called. The same code for each. */
static long __attribute__((noinline))
cost_of_call(volatile call_t call, struct ivsh_device *device)
{
	return COST(call(device, ABSENT, 0));
}

/* What only returns a member, in two instructions, tells what the call costs. */
TEST_F(cost, of_a_ring_by_a_store)
{
	call_t two = (call_t)(void (*)(void))ivsh_device_fd;

	EXPECT_COST(12, cost_of_call(ivsh_device_ring, self->device) -
			cost_of_call(two, self->device) + 2);
}

/* Ring ourselves, and wait awake for the interrupt: what it took. */
static long interrupt_cost(int fd, int polled)
{
	__u64 last, now;
	long gap = 0;

	if (ring_self(fd, 0))
		return -1;
	do {
		last = __rdtsc();
		do {
			now = __rdtsc();
			gap = now - last;
			last = now;
		} while (gap < GAP);
	} while (!poll_now(polled, POLLIN));
	return gap;
}

struct arrival {
	long handler;	/* from the interrupted instruction to the next */
	long read;	/* of what it brought */
};

static struct arrival arrival_cost(int fd, int polled)
{
	struct arrival best = { LONG_MAX, LONG_MAX };
	long empty = COST((void)0);
	struct ivshmem_event event;

	/* On a busy host a tick may come with each interrupt for a while. */
	for (int i = 0; i < RUNS || (best.handler > TICK && i < 20 * RUNS); i++) {
		__u64 start;

		best.handler = least(best.handler, interrupt_cost(fd, polled));
		start = __rdtsc();
		/* Of the node an event, of an eventfd its count. */
		if (read(polled, &event, sizeof(event)) <= 0)
			return (struct arrival){ -1, -1 };
		best.read = least(best.read, __rdtsc() - start - empty);
	}
	return best;
}

TEST_F(cost, of_an_interrupt_until_read_returns)
{
	struct arrival cost = arrival_cost(self->fd, self->fd);

	EXPECT_COST(690, cost.handler);
	EXPECT_COST(1450, cost.handler + cost.read);
}

/* Of these the kernel takes 75 to signal an eventfd, and 839 to read it. */
TEST_F(cost, of_an_interrupt_until_an_eventfd_returns)
{
	struct arrival cost;

	ASSERT_EQ(0, bind_vector(self->fd, 0, self->efd));
	cost = arrival_cost(self->fd, self->efd);
	EXPECT_COST(700, cost.handler);
	EXPECT_COST(1545, cost.handler + cost.read);
}

static int wait_for_vector_0(int fd)
{
	struct ivshmem_wait arg = {
		.size = sizeof(arg),
		.timeout_ns = -1,
		.vectors = { 1 },
	};

	return ioctl(fd, IVSHMEM_WAIT, &arg);
}

/* With a poll() before, which is how the arrival is noticed here. */
TEST_F(cost, of_a_wait_for_a_set_that_has_fired)
{
	long best = LONG_MAX, empty = COST((void)0);

	for (int i = 0; i < RUNS; i++) {
		__u64 start;

		ASSERT_LT(0, interrupt_cost(self->fd, self->fd));
		start = __rdtsc();
		ASSERT_EQ(0, wait_for_vector_0(self->fd));
		best = least(best, __rdtsc() - start - empty);
	}
	EXPECT_COST(1300, best);
}

TEST_HARNESS_MAIN
