// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * read() and poll() of the node: every firing is told once to every file, also
 * when buffers are short or bad and signals come in between.
 */
#include <sys/mman.h>
#include <sys/uio.h>

#include "guest.h"
#include "missing.h"

#define NR_VECTORS 4

FIXTURE(event) {
	int fd;		/* blocking */
	int writer;	/* rings, and knows by its eventfds what has arrived */
	int efds[NR_VECTORS];
};

FIXTURE_SETUP(event)
{
	self->writer = open(doorbell_node(), O_RDWR);
	ASSERT_LE(0, self->writer);
	for (int i = 0; i < NR_VECTORS; i++) {
		self->efds[i] = new_eventfd();
		ASSERT_EQ(0, bind_vector(self->writer, i, self->efds[i]));
	}
	self->fd = open(doorbell_node(), O_RDONLY);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(event)
{
	close(self->fd);
	for (int i = 0; i < NR_VECTORS; i++)
		close(self->efds[i]);
	close(self->writer);
}

/* Ring a vector and wait until it has fired. */
static bool fire(const FIXTURE_DATA(event) *self, int vector)
{
	return !ring_self(self->writer, vector) &&
	       wait_eventfd(self->efds[vector]);
}

static bool fire_all(const FIXTURE_DATA(event) *self)
{
	for (int i = 0; i < NR_VECTORS; i++)
		if (!fire(self, i))
			return false;
	return true;
}

static bool nonblocking(int fd)
{
	return !fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

TEST_F(event, says_which_vector_fired)
{
	for (int i = 0; i < NR_VECTORS; i++) {
		struct ivshmem_event event;

		memset(&event, 0xff, sizeof(event));
		ASSERT_TRUE(fire(self, i));
		ASSERT_EQ(sizeof(event), read(self->fd, &event, sizeof(event)));
		EXPECT_EQ(i, event.vector);
		EXPECT_EQ(0, event.reserved);
		EXPECT_EQ(1, event.count);
	}
}

TEST_F(event, counts_as_many_interrupts_as_the_eventfd)
{
	struct ivshmem_event event;
	__u64 count = 0;

	for (int i = 0; i < 50; i++) {
		ASSERT_EQ(0, ring_self(self->writer, 1));
		count += wait_eventfd(self->efds[1]);
	}
	ASSERT_TRUE(settle(self->writer, 3, self->efds[3]));
	count += take_eventfd(self->efds[1]);
	ASSERT_EQ(sizeof(event), read(self->fd, &event, sizeof(event)));
	EXPECT_EQ(1, event.vector);
	EXPECT_EQ(count, event.count);
}

TEST_F(event, is_read_once)
{
	struct ivshmem_event event;

	ASSERT_TRUE(nonblocking(self->fd));
	ASSERT_TRUE(fire(self, 0));
	EXPECT_EQ(sizeof(event), read(self->fd, &event, sizeof(event)));
	EXPECT_ERRNO(EAGAIN, read(self->fd, &event, sizeof(event)));
}

TEST_F(event, is_read_once_by_each_file)
{
	int other = open(doorbell_node(), O_RDWR);
	struct ivshmem_event event;

	ASSERT_TRUE(fire(self, 2));
	EXPECT_EQ(sizeof(event), read(self->fd, &event, sizeof(event)));
	EXPECT_EQ(2, event.vector);
	EXPECT_EQ(sizeof(event), read(other, &event, sizeof(event)));
	EXPECT_EQ(2, event.vector);
	close(other);
}

TEST_F(event, from_before_the_open_is_not_told)
{
	struct ivshmem_event event;
	int late;

	ASSERT_TRUE(fire_all(self));
	late = open(doorbell_node(), O_RDONLY | O_NONBLOCK);
	EXPECT_ERRNO(EAGAIN, read(late, &event, sizeof(event)));
	EXPECT_EQ(0, poll_now(late, POLLIN));
	close(late);
}

TEST_F(event, absent_is_eagain_when_nonblocking)
{
	struct ivshmem_event event;

	ASSERT_TRUE(nonblocking(self->fd));
	EXPECT_ERRNO(EAGAIN, read(self->fd, &event, sizeof(event)));
}

TEST_F(event, read_of_a_plain_device_is_eopnotsupp)
{
	int plain = open(plain_node(), O_RDWR);
	struct ivshmem_event event;

	ASSERT_LE(0, plain);
	EXPECT_ERRNO(EOPNOTSUPP, read(plain, &event, sizeof(event)));
	EXPECT_EQ(0, poll_now(plain, POLLIN));
	close(plain);
}

TEST_F(event, read_of_a_write_only_file_is_ebadf)
{
	int fd = open(doorbell_node(), O_WRONLY);
	struct ivshmem_event event;

	EXPECT_ERRNO(EBADF, read(fd, &event, sizeof(event)));
	close(fd);
}

/* --- buffers ------------------------------------------------------------------ */

TEST_F(event, buffer_shorter_than_one_is_einval_and_loses_nothing)
{
	char buf[sizeof(struct ivshmem_event)];

	ASSERT_TRUE(fire(self, 0));
	for (size_t len = 0; len < sizeof(buf); len++)
		EXPECT_ERRNO(EINVAL, read(self->fd, buf, len));
	EXPECT_EQ(sizeof(buf), read(self->fd, buf, sizeof(buf)));
}

TEST_F(event, buffer_gets_whole_structs_only)
{
	char buf[2 * sizeof(struct ivshmem_event) - 1];

	ASSERT_TRUE(fire(self, 0));
	ASSERT_TRUE(fire(self, 1));
	memset(buf, 0x5a, sizeof(buf));
	EXPECT_EQ(sizeof(struct ivshmem_event),
		  read(self->fd, buf, sizeof(buf)));
	for (size_t i = sizeof(struct ivshmem_event); i < sizeof(buf); i++)
		EXPECT_EQ(0x5a, buf[i]);
}

TEST_F(event, long_buffer_gets_each_vector_once)
{
	struct ivshmem_event events[2 * NR_VECTORS];
	unsigned int seen = 0;

	ASSERT_TRUE(fire_all(self));
	ASSERT_TRUE(fire_all(self));
	ASSERT_EQ(NR_VECTORS * sizeof(*events),
		  read(self->fd, events, sizeof(events)));
	for (int i = 0; i < NR_VECTORS; i++) {
		EXPECT_EQ(2, events[i].count);
		seen |= 1u << events[i].vector;
	}
	EXPECT_EQ((1u << NR_VECTORS) - 1, seen);
}

TEST_F(event, that_does_not_fit_is_kept)
{
	struct ivshmem_event events[NR_VECTORS - 1];
	unsigned int seen = 0;

	ASSERT_TRUE(nonblocking(self->fd));
	ASSERT_TRUE(fire_all(self));
	ASSERT_EQ(sizeof(events), read(self->fd, events, sizeof(events)));
	for (int i = 0; i < NR_VECTORS - 1; i++)
		seen |= 1u << events[i].vector;
	ASSERT_EQ(sizeof(*events), read(self->fd, events, sizeof(events)));
	seen |= 1u << events[0].vector;
	EXPECT_EQ((1u << NR_VECTORS) - 1, seen);
	EXPECT_ERRNO(EAGAIN, read(self->fd, events, sizeof(events)));
}

TEST_F(event, of_a_busy_vector_starves_no_other)
{
	struct ivshmem_event event;
	unsigned int seen = 0;

	ASSERT_TRUE(fire_all(self));
	for (int i = 0; i < NR_VECTORS; i++) {
		ASSERT_EQ(sizeof(event), read(self->fd, &event, sizeof(event)));
		seen |= 1u << event.vector;
		ASSERT_TRUE(fire(self, event.vector));
	}
	EXPECT_EQ((1u << NR_VECTORS) - 1, seen);
}

TEST_F(event, buffer_that_is_bad_is_efault_and_loses_nothing)
{
	void *page = mmap(NULL, getpagesize(), PROT_READ,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ivshmem_event event;

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_TRUE(fire(self, 1));
	EXPECT_ERRNO(EFAULT, read(self->fd, page, sizeof(event)));
	ASSERT_EQ(sizeof(event), read(self->fd, &event, sizeof(event)));
	EXPECT_EQ(1, event.vector);
	EXPECT_EQ(1, event.count);
}

TEST_F(event, buffer_that_ends_in_bad_memory_loses_nothing)
{
	const size_t size = sizeof(struct ivshmem_event), page = getpagesize();
	unsigned int seen = 0;
	char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ivshmem_event *last = (void *)(memory + page - size);

	ASSERT_EQ(0, mprotect(memory + page, page, PROT_NONE));
	ASSERT_TRUE(nonblocking(self->fd));
	ASSERT_TRUE(fire_all(self));
	for (int i = 0; i < NR_VECTORS; i++) {
		ASSERT_EQ(size, read(self->fd, last, 3 * size));
		seen |= 1u << last->vector;
	}
	EXPECT_EQ((1u << NR_VECTORS) - 1, seen);
	EXPECT_ERRNO(EAGAIN, read(self->fd, last, size));
}

/* --- poll --------------------------------------------------------------------- */

TEST_F(event, read_into_two_buffers_does_not_wait_for_a_second)
{
	struct ivshmem_event events[2];
	struct iovec buffers[2] = {
		{ &events[0], sizeof(events[0]) },
		{ &events[1], sizeof(events[1]) },
	};

	ASSERT_TRUE(fire(self, 1));
	EXPECT_EQ(sizeof(events[0]), readv(self->fd, buffers, 2));
	EXPECT_EQ(1, events[0].vector);
}

TEST_F(event, read_into_pieces_of_a_struct_gets_it_whole)
{
	struct ivshmem_event event;
	char *bytes = (char *)&event;
	struct iovec buffers[] = {
		{ bytes, 1 }, { bytes + 1, 6 }, { bytes + 7, sizeof(event) - 7 },
	};

	ASSERT_TRUE(fire(self, 3));
	EXPECT_EQ(sizeof(event), readv(self->fd, buffers, 3));
	EXPECT_EQ(3, event.vector);
	EXPECT_EQ(1, event.count);
}

TEST_F(event, absent_is_eagain_for_a_read_that_may_not_wait)
{
	struct ivshmem_event event;
	struct iovec buffer = { &event, sizeof(event) };

	EXPECT_ERRNO(EAGAIN, preadv2(self->fd, &buffer, 1, -1, RWF_NOWAIT));
	ASSERT_TRUE(fire(self, 2));
	EXPECT_EQ(sizeof(event), preadv2(self->fd, &buffer, 1, -1, RWF_NOWAIT));
	EXPECT_EQ(2, event.vector);
}

TEST_F(event, absent_is_eagain_for_a_readv_of_a_nonblocking_file)
{
	struct ivshmem_event event;
	struct iovec buffer = { &event, sizeof(event) };

	ASSERT_TRUE(nonblocking(self->fd));
	EXPECT_ERRNO(EAGAIN, readv(self->fd, &buffer, 1));
	ASSERT_TRUE(fire(self, 2));
	EXPECT_EQ(sizeof(event), readv(self->fd, &buffer, 1));
}

TEST_F(event, polls_readable_until_it_is_read)
{
	struct ivshmem_event event;

	EXPECT_EQ(0, poll_now(self->fd, POLLIN | POLLRDNORM));
	ASSERT_TRUE(fire(self, 0));
	EXPECT_EQ(POLLIN | POLLRDNORM, poll_now(self->fd, POLLIN | POLLRDNORM));
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN));
	ASSERT_EQ(sizeof(event), read(self->fd, &event, sizeof(event)));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN | POLLRDNORM));
}

