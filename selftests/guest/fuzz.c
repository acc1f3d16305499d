// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzers of the node, beside each other: short programs of calls, mutated from
 * those that reached new code of the driver, while a thread unbinds and binds it.
 * What is new KCOV says; a kernel without it gets random programs, and fails if
 * IVSHMEM_GUIDED=1. IVSHMEM_CALLS=N goes on for N calls, IVSHMEM_SEED=N another way.
 */
#include <linux/kcov.h>
#include <stdio.h>

#include "mapping.h"
#include "random.h"
#include "sysfs.h"

#define MAX_STEPS 12
#define MAX_CORPUS 1024
#define COVER_SIZE (64 << 10)
#define SEEN_SIZE (1 << 16)
#define ROUNDS 10	/* in which figures are shown */

/* One call: what it does with the numbers is its own affair. */
struct step {
	__u8 what;
	__u8 small[7];
	__u64 large[4];
};

struct input {
	int count;
	struct step steps[MAX_STEPS];
};

struct fuzzer {
	const char *address;
	char node[32];
	int fd;
	int dmabuf;		/* the last that it made, or -1 */
	int efds[2];
	size_t page;
	char *area;		/* where all mappings are */
	size_t area_size;
	__u64 random;
	struct input corpus[MAX_CORPUS];
	int nr_corpus;
	unsigned long *cover;	/* KCOV's: a count, then addresses; or NULL */
	unsigned long seen[SEEN_SIZE];
	int nr_seen;
	unsigned long calls;
	unsigned long gone;	/* calls that a device that is gone answered */
	unsigned long sigbus;
	unsigned long done;	/* calls of the driver that succeeded */
};

/* Numbers at which code changes its mind, more often than others. */
static __u64 interesting(struct fuzzer *f)
{
	static const __u64 numbers[] = {
		0, 1, 2, 3, 4, 5, 7, 8, 16, 24, 32, 40, 48, 255, 256, 4095, 4096,
		4097, 65535, 65536, 1 << 20, (1 << 20) - 4096, (1 << 20) + 4096,
		INT_MAX, UINT_MAX, 1ULL << 32, 1ULL << 40, LLONG_MAX, ULLONG_MAX,
		-4096ULL, -8192ULL,
		/* Where the registers are mapped, and their status. */
		1ULL << 43, (1ULL << 43) + 4096,
	};

	if (random_below(&f->random, 8))
		return numbers[random_below(&f->random, ARRAY_SIZE(numbers))];
	return random_next(&f->random) >> random_below(&f->random, 64);
}

/* --- the calls ------------------------------------------------------------------- */

/* 0 or what the call returned; -1 and errno. */
typedef long call_t(struct fuzzer *f, const struct step *s);

static void keep_dmabuf(struct fuzzer *f, int fd)
{
	if (f->dmabuf >= 0)
		close(f->dmabuf);
	f->dmabuf = fd;
}

/* A struct of numbers, whose first is nearly always its right size. */
static long call_ioctl(struct fuzzer *f, const struct step *s)
{
	static const __u32 sizes[] = {
		sizeof(struct ivshmem_info), sizeof(struct ivshmem_ring),
		sizeof(struct ivshmem_vector_eventfd),
		sizeof(struct ivshmem_vector_mask),
		sizeof(struct ivshmem_vector_stats), sizeof(struct ivshmem_dmabuf),
		sizeof(struct ivshmem_wait),
	};
	union {
		__u32 words[32];
		__u64 longs[16];
		struct ivshmem_dmabuf dmabuf;
	} arg;
	long ret;
	const unsigned int number = s->small[0] % 10;

	for (size_t i = 0; i < ARRAY_SIZE(arg.longs); i++)
		arg.longs[i] = s->large[i % 4] >> (i * 4 % 24);
	arg.words[0] = s->small[1] % 8 ? sizes[s->small[2] % ARRAY_SIZE(sizes)] :
					 s->large[0];
	if (s->small[3] % 4)
		arg.words[1] = 0;
	if (s->small[4] & 1) {
		arg.words[2] = s->small[5] % 6;
		arg.words[3] = f->efds[s->small[6] % 2];
	}
	/* Nobody may wait for long: the timeout of IVSHMEM_WAIT. */
	if (number == _IOC_NR(IVSHMEM_WAIT))
		arg.longs[1] %= 100000;
	ret = ioctl(f->fd, _IO(IVSHMEM_IOC_TYPE, number),
		    s->small[4] & 0x80 ? (void *)(unsigned long)s->large[1] : &arg);
	if (!ret && number == _IOC_NR(IVSHMEM_DMABUF))
		keep_dmabuf(f, arg.dmabuf.fd);
	return ret;
}

