// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * map_touch FILE SIZE [STRIDE]: what a mapping of FILE costs. Maps SIZE bytes,
 * touches one word of each STRIDE (one page if not given), and unmaps them.
 * Prints one JSON line: nanoseconds (instructions, in a guest under -icount
 * shift=0), faults, and, if the test module ivshmem_pagewalk is there, which
 * page table entries the touched pages got.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "pagewalk.h"

#define MAX_KINDS 16

/* How many touched pages have an entry of this attribute and size. */
struct kind {
	uint32_t attr;
	uint64_t size;
	unsigned long pages;
};

struct result {
	uint64_t mmap_ns, touch_ns, again_ns, munmap_ns;
	long faults;
	unsigned long pages;
	struct kind kinds[MAX_KINDS];
	int nr_kinds;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static long minor_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

static uint64_t touch(char *memory, size_t size, size_t stride)
{
	uint64_t begin = now_ns();

	for (size_t at = 0; at < size; at += stride)
		*(volatile char *)(memory + at) = 1;
	return now_ns() - begin;
}

static void count(struct result *r, const struct pagewalk *walk)
{
	uint32_t attr = pagewalk_attr(walk);

	for (int i = 0; i < r->nr_kinds; i++) {
		if (r->kinds[i].attr == attr && r->kinds[i].size == walk->size) {
			r->kinds[i].pages++;
			return;
		}
	}
	if (r->nr_kinds < MAX_KINDS)
		r->kinds[r->nr_kinds++] = (struct kind){ attr, walk->size, 1 };
}

/* Where there is no walker, no entries are reported. */
static void walk_entries(struct result *r, char *memory, size_t size,
			 size_t stride)
{
	int fd = pagewalk_open();
	struct pagewalk walk;

	for (size_t at = 0; fd >= 0 && at < size; at += stride)
		if (!pagewalk_read(fd, memory + at, &walk))
			count(r, &walk);
	if (fd >= 0)
		close(fd);
}

static int measure(struct result *r, int fd, size_t size, size_t stride)
{
	uint64_t begin = now_ns();
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	long faults;

	r->mmap_ns = now_ns() - begin;
	if (memory == MAP_FAILED)
		return -1;
	faults = minor_faults();
	r->touch_ns = touch(memory, size, stride);
	r->faults = minor_faults() - faults;
	r->again_ns = touch(memory, size, stride);
	r->pages = (size + stride - 1) / stride;
	walk_entries(r, memory, size, stride);
	begin = now_ns();
	munmap(memory, size);
	r->munmap_ns = now_ns() - begin;
	return 0;
}

static void print(const struct result *r, const char *file, size_t size)
{
	static const char * const names[] = { "unknown", "wb", "wc", "uc" };

	printf("{\"v\": 1, \"case\": \"map_touch\", \"file\": \"%s\", "
	       "\"size\": %zu, \"pages\": %lu, \"faults\": %ld, "
	       "\"mmap_ns\": %" PRIu64 ", \"touch_ns\": %" PRIu64 ", "
	       "\"again_ns\": %" PRIu64 ", \"munmap_ns\": %" PRIu64 ", "
	       "\"entries\": [", file, size, r->pages, r->faults, r->mmap_ns,
	       r->touch_ns, r->again_ns, r->munmap_ns);
	for (int i = 0; i < r->nr_kinds; i++)
		printf("%s{\"attr\": \"%s\", \"size\": %" PRIu64
		       ", \"pages\": %lu}", i ? ", " : "",
		       names[r->kinds[i].attr], r->kinds[i].size,
		       r->kinds[i].pages);
	puts("]}");
}

int main(int argc, char **argv)
{
	const size_t page = getpagesize();
	size_t stride = argc > 3 ? strtoull(argv[3], NULL, 0) : page;
	size_t size = argc > 2 ? strtoull(argv[2], NULL, 0) : 0;
	struct result result = {};
	int fd;

	if (!size || !stride) {
		fputs("usage: map_touch FILE SIZE [STRIDE]\n", stderr);
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0 || measure(&result, fd, size, stride)) {
		perror(argv[1]);
		return 1;
	}
	print(&result, argv[1], size);
	return 0;
}