TEST_F(event, keeps_the_file_readable_while_another_is_pending)
{
	struct ivshmem_event event;

	ASSERT_TRUE(fire(self, 0));
	ASSERT_TRUE(fire(self, 1));
	ASSERT_EQ(sizeof(event), read(self->fd, &event, sizeof(event)));
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN));
}

/* --- waiting ------------------------------------------------------------------ */

struct reader {
	int fd;
	long call;	/* SYS_read, SYS_readv, SYS_ioctl (all vectors) or SYS_ppoll */
	atomic_long tid;
	ssize_t result;
	int error;
	struct ivshmem_event event;
	pthread_t thread;
};

static void *reader_main(void *data)
{
	struct reader *reader = data;
	const int fd = reader->fd;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct iovec buffer = { &reader->event, sizeof(reader->event) };
	struct ivshmem_wait wait = {
		.size = sizeof(wait), .timeout_ns = -1, .vectors = { 0xf },
	};

	reader->tid = current_tid();
	/* As system calls, so that libc does not take another. */
	if (reader->call == SYS_read)
		reader->result = syscall(SYS_read, fd, &reader->event,
					 sizeof(reader->event));
	else if (reader->call == SYS_readv)
		reader->result = syscall(SYS_readv, fd, &buffer, 1);
	else if (reader->call == SYS_ioctl)
		reader->result = syscall(SYS_ioctl, fd, IVSHMEM_WAIT, &wait);
	else
		reader->result = syscall(reader->call, &pfd, 1, NULL, NULL, 0);
	reader->error = errno;
	return NULL;
}