static long call_mmap(struct fuzzer *f, const struct step *s)
{
	size_t at = s->small[0] * f->page % f->area_size;
	size_t length = (s->small[1] % 64 + 1) * f->page;
	int flags = s->small[2] & 1 ? MAP_PRIVATE : MAP_SHARED;
	int fd = s->small[6] % 4 || f->dmabuf < 0 ? f->fd : f->dmabuf;

	if (at + length > f->area_size)
		length = f->area_size - at;
	return mmap(f->area + at, length, s->small[3] & 7, flags | MAP_FIXED, fd,
		    s->small[4] & 1 ? s->large[0] & -f->page :
				      s->small[5] * f->page) == MAP_FAILED ? -1 : 0;
}

static long call_munmap(struct fuzzer *f, const struct step *s)
{
	size_t at = s->small[0] * f->page % f->area_size;

	return mmap(f->area + at, f->page, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ?
		-1 : 0;
}

static long call_mremap(struct fuzzer *f, const struct step *s)
{
	size_t from = s->small[0] * f->page % f->area_size;
	size_t to = s->small[1] * f->page % f->area_size;
	size_t old = (s->small[2] % 8) * f->page, new = (s->small[3] % 8) * f->page;

	if (from + old > f->area_size || to + new > f->area_size) {
		errno = EINVAL;
		return -1;
	}
	return mremap(f->area + from, old, new, MREMAP_MAYMOVE | MREMAP_FIXED,
		      f->area + to) == MAP_FAILED ? -1 : 0;
}

static long call_mprotect(struct fuzzer *f, const struct step *s)
{
	return mprotect(f->area + s->small[0] * f->page % f->area_size, f->page,
			s->small[1] & 7);
}

static long call_touch(struct fuzzer *f, const struct step *s)
{
	char *at = f->area + (s->small[0] * f->page + s->small[1] * 8) % f->area_size;
	int sig = s->small[2] & 1 ? poke(at, s->large[0]) : touch(at);

	f->sigbus += sig == SIGBUS;
	return 0;
}

static long call_read(struct fuzzer *f, const struct step *s)
{
	char buf[256];

	return read(f->fd, buf, s->small[0]);
}

static long call_poll(struct fuzzer *f, const struct step *s)
{
	errno = ENODEV;
	return poll_now(f->fd, s->small[0]) & POLLHUP ? -1 : 0;
}

static long call_lseek(struct fuzzer *f, const struct step *s)
{
	return lseek(f->fd, s->large[0], s->small[0] % 5);
}

/* Its name mostly stays the same; to look it up takes longer than all else. */
static long call_open(struct fuzzer *f, const struct step *s)
{
	const int flags = (s->small[0] % 3) | O_NONBLOCK | O_CLOEXEC;
	int fd = open(f->node, flags);

	if (fd < 0 && sysfs_node(f->address, f->node))
		fd = open(f->node, flags);
	if (fd < 0)
		return -1;
	if (f->fd >= 0)
		close(f->fd);
	f->fd = fd;
	return 0;
}

static const struct {
	call_t *run;
	int weight;
} calls[] = {
	{ call_ioctl, 10 }, { call_mmap, 4 }, { call_munmap, 1 },
	{ call_mremap, 2 }, { call_mprotect, 1 }, { call_touch, 4 },
	{ call_read, 2 }, { call_poll, 1 }, { call_lseek, 1 }, { call_open, 2 },
};

static call_t *call_of(const struct step *s)
{
	int at = s->what % 28;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		at -= calls[i].weight;
		if (at < 0)
			return calls[i].run;
	}
	return call_poll;
}

