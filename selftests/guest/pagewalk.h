/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the page table really says of an address, through the node of the test
 * module ivshmem_pagewalk. Needs nothing else, so that bench/ uses it too.
 */
#ifndef PAGEWALK_H
#define PAGEWALK_H

#include <fcntl.h>
#include <linux/ivshmem_guest.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

#define PAGEWALK_NODE "/dev/ivshmem_pagewalk"

struct pagewalk {
	uint64_t entry;	/* as the processor sees it, 0 if nothing is mapped */
	uint64_t size;	/* bytes that it maps */
};

static inline int pagewalk_open(void)
{
	return open(PAGEWALK_NODE, O_RDONLY | O_CLOEXEC);
}

/* 0, or -1 and errno. */
static inline int pagewalk_read(int fd, const void *at, struct pagewalk *walk)
{
	ssize_t len = pread(fd, walk, sizeof(*walk), (off_t)(uintptr_t)at);

	return len == sizeof(*walk) ? 0 : -1;
}

#if defined(__x86_64__)

/* Linux programs the PAT so: WB, WC, UC-, UC, WB, WP, UC-, WT. */
static inline uint32_t pagewalk_attr(const struct pagewalk *walk)
{
	const int pat_bit = walk->size > 4096 ? 12 : 7;
	const unsigned int index = (walk->entry >> 3 & 3) |
				   (walk->entry >> pat_bit & 1) << 2;
	static const uint32_t attrs[8] = {
		IVSHMEM_PAGE_ATTR_WB, IVSHMEM_PAGE_ATTR_WC,
		IVSHMEM_PAGE_ATTR_UC, IVSHMEM_PAGE_ATTR_UC,
		IVSHMEM_PAGE_ATTR_WB, IVSHMEM_PAGE_ATTR_UNKNOWN,
		IVSHMEM_PAGE_ATTR_UC, IVSHMEM_PAGE_ATTR_UNKNOWN,
	};

	return walk->entry ? attrs[index] : IVSHMEM_PAGE_ATTR_UNKNOWN;
}

static inline int pagewalk_is_writable(const struct pagewalk *walk)
{
	return walk->entry >> 1 & 1;
}

static inline int pagewalk_is_executable(const struct pagewalk *walk)
{
	return !(walk->entry >> 63);
}

static inline uint64_t pagewalk_phys(const struct pagewalk *walk,
				     const void *at)
{
	const uint64_t frame = walk->entry & 0x000ffffffffff000ULL;

	return (frame & -walk->size) | ((uintptr_t)at & (walk->size - 1));
}

#endif

#endif /* PAGEWALK_H */
