// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The driver is unbound and bound, the device removed and found again, while
 * eight threads open it anew each time, and each sits in another call, in all of
 * them by and by. IVSHMEM_CYCLES=N does N cycles. Says how often each call met the
 * end, how long a removal took at most, and how much memory of the kernel's is gone.
 * A call that the device does not offer is left out, and named. Not io_uring, whose
 * rings cost the kernel memory for a while: remove.c and waiters.c have it.
 */
#include <stdio.h>

#include "mapping.h"
#include "sysfs.h"

#define NR_THREADS 8
#define REMOVE_LIMIT_MS 5000
#define WORK_LIMIT_MS 20000
#define LEAK_LIMIT_KB 64
#define WARM_UP 100
#define MEASURED 3	/* times at most */
#define LOOK_US 2000

/* An open node, and a mapping of all its memory. */
struct place {
	int fd;
	char *memory;
	size_t size;
	__u64 regs_offset;
};

/* What a thread does there, again and again: 0 or -1 and errno. */
struct call {
	const char *name;
	int (*run)(const struct place *at);
	int end;	/* the errno, or the signal, of a device that is gone */
	__u64 needs;	/* IVSHMEM_FEATURE_* */
};

static int call_info(const struct place *at)
{
	struct ivshmem_info info;

	return get_info(at->fd, &info);
}

static int call_ring(const struct place *at)
{
	return ring(at->fd, 0, 3);
}

static int call_bind(const struct place *at)
{
	int efd = new_eventfd();
	int ret = bind_vector(at->fd, 1, efd);
	int error = errno;

	close(efd);
	errno = error;
	return ret;
}

static int call_read(const struct place *at)
{
	struct ivshmem_event event;

	return read(at->fd, &event, sizeof(event)) < 0 && errno != EAGAIN ? -1 : 0;
}

static int call_poll(const struct place *at)
{
	errno = ENODEV;
	return poll_now(at->fd, POLLIN) & POLLHUP ? -1 : 0;
}

static int call_wait(const struct place *at)
{
	return wait_vectors(at->fd, 100 * 1000, 0xf) && errno != ETIMEDOUT ? -1 : 0;
}

static int call_mask(const struct place *at)
{
	return mask_vector(at->fd, 1, IVSHMEM_MASK_ONE_SHOT) ||
	       mask_vector(at->fd, 1, IVSHMEM_MASK_OFF) ? -1 : 0;
}

static int call_stats(const struct place *at)
{
	struct ivshmem_vector_stats stats;

	return get_stats(at->fd, 0, &stats);
}

static int call_dmabuf(const struct place *at)
{
	int dmabuf = export_dmabuf(at->fd, 0, at->size);

	return dmabuf < 0 ? -1 : close(dmabuf);
}

static int call_registers(const struct place *at)
{
	char *page = map_raw(at->fd, at->regs_offset, getpagesize());

	if (page == MAP_FAILED)
		return -1;
	touch(page);
	return munmap(page, getpagesize());
}

static int call_mmap(const struct place *at)
{
	char *mapping = map(at->fd, 0, at->size);

	if (mapping == MAP_FAILED)
		return -1;
	touch(mapping + at->size / 2);
	return munmap(mapping, at->size);
}

static int call_touch(const struct place *at)
{
	errno = SIGBUS;
	return poke(at->memory + at->size / 4, 1) ||
	       touch(at->memory + at->size / 2) ? -1 : 0;
}

static const struct call calls[] = {
	{ "info", call_info, ENODEV, 0 },
	{ "ring", call_ring, ENODEV, 0 },
	{ "bind", call_bind, ENODEV, 0 },
	{ "mask", call_mask, ENODEV, 0 },
	{ "stats", call_stats, ENODEV, 0 },
	{ "read", call_read, ENODEV, 0 },
	{ "poll", call_poll, ENODEV, 0 },
	{ "wait", call_wait, ENODEV, 0 },
	{ "mmap", call_mmap, ENODEV, 0 },
	{ "memory", call_touch, SIGBUS, 0 },
	{ "dma-buf", call_dmabuf, ENODEV, IVSHMEM_FEATURE_DMABUF },
	{ "registers", call_registers, ENODEV, IVSHMEM_FEATURE_MAPPED_REGS },
};