/* --- inputs ------------------------------------------------------------------------ */

static void random_step(struct fuzzer *f, struct step *s)
{
	s->what = random_next(&f->random);
	for (size_t i = 0; i < ARRAY_SIZE(s->small); i++)
		s->small[i] = random_next(&f->random);
	for (size_t i = 0; i < ARRAY_SIZE(s->large); i++)
		s->large[i] = interesting(f);
}

static void mutate_step(struct fuzzer *f, struct step *s)
{
	switch (random_below(&f->random, 4)) {
	case 0:
		random_step(f, s);
		break;
	case 1:
		s->small[random_below(&f->random, ARRAY_SIZE(s->small))] = random_next(&f->random);
		break;
	case 2:
		s->small[random_below(&f->random, ARRAY_SIZE(s->small))] ^=
			1 << random_below(&f->random, 8);
		break;
	default:
		s->large[random_below(&f->random, ARRAY_SIZE(s->large))] = interesting(f);
	}
}

static void next_input(struct fuzzer *f, struct input *input)
{
	size_t changes = 1 + random_below(&f->random, 4);

	if (!f->nr_corpus || !random_below(&f->random, 10)) {
		input->count = 1 + random_below(&f->random, MAX_STEPS);
		for (int i = 0; i < input->count; i++)
			random_step(f, &input->steps[i]);
		return;
	}
	*input = f->corpus[random_below(&f->random, f->nr_corpus)];
	while (changes--)
		mutate_step(f, &input->steps[random_below(&f->random, input->count)]);
	if (input->count < MAX_STEPS && !random_below(&f->random, 3))
		random_step(f, &input->steps[input->count++]);
}

/* --- coverage ---------------------------------------------------------------------- */

static bool cover_open(struct fuzzer *f)
{
	int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, KCOV_INIT_TRACE, COVER_SIZE))
		return false;
	f->cover = map(fd, 0, COVER_SIZE * sizeof(*f->cover));
	return f->cover != MAP_FAILED && !ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC);
}

/* Whether the place was not seen before. */
static bool cover_add(struct fuzzer *f, unsigned long place)
{
	size_t at = place * 0x9e3779b97f4a7c15UL >> 48;

	while (f->seen[at % SEEN_SIZE] && f->seen[at % SEEN_SIZE] != place)
		at++;
	if (f->seen[at % SEEN_SIZE] || f->nr_seen == SEEN_SIZE / 2)
		return false;
	f->seen[at % SEEN_SIZE] = place;
	f->nr_seen++;
	return true;
}

static bool cover_new(struct fuzzer *f)
{
	unsigned long count = f->cover ? f->cover[0] : 0;
	bool new = false;

	for (unsigned long i = 1; i <= count && i < COVER_SIZE; i++)
		new |= cover_add(f, f->cover[i]);
	return new;
}

static void run_input(struct fuzzer *f, const struct input *input)
{
	if (f->cover)
		f->cover[0] = 0;
	for (int i = 0; i < input->count; i++) {
		long ret = call_of(&input->steps[i])(f, &input->steps[i]);

		f->calls++;
		f->done += ret >= 0;
		f->gone += ret < 0 && errno == ENODEV;
	}
	if (cover_new(f) && f->nr_corpus < MAX_CORPUS)
		f->corpus[f->nr_corpus++] = *input;
}

/* --- the test ------------------------------------------------------------------------ */

#define NR_FUZZERS 2	/* processes, whose calls race with each other */

/* What all fuzzers did, together. */
struct totals {
	atomic_ulong calls, done, gone, sigbus;
};

static atomic_bool stop;

