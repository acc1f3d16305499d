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
	uint64_t types;	/* the processor's memory types, a byte each */
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

/* The processor's word for how the memory is cached, by an index in the entry. */
static inline unsigned int pagewalk_type(const struct pagewalk *walk,
					 unsigned int index)
{
	return walk->types >> 8 * index & 0xff;
}

#if defined(__x86_64__)

/* The types are those of the PAT. */
static inline uint32_t pagewalk_attr(const struct pagewalk *walk)
{
	const int pat_bit = walk->size > 4096 ? 12 : 7;
	const unsigned int index = (walk->entry >> 3 & 3) |
				   (walk->entry >> pat_bit & 1) << 2;

	if (!walk->entry)
		return IVSHMEM_PAGE_ATTR_UNKNOWN;
	switch (pagewalk_type(walk, index)) {
	case 6:
		return IVSHMEM_PAGE_ATTR_WB;
	case 1:
		return IVSHMEM_PAGE_ATTR_WC;
	case 0:
	case 7:		/* UC- */
		return IVSHMEM_PAGE_ATTR_UC;
	default:
		return IVSHMEM_PAGE_ATTR_UNKNOWN;
	}
}

static inline int pagewalk_is_writable(const struct pagewalk *walk)
{
	return walk->entry >> 1 & 1;
}

static inline int pagewalk_is_executable(const struct pagewalk *walk)
{
	return !(walk->entry >> 63);
}

#elif defined(__aarch64__)

/* The types are those of MAIR_EL1: four bits for outer and inner caches each. */
static inline uint32_t pagewalk_attr(const struct pagewalk *walk)
{
	const unsigned int type = pagewalk_type(walk, walk->entry >> 2 & 7);

	if (!walk->entry)
		return IVSHMEM_PAGE_ATTR_UNKNOWN;
	if (type == 0xff)
		return IVSHMEM_PAGE_ATTR_WB;
	if (type == 0x44)
		return IVSHMEM_PAGE_ATTR_WC;
	return type >> 4 ? IVSHMEM_PAGE_ATTR_UNKNOWN : IVSHMEM_PAGE_ATTR_UC;
}

/*
 * Bit 7 refuses writes; with bit 51 only the first one, by which the kernel
 * learns of it: so after a fork, or when mprotect() has allowed to write.
 */
static inline int pagewalk_is_writable(const struct pagewalk *walk)
{
	return !(walk->entry >> 7 & 1) || walk->entry >> 51 & 1;
}

static inline int pagewalk_is_executable(const struct pagewalk *walk)
{
	return !(walk->entry >> 54 & 1);
}

#else

static inline uint32_t pagewalk_attr(const struct pagewalk *walk)
{
	(void)walk;
	return IVSHMEM_PAGE_ATTR_UNKNOWN;
}

#endif

/* Both have the address in the same bits, with 4 KiB pages. */
static inline uint64_t pagewalk_phys(const struct pagewalk *walk,
				     const void *at)
{
	const uint64_t frame = walk->entry & 0x0000fffffffff000ULL;

	return (frame & -walk->size) | ((uintptr_t)at & (walk->size - 1));
}

#endif /* PAGEWALK_H */