/* What is known of a call, by all threads together. */
struct record {
	const struct call *call;
	atomic_ulong lives;	/* devices that it was made on */
	atomic_ulong good;	/* those on which it succeeded */
	atomic_ulong ends;	/* those that ended in it */
	atomic_int wrong;	/* an errno that no call may give */
};

static struct record records[ARRAY_SIZE(calls)];
static size_t nr_records;
static atomic_ulong next_record;

static atomic_bool stop;
static atomic_ulong turn = 1;	/* which of the devices comes next, or is there */
static char address[16];

/* Make one call on one device until it goes away. */
static void live(int fd)
{
	struct ivshmem_info info;
	struct place at = { .fd = fd };
	struct record *record;
	int ret, turns = 0;

	if (get_info(fd, &info))
		return;
	at.size = info.shmem_size;
	at.regs_offset = info.regs_offset;
	at.memory = map(fd, 0, at.size);
	if (at.memory == MAP_FAILED)
		return;
	record = &records[atomic_fetch_add(&next_record, 1) % nr_records];
	record->lives++;
	do {
		ret = record->call->run(&at);
	} while (!ret && ++turns && !stop);
	record->good += turns > 0;
	if (ret && errno == record->call->end)
		record->ends++;
	else if (ret)
		record->wrong = errno;
	munmap(at.memory, at.size);
}

/*
 * Open the device of a turn that was not @seen, or -1. Nobody looks into sysfs
 * while one leaves: its removal would mostly wait for the lock of those who look.
 */
static int open_next(unsigned long *seen)
{
	unsigned long now = turn;
	char node[32];
	int fd;

	if (now == *seen || !sysfs_node(address, node))
		return -1;
	fd = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		*seen = now;
	return fd;
}

static void *worker_main(void *data)
{
	unsigned long seen = 0;
	int fd;

	while (!stop) {
		fd = open_next(&seen);
		if (fd < 0) {
			usleep(LOOK_US);
			continue;
		}
		live(fd);
		close(fd);
	}
	return data;
}

/* KiB that the kernel holds for itself. */
static long kernel_memory(void)
{
	static const char * const fields[] = {
		"SUnreclaim:", "PageTables:", "VmallocUsed:", "Percpu:",
	};
	char line[128], name[32];
	long sum = 0, kb;
	FILE *file;

	sysfs_write("/proc/sys/vm/drop_caches", "3");
	file = fopen("/proc/meminfo", "r");
	while (file && fgets(line, sizeof(line), file))
		for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
			if (sscanf(line, "%31s %ld", name, &kb) == 2 &&
			    !strcmp(name, fields[i]))
				sum += kb;
	if (file)
		fclose(file);
	return sum;
}

/* A kernel that finds bugs keeps what was freed, to find its later use. */
static bool memory_tells(void)
{
	return access("/sys/kernel/debug/kmemleak", F_OK);
}

/* By how much it grew; what is freed is given back a little later. */
static long grown_since(long before)
{
	const double end = now_ms() + WORK_LIMIT_MS;
	long grown;

	do {
		grown = kernel_memory() - before;
	} while (memory_tells() && grown > LEAK_LIMIT_KB && now_ms() < end);
	return grown;
}

/* Those that the device offers. */
static void choose_calls(void)
{
	struct ivshmem_info info = { 0 };
	int fd = open(doorbell_node(), O_RDWR | O_CLOEXEC);

	get_info(fd, &info);
	close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].needs & ~info.features)
			ksft_print_msg("%s is left out\n", calls[i].name);
		else
			records[nr_records++].call = &calls[i];
}

FIXTURE(cycles) {
	pthread_t threads[NR_THREADS];
	double slowest_ms;
};