/* Start a thread that waits, and wait until it does. */
static bool reader_start(struct reader *reader, int fd, long call)
{
	*reader = (struct reader){ .fd = fd, .call = call };
	if (pthread_create(&reader->thread, NULL, reader_main, reader))
		return false;
	while (!reader->tid)
		sched_yield();
	return wait_blocked(reader->tid, call);
}

TEST_F(event, wakes_a_blocked_read)
{
	static const long calls[] = { SYS_read, SYS_readv };
	struct reader reader;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		ASSERT_TRUE(reader_start(&reader, self->fd, calls[i]));
		ASSERT_EQ(0, ring_self(self->writer, 2));
		ASSERT_EQ(0, pthread_join(reader.thread, NULL));
		EXPECT_EQ(sizeof(reader.event), reader.result);
		EXPECT_EQ(2, reader.event.vector);
	}
}

TEST_F(event, wakes_a_blocked_poll)
{
	struct reader reader;

	ASSERT_TRUE(reader_start(&reader, self->fd, SYS_ppoll));
	ASSERT_EQ(0, ring_self(self->writer, 2));
	ASSERT_EQ(0, pthread_join(reader.thread, NULL));
	EXPECT_EQ(1, reader.result);
}

TEST_F(event, wakes_an_exclusive_epoll_of_each_file)
{
	int exclusive = exclusive_epoll(self->fd);
	int other = exclusive_epoll(self->writer);

	ASSERT_LE(0, exclusive);
	ASSERT_LE(0, other);
	ASSERT_TRUE(fire(self, 0));
	EXPECT_EQ(EPOLLIN, epoll_within_limit(exclusive));
	EXPECT_EQ(EPOLLIN, epoll_within_limit(other));
	close(exclusive);
	close(other);
}

