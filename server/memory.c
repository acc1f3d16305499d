// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * memory: the shared memory that all peers get. Opened once by main.c.
 *
 * What was not created here is never shrunk, grown or unlinked: another size
 * than the one asked for is an error.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "server.h"

#define MEMORY_MODE 0600

/* QEMU aborts on a size that is no power of two. 0 when there is none. */
static uint64_t round_up_power_of_two(uint64_t size, uint64_t least)
{
	uint64_t rounded = least;

	while (rounded < size && rounded <= INT64_MAX / 2)
		rounded *= 2;
	return rounded < size ? 0 : rounded;
}

static int memory_fail(const char *what)
{
	log_error("%s: %s", what, strerror(errno));
	return -1;
}

/*
 * A memfd knows no limit: allocating more than there is would wake the OOM
 * killer, who may take any process but this one.
 */
static bool ram_suffices(uint64_t size)
{
	uint64_t kib, available = 0;
	char line[128];
	FILE *meminfo = fopen("/proc/meminfo", "re");

	if (!meminfo)
		return true;
	while (fgets(line, sizeof(line), meminfo)) {
		if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1 ||
		    sscanf(line, "SwapFree: %" SCNu64, &kib) == 1)
			available += kib << 10;
	}
	fclose(meminfo);
	return size <= available;
}

/* Only for memory: a disk says itself when it is full. */
static bool memory_suffices(int fd, uint64_t size)
{
	struct statfs fs;

	return fstatfs(fd, &fs) || fs.f_type != TMPFS_MAGIC ||
	       ram_suffices(size);
}

/* Give a new file its size, and its pages now rather than a SIGBUS later. */
static int memory_fill(int fd, uint64_t size, bool sparse, const char *what)
{
	int err = 0;

	if (!sparse && !memory_suffices(fd, size))
		err = ENOMEM;
	else if (ftruncate(fd, (off_t)size))
		err = errno;
	else if (!sparse)
		err = posix_fallocate(fd, 0, (off_t)size);
	if (!err)
		return 0;
	log_error("%s: %" PRIu64 " bytes: %s", what, size, strerror(err));
	return -1;
}

/* No peer can truncate it under the others. */
static int memory_seal(int fd)
{
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

	return fcntl(fd, F_ADD_SEALS, seals) ? memory_fail("memfd seals") : 0;
}

static int memory_open_memfd(struct memory *memory,
			     const struct options *options)
{
	memory->fd = memfd_create("ivshmem", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memory->fd < 0)
		return memory_fail("memfd");
	if (memory_fill(memory->fd, memory->size, options->sparse, "memfd"))
		return -1;
	return memory_seal(memory->fd);
}

/* memfd_create() takes the binary logarithm of the page's size, or 0. */
static unsigned int huge_page_flag(uint64_t page_size)
{
	unsigned int shift = page_size ? (unsigned int)__builtin_ctzll(page_size) : 0;

	return shift << MFD_HUGE_SHIFT;
}

static int memory_open_hugetlb(struct memory *memory,
			       const struct options *options)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB |
			     huge_page_flag(options->huge_page_size);
	struct stat stat;

	memory->fd = memfd_create("ivshmem", flags);
	if (memory->fd < 0 || fstat(memory->fd, &stat)) {
		log_error("--hugetlb: %s: /sys/kernel/mm/hugepages has the sizes of this host",
			  strerror(errno));
		return -1;
	}
	memory->size = round_up_power_of_two(memory->size,
					     (uint64_t)stat.st_blksize);
	if (memory_fill(memory->fd, memory->size, options->sparse, "--hugetlb")) {
		log_error("--hugetlb: are %" PRIu64 " pages of %ld bytes free? (see vm.nr_hugepages)",
			  memory->size / (uint64_t)stat.st_blksize,
			  (long)stat.st_blksize);
		return -1;
	}
	return memory_seal(memory->fd);
}