/* The device is there for half of the time, however fast the machine is. */
static void *unbind_main(void *data)
{
	const char *address = data;
	double begin;

	while (!stop) {
		begin = now_ms();
		driver_unbind(address);
		driver_bind(address);
		usleep((useconds_t)((now_ms() - begin) * 1000));
	}
	return NULL;
}

static bool fuzzer_init(struct fuzzer *f, const char *address, int number)
{
	f->address = address;
	strcpy(f->node, doorbell_node());
	f->fd = open(f->node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	f->dmabuf = -1;
	f->efds[0] = new_eventfd();
	f->efds[1] = open("/dev/null", O_RDONLY);
	f->page = getpagesize();
	f->area_size = 300 * f->page;
	f->area = mmap(NULL, f->area_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	f->random = (number_from("IVSHMEM_SEED", 0x5eed) * NR_FUZZERS + number) * 2 + 1;
	if (!cover_open(f))
		f->cover = NULL;
	return f->area != MAP_FAILED;
}

static void fuzz(struct fuzzer *f, int number, unsigned long wanted)
{
	struct input input;

	for (int round = 1; round <= ROUNDS; round++) {
		while (f->calls < wanted / ROUNDS * round) {
			next_input(f, &input);
			run_input(f, &input);
		}
		printf("# fuzzer %d: %lu calls, %d places in %d programs\n", number,
		       f->calls, f->nr_seen, f->nr_corpus);
		fflush(stdout);
	}
}

static void add_totals(struct totals *totals, const struct fuzzer *f)
{
	totals->calls += f->calls;
	totals->done += f->done;
	totals->gone += f->gone;
	totals->sigbus += f->sigbus;
}

FIXTURE(fuzz) {
	struct totals *totals;
	char address[16];
};

FIXTURE_SETUP(fuzz)
{
	self->totals = mmap(NULL, sizeof(*self->totals), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->totals);
	catch_access_signals();
	ASSERT_TRUE(sysfs_address(doorbell_node(), self->address));
}

FIXTURE_TEARDOWN(fuzz)
{
	driver_bind(self->address);
	munmap(self->totals, sizeof(*self->totals));
}

/* Its status is 0, or 2 when KCOV saw too little of the driver, or was not there. */
static pid_t fuzzer_start(FIXTURE_DATA(fuzz) *self, int number,
			  unsigned long wanted)
{
	static struct fuzzer f;
	pid_t pid = fork();

	if (pid)
		return pid;
	if (!fuzzer_init(&f, self->address, number))
		_exit(1);
	fuzz(&f, number, wanted);
	add_totals(self->totals, &f);
	if (!f.cover)
		_exit(number_from("IVSHMEM_GUIDED", 0) ? 2 : 0);
	_exit(f.nr_seen <= 100 ? 2 : 0);
}

TEST_F_TIMEOUT(fuzz, programs_of_random_calls_harm_nobody, 36000)
{
	const unsigned long wanted = number_from("IVSHMEM_CALLS", 100000);
	const struct totals *totals = self->totals;
	pid_t fuzzers[NR_FUZZERS];
	pthread_t unbinder;
	int status;

	fflush(stdout);
	for (int i = 0; i < NR_FUZZERS; i++)
		fuzzers[i] = fuzzer_start(self, i, wanted / NR_FUZZERS);
	ASSERT_EQ(0, pthread_create(&unbinder, NULL, unbind_main, self->address));
	for (int i = 0; i < NR_FUZZERS; i++) {
		EXPECT_EQ(fuzzers[i], waitpid(fuzzers[i], &status, 0));
		EXPECT_EQ(0, status);
	}
	stop = true;
	pthread_join(unbinder, NULL);
	TH_LOG("%lu calls: %lu succeeded, %lu were ENODEV, %lu accesses SIGBUS",
	       totals->calls, totals->done, totals->gone, totals->sigbus);
	/* Else nothing was tried. */
	EXPECT_LT(wanted / 10, totals->done);
	EXPECT_LT(0, totals->gone);
	EXPECT_LT(0, totals->sigbus);
}

TEST_HARNESS_MAIN