TEST_F(event, goes_to_one_of_two_readers_of_a_file)
{
	struct reader readers[2];
	__u64 count = 0;

	for (int i = 0; i < 2; i++)
		ASSERT_TRUE(reader_start(&readers[i], self->fd, SYS_read));
	/* The first may take both firings: then the other waits on. */
	ASSERT_TRUE(fire(self, 0));
	ASSERT_TRUE(fire(self, 0));
	while (pthread_tryjoin_np(readers[0].thread, NULL) &&
	       pthread_tryjoin_np(readers[1].thread, NULL))
		sched_yield();
	ASSERT_TRUE(nonblocking(self->fd));
	ASSERT_TRUE(fire(self, 1));
	for (int i = 0; i < 2; i++) {
		while (!readers[i].result)
			sched_yield();
		EXPECT_EQ(sizeof(readers[i].event), readers[i].result);
		if (readers[i].event.vector == 0)
			count += readers[i].event.count;
	}
	EXPECT_LE(1, count);
	EXPECT_GE(2, count);
}

static void do_nothing(int sig)
{
	(void)sig;
}

/* Readers of one nonblocking file, who all read when a round begins. */
struct racers {
	int fd;
	atomic_int round, ready, got;
};

#define NR_RACERS 3
#define NR_ROUNDS 2000

static void *racer_main(void *data)
{
	struct racers *racers = data;
	struct ivshmem_event event;

	for (int round = 1; round <= NR_ROUNDS; round++) {
		while (racers->round < round)
			sched_yield();
		if (read(racers->fd, &event, sizeof(event)) > 0)
			racers->got++;
		racers->ready++;
	}
	return NULL;
}

TEST_F(event, read_that_may_not_wait_never_sleeps_when_another_is_faster)
{
	struct racers racers = { .fd = self->fd };
	pthread_t threads[NR_RACERS];

	ASSERT_TRUE(nonblocking(self->fd));
	for (int i = 0; i < NR_RACERS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, racer_main,
					    &racers));
	for (int round = 1; round <= NR_ROUNDS; round++) {
		time_t end = time(NULL) + LIMIT_MS / 1000;

		ASSERT_TRUE(fire(self, 0));
		racers.ready = 0;
		racers.round = round;
		while (racers.ready < NR_RACERS && time(NULL) < end)
			sched_yield();
		/* Whoever sleeps now would do so until the next ring. */
		ASSERT_EQ(NR_RACERS, racers.ready) TH_LOG("round %d", round);
	}
	EXPECT_EQ(NR_ROUNDS, racers.got);
	for (int i = 0; i < NR_RACERS; i++)
		pthread_join(threads[i], NULL);
}