FIXTURE_SETUP(cycles)
{
	catch_access_signals();
	ASSERT_TRUE(sysfs_address(doorbell_node(), address));
	choose_calls();
}

FIXTURE_TEARDOWN(cycles)
{
	driver_bind(address);
}

/* How many devices the threads have worked on, together. */
static unsigned long lives(void)
{
	unsigned long sum = 0;

	for (size_t i = 0; i < nr_records; i++)
		sum += records[i].lives;
	return sum;
}

/* Until a few of them work on the device that is there now. */
static bool some_work(unsigned long before)
{
	const double end = now_ms() + WORK_LIMIT_MS;

	while (lives() < before + NR_THREADS / 4)
		if (now_ms() > end)
			return false;
		else
			usleep(LOOK_US);
	return true;
}

static bool cycle(FIXTURE_DATA(cycles) *self, unsigned long number)
{
	const bool removed = number % 4 == 3;
	double begin = now_ms();
	unsigned long before;

	if (removed ? pci_remove(address) : driver_unbind(address))
		return false;
	begin = now_ms() - begin;
	if (begin > self->slowest_ms)
		self->slowest_ms = begin;
	before = lives();
	turn++;
	if (removed ? pci_rescan() : driver_bind(address))
		return false;
	return some_work(before);
}

static bool run(FIXTURE_DATA(cycles) *self, unsigned long count)
{
	bool good = true;

	stop = false;
	for (size_t i = 0; i < NR_THREADS; i++)
		if (pthread_create(&self->threads[i], NULL, worker_main, NULL))
			return false;
	/* Who unbinds goes first, or most of the time is spent in queues. */
	setpriority(PRIO_PROCESS, 0, -20);
	for (unsigned long i = 0; good && i < count; i++) {
		good = cycle(self, i);
		if (i % 500 == 499)
			printf("# %lu cycles\n", i + 1);
	}
	setpriority(PRIO_PROCESS, 0, 0);
	stop = true;
	/* Those who sleep would not see that. */
	good &= !driver_unbind(address);
	for (size_t i = 0; i < NR_THREADS; i++)
		pthread_join(self->threads[i], NULL);
	return !driver_bind(address) && good;
}

/* And the KiB by which memory grew meanwhile. */
static bool run_measured(FIXTURE_DATA(cycles) *self, unsigned long count,
			 long *grown)
{
	const long before = kernel_memory();

	if (!run(self, count))
		return false;
	*grown = grown_since(before);
	printf("# %lu cycles: a removal took at most %.0f ms, memory grew by %ld KiB\n",
	       count, self->slowest_ms, *grown);
	return true;
}

TEST_F_TIMEOUT(cycles, with_eight_threads_in_all_calls_harm_nobody, 36000)
{
	const unsigned long wanted = number_from("IVSHMEM_CYCLES", 100);
	long grown;

	/* Caches of the kernel grow to what such work needs, and slowly at last. */
	if (memory_tells())
		ASSERT_TRUE(run(self, WARM_UP + wanted / 20));
	/* Slabs that are half empty come and go; a leak comes again. */
	for (int i = 0; i < MEASURED; i++) {
		ASSERT_TRUE(run_measured(self, wanted, &grown));
		if (!memory_tells() || grown <= LEAK_LIMIT_KB)
			break;
	}
	for (size_t i = 0; i < nr_records; i++) {
		struct record *r = &records[i];

		TH_LOG("%s: %lu devices, worked on %lu, %lu ended in it",
		       r->call->name, r->lives, r->good, r->ends);
		EXPECT_LT(0, r->good);
		EXPECT_LT(0, r->ends);
		EXPECT_EQ(0, r->wrong) TH_LOG("%s", strerror(r->wrong));
	}
	EXPECT_LE(self->slowest_ms, REMOVE_LIMIT_MS);
	EXPECT_TRUE(!memory_tells() || grown <= LEAK_LIMIT_KB);
}

TEST_HARNESS_MAIN