static int memory_check_existing(const struct memory *memory, const char *name)
{
	struct stat stat;

	if (fstat(memory->fd, &stat))
		return memory_fail(name);
	if ((uint64_t)stat.st_size == memory->size)
		return 0;
	log_error("shared memory %s: it exists with %" PRIu64 " bytes, and -l asks for %" PRIu64 ": remove it, or ask for its size",
		  name, (uint64_t)stat.st_size, memory->size);
	return -1;
}

static int memory_open_shm(struct memory *memory,
			   const struct options *options)
{
	const char *name = options->shm_name;

	memory->fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, MEMORY_MODE);
	if (memory->fd >= 0) {
		memory->unlink_name = name;
		return memory_fill(memory->fd, memory->size, options->sparse,
				   name);
	}
	if (errno != EEXIST)
		return memory_fail(name);
	memory->fd = shm_open(name, O_RDWR, 0);
	if (memory->fd < 0)
		return memory_fail(name);
	return memory_check_existing(memory, name);
}

/* A file without a name in a directory, hugetlbfs or other. */
static int memory_open_dir(struct memory *memory,
			   const struct options *options)
{
	const char *dir = options->memory_dir;
	struct statfs fs;
	char *path;

	if (statfs(dir, &fs))
		return memory_fail(dir);
	/* A block is a page there, and on hugetlbfs a huge one. */
	memory->size = round_up_power_of_two(memory->size,
					     (uint64_t)fs.f_bsize);
	if (asprintf(&path, "%s/ivshmem.XXXXXX", dir) < 0)
		return memory_fail(dir);
	memory->fd = mkostemp(path, O_CLOEXEC);
	if (memory->fd >= 0)
		unlink(path);
	free(path);
	if (memory->fd < 0)
		return memory_fail(dir);
	return memory_fill(memory->fd, memory->size, options->sparse, dir);
}

static int memory_open_kind(struct memory *memory,
			    const struct options *options)
{
	if (options->shm_name)
		return memory_open_shm(memory, options);
	if (options->memory_dir)
		return memory_open_dir(memory, options);
	if (options->hugetlb)
		return memory_open_hugetlb(memory, options);
	return memory_open_memfd(memory, options);
}

int memory_open(struct memory *memory, const struct options *options)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	*memory = (struct memory) {
		.fd = -1,
		.size = round_up_power_of_two(options->size, page),
	};
	if (!memory->size) {
		log_error("size %" PRIu64 ": more than a file can have",
			  options->size);
		return -1;
	}
	if (memory_open_kind(memory, options)) {
		memory_close(memory, true);
		return -1;
	}
	if (memory->size != options->size)
		log_notice("size: %" PRIu64 " bytes, rounded up to a power of two from %" PRIu64,
			   memory->size, options->size);
	return 0;
}

int memory_adopt(struct memory *memory, int fd, const char *unlink_name,
		 const struct options *options)
{
	struct stat stat;

	*memory = (struct memory) { .fd = fd };
	if (fstat(fd, &stat))
		return memory_fail("memory");
	memory->size = (uint64_t)stat.st_size;
	memory->unlink_name = *unlink_name ? unlink_name : NULL;
	if (memory->size < options->size)
		log_warn("the memory stays as it is: %" PRIu64 " bytes, and -l asks for %" PRIu64,
			 memory->size, options->size);
	return 0;
}

/* Whether the name still means the memory that we made. */
static bool name_is_ours(const struct memory *memory)
{
	struct stat ours, there;
	int fd = shm_open(memory->unlink_name, O_RDONLY, 0);
	bool same;

	if (fd < 0)
		return false;
	same = !fstat(fd, &there) && !fstat(memory->fd, &ours) &&
	       there.st_dev == ours.st_dev && there.st_ino == ours.st_ino;
	close(fd);
	return same;
}

void memory_close(struct memory *memory, bool final)
{
	if (final && memory->unlink_name && name_is_ours(memory))
		shm_unlink(memory->unlink_name);
	if (memory->fd >= 0)
		close(memory->fd);
	memory->fd = -1;
	memory->unlink_name = NULL;
}