TEST_F(event, read_interrupted_by_a_signal_is_eintr)
{
	struct sigaction action = { .sa_handler = do_nothing };
	struct reader reader;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_TRUE(reader_start(&reader, self->fd, SYS_read));
	ASSERT_EQ(0, pthread_kill(reader.thread, SIGUSR1));
	ASSERT_EQ(0, pthread_join(reader.thread, NULL));
	EXPECT_EQ(-1, reader.result);
	EXPECT_EQ(EINTR, reader.error);
}

static atomic_int handled;

static void count_handled(int sig)
{
	(void)sig;
	handled++;
}

TEST_F(event, read_goes_on_after_a_signal_with_sa_restart)
{
	struct sigaction action = {
		.sa_handler = count_handled,
		.sa_flags = SA_RESTART,
	};
	struct reader reader;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_TRUE(reader_start(&reader, self->fd, SYS_read));
	ASSERT_EQ(0, pthread_kill(reader.thread, SIGUSR1));
	while (!handled)
		sched_yield();
	ASSERT_TRUE(wait_blocked(reader.tid, SYS_read));
	ASSERT_EQ(0, ring_self(self->writer, 1));
	ASSERT_EQ(0, pthread_join(reader.thread, NULL));
	EXPECT_EQ(sizeof(reader.event), reader.result);
	EXPECT_EQ(1, reader.event.vector);
}

/* A reader that has an event, and whose buffer is not there yet. */
struct slow_reader {
	int fd;
	int uffd;
	size_t size;
	char *page;
	ssize_t got;
	pthread_t thread;
};

static void *slow_reader_main(void *data)
{
	struct slow_reader *reader = data;

	reader->got = read(reader->fd, reader->page,
			   sizeof(struct ivshmem_event));
	return NULL;
}

/* Returns when it is in its page fault, which does not end. */
static bool slow_reader_start(struct slow_reader *reader, int fd)
{
	reader->fd = fd;
	reader->size = sysconf(_SC_PAGESIZE);
	reader->page = mmap(NULL, reader->size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reader->uffd = missing_page(reader->page, reader->size);
	return reader->uffd >= 0 &&
	       !pthread_create(&reader->thread, NULL, slow_reader_main, reader) &&
	       poll_within_limit(reader->uffd, POLLIN) == POLLIN;
}

/* Whether it got its event then. */
static bool slow_reader_end(struct slow_reader *reader)
{
	bool given = !give_page(reader->uffd, reader->page, reader->size);

	pthread_join(reader->thread, NULL);
	close(reader->uffd);
	return given && reader->got == sizeof(struct ivshmem_event);
}

TEST_F(event, read_that_may_not_wait_does_not_wait_for_another_reader)
{
	struct ivshmem_wait look = { .size = sizeof(look), .vectors = { 0xf } };
	struct ivshmem_event event;
	struct iovec buffer = { &event, sizeof(event) };
	struct slow_reader other;

	ASSERT_TRUE(fire(self, 0));
	ASSERT_TRUE(slow_reader_start(&other, self->fd));
	EXPECT_ERRNO(EAGAIN, preadv2(self->fd, &buffer, 1, -1, RWF_NOWAIT));
	EXPECT_ERRNO(ETIMEDOUT, ioctl(self->fd, IVSHMEM_WAIT, &look));
	EXPECT_TRUE(slow_reader_end(&other));
	EXPECT_ERRNO(EAGAIN, preadv2(self->fd, &buffer, 1, -1, RWF_NOWAIT));
}

TEST_F(event, read_or_wait_behind_another_reader_is_interrupted_by_a_signal)
{
	static const long calls[] = { SYS_read, SYS_readv, SYS_ioctl };
	struct sigaction action = { .sa_handler = do_nothing };
	struct slow_reader other;
	struct reader reader;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_TRUE(fire(self, 0));
	ASSERT_TRUE(slow_reader_start(&other, self->fd));
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		EXPECT_TRUE(reader_start(&reader, self->fd, calls[i]));
		pthread_kill(reader.thread, SIGUSR1);
		pthread_join(reader.thread, NULL);
		EXPECT_EQ(-1, reader.result);
		EXPECT_EQ(EINTR, reader.error);
	}
	EXPECT_TRUE(slow_reader_end(&other));
}

TEST_HARNESS_MAIN
