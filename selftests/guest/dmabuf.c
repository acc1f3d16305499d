// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dma-bufs: what IVSHMEM_DMABUF gives and refuses; mapping one, working on one
 * by another device (the test module ivshmem_importer), and what a removal does
 * to all of them. Without struct pages the ioctl is refused.
 */
#include <linux/dma-buf.h>
#include <sys/stat.h>

#include "importer.h"
#include "mapping.h"
#include "sysfs.h"

FIXTURE(dmabuf) {
	int fd;
	bool offered;
	size_t page;
	size_t size;
	char *whole;
};

FIXTURE_SETUP(dmabuf)
{
	self->page = getpagesize();
	self->fd = open(plain_node(), O_RDWR);
	ASSERT_LE(0, self->fd);
	self->offered = has_feature(self->fd, IVSHMEM_FEATURE_DMABUF);
	self->size = shmem_size(self->fd);
	self->whole = map(self->fd, 0, self->size);
	ASSERT_NE(MAP_FAILED, self->whole);
	catch_access_signals();
}

FIXTURE_TEARDOWN(dmabuf)
{
	munmap(self->whole, self->size);
	close(self->fd);
}

#define NEEDS_DMABUF() do { \
	if (!self->offered) \
		SKIP(return, "no dma-bufs without struct pages"); \
} while (0)

static int sync_dmabuf(int dmabuf, __u64 flags)
{
	struct dma_buf_sync arg = { .flags = flags | DMA_BUF_SYNC_RW };

	return ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &arg);
}

TEST_F(dmabuf, without_the_feature_bit_is_eopnotsupp)
{
	if (self->offered)
		SKIP(return, "this device offers dma-bufs");
	EXPECT_ERRNO(EOPNOTSUPP, export_dmabuf(self->fd, 0, self->page));
}

TEST_F(dmabuf, has_the_length_asked_for)
{
	int dmabuf;

	NEEDS_DMABUF();
	dmabuf = export_dmabuf(self->fd, self->page, 3 * self->page);
	ASSERT_LE(0, dmabuf);
	EXPECT_EQ(3 * self->page, lseek(dmabuf, 0, SEEK_END));
	EXPECT_EQ(FD_CLOEXEC, fcntl(dmabuf, F_GETFD));
	close(dmabuf);
}

TEST_F(dmabuf, of_a_range_that_is_not_there_is_einval)
{
	const __u64 page = self->page, size = self->size;
	const __u64 ranges[][2] = {
		{ 0, 0 }, { 0, size + page }, { size, page },
		{ page, size }, { 1, page }, { 0, page + 1 },
		{ -page, page }, { page, -page }, { -page, 2 * page },
		{ 1ULL << 63, page }, { 0, 1ULL << 63 },
	};

	NEEDS_DMABUF();
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		EXPECT_ERRNO(EINVAL, export_dmabuf(self->fd, ranges[i][0],
						   ranges[i][1]));
}

TEST_F(dmabuf, with_reserved_set_is_einval)
{
	struct ivshmem_dmabuf arg = {
		.size = sizeof(arg),
		.length = self->page,
		.reserved = 1,
	};

	NEEDS_DMABUF();
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, IVSHMEM_DMABUF, &arg));
}

TEST_F(dmabuf, argument_is_checked_before_anything_else)
{
	struct {
		struct ivshmem_dmabuf arg;
		__u64 more;
	} long_arg = { .arg.length = self->page };
	struct ivshmem_dmabuf *arg = &long_arg.arg;

	for (__u32 size = 0; size < sizeof(*arg); size++) {
		arg->size = size;
		EXPECT_ERRNO(EINVAL, ioctl(self->fd, IVSHMEM_DMABUF, arg));
	}
	arg->size = sizeof(*arg);
	arg->flags = 1;
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(self->fd, IVSHMEM_DMABUF, arg));
	arg->flags = 0;
	arg->size = sizeof(long_arg);
	long_arg.more = 1;
	EXPECT_ERRNO(E2BIG, ioctl(self->fd, IVSHMEM_DMABUF, arg));
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, IVSHMEM_DMABUF, NULL));
}

TEST_F(dmabuf, of_a_file_not_open_for_both_is_eacces)
{
	int read_only = open(plain_node(), O_RDONLY);
	int write_only = open(plain_node(), O_WRONLY);

	EXPECT_ERRNO(EACCES, export_dmabuf(read_only, 0, self->page));
	EXPECT_ERRNO(EACCES, export_dmabuf(write_only, 0, self->page));
	close(read_only);
	close(write_only);
}

TEST_F(dmabuf, when_no_file_is_left_is_emfile)
{
	struct rlimit old, none = {};

	NEEDS_DMABUF();
	getrlimit(RLIMIT_NOFILE, &old);
	none.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	EXPECT_ERRNO(EMFILE, export_dmabuf(self->fd, 0, self->page));
	setrlimit(RLIMIT_NOFILE, &old);
}

/*
 * As one who is not root: root may have more files than the system has. None at all,
 * since a few are counted for each processor alone.
 */
TEST_F(dmabuf, when_the_system_has_no_file_left_is_enfile)
{
	const char *limit = "/proc/sys/fs/file-max";
	char old[32] = "";
	int fd, status;
	pid_t pid;

	NEEDS_DMABUF();
	fd = open(limit, O_RDONLY | O_CLOEXEC);
	ASSERT_LT(0, read(fd, old, sizeof(old) - 1));
	close(fd);
	ASSERT_EQ(0, sysfs_write(limit, "0"));
	pid = fork();
	if (!pid)
		_exit(setuid(65534) || export_dmabuf(self->fd, 0, self->page) >= 0 ||
		      errno != ENFILE);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, sysfs_write(limit, old));
	EXPECT_EQ(0, status);
}

/* The reply cannot be written: then there must be no file that nobody knows. */
TEST_F(dmabuf, with_a_read_only_argument_is_efault_and_opens_nothing)
{
	struct ivshmem_dmabuf *arg = mmap(NULL, self->page, RW,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int next = dup(self->fd), again;

	NEEDS_DMABUF();
	close(next);
	arg->size = sizeof(*arg);
	arg->length = self->page;
	ASSERT_EQ(0, mprotect(arg, self->page, PROT_READ));
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, IVSHMEM_DMABUF, arg));
	again = dup(self->fd);
	EXPECT_EQ(next, again);
	close(again);
}

TEST_F(dmabuf, mapped_shows_the_bytes_of_its_range)
{
	char *memory, *part;
	int dmabuf;

	NEEDS_DMABUF();
	dmabuf = export_dmabuf(self->fd, 5 * self->page, 4 * self->page);
	ASSERT_LE(0, dmabuf);
	memory = map(dmabuf, 0, 4 * self->page);
	part = map(dmabuf, 2 * self->page, self->page);
	ASSERT_NE(MAP_FAILED, memory);
	ASSERT_NE(MAP_FAILED, part);
	strcpy(self->whole + 5 * self->page, "first");
	strcpy(part, "third");
	EXPECT_STREQ("first", memory);
	EXPECT_STREQ("third", self->whole + 7 * self->page);
	munmap(memory, 4 * self->page);
	munmap(part, self->page);
	close(dmabuf);
}

TEST_F(dmabuf, mapped_beyond_its_range_is_einval)
{
	int dmabuf;

	NEEDS_DMABUF();
	dmabuf = export_dmabuf(self->fd, 0, 2 * self->page);
	EXPECT_MAP_ERRNO(EINVAL, map(dmabuf, 0, 3 * self->page));
	EXPECT_MAP_ERRNO(EINVAL, map(dmabuf, 2 * self->page, self->page));
	EXPECT_MAP_ERRNO(EINVAL, mmap(NULL, self->page, RW, MAP_PRIVATE, dmabuf,
				      0));
	close(dmabuf);
}

TEST_F(dmabuf, lives_on_when_the_node_is_closed)
{
	int fd = open(plain_node(), O_RDWR), dmabuf;
	char *memory;

	NEEDS_DMABUF();
	dmabuf = export_dmabuf(fd, 0, self->page);
	close(fd);
	memory = map(dmabuf, 0, self->page);
	ASSERT_NE(MAP_FAILED, memory);
	EXPECT_EQ(0, poke(memory, 0x11));
	close(dmabuf);
	EXPECT_EQ(0, poke(memory, 0x12));
	EXPECT_EQ(0x12, *(__u64 *)self->whole);
	munmap(memory, self->page);
}

TEST_F(dmabuf, can_be_synchronized)
{
	int dmabuf;

	NEEDS_DMABUF();
	dmabuf = export_dmabuf(self->fd, 0, self->page);
	EXPECT_EQ(0, sync_dmabuf(dmabuf, DMA_BUF_SYNC_START));
	EXPECT_EQ(0, sync_dmabuf(dmabuf, DMA_BUF_SYNC_END));
	close(dmabuf);
}

/* --- another device ------------------------------------------------------------------ */

#define NEEDS_IMPORTER(importer) do { \
	NEEDS_DMABUF(); \
	if ((importer) < 0) \
		SKIP(return, "the test module ivshmem_importer is not loaded"); \
} while (0)

TEST_F(dmabuf, is_read_and_written_by_another_device)
{
	const size_t length = self->size - self->page;
	int importer = new_importer(), dmabuf;
	char buf[5000];

	NEEDS_IMPORTER(importer);
	dmabuf = export_dmabuf(self->fd, self->page, length);
	for (size_t i = 0; i < length; i++)
		self->whole[self->page + i] = i * 3 + i / 4096;
	ASSERT_EQ(0, ioctl(importer, IMPORTER_IMPORT, dmabuf));
	for (size_t at = 0; at + sizeof(buf) <= length; at += 100 * 1000) {
		ASSERT_EQ(sizeof(buf), pread(importer, buf, sizeof(buf), at));
		ASSERT_EQ(0, memcmp(buf, self->whole + self->page + at,
				    sizeof(buf)));
	}
	ASSERT_EQ(4, pwrite(importer, "done", 4, length - 4));
	EXPECT_EQ(0, memcmp("done", self->whole + self->size - 4, 4));
	EXPECT_EQ(0, sync_dmabuf(dmabuf, DMA_BUF_SYNC_START));
	EXPECT_EQ(0, sync_dmabuf(dmabuf, DMA_BUF_SYNC_END));
	close(dmabuf);
	close(importer);
}

TEST_F(dmabuf, can_be_imported_by_several_devices_and_again)
{
	int one = new_importer(), two = new_importer(), dmabuf;

	NEEDS_IMPORTER(one);
	dmabuf = export_dmabuf(self->fd, 0, self->page);
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(0, ioctl(one, IMPORTER_IMPORT, dmabuf));
		EXPECT_EQ(0, ioctl(two, IMPORTER_IMPORT, dmabuf));
		EXPECT_EQ(0, ioctl(one, IMPORTER_RELEASE));
		EXPECT_EQ(0, ioctl(two, IMPORTER_RELEASE));
	}
	close(dmabuf);
	close(one);
	close(two);
}

/* --- removal ------------------------------------------------------------------------- */

TEST_F(dmabuf, of_a_device_that_is_gone_is_dead)
{
	int importer = new_importer(), dmabuf;
	char address[16], *memory;

	NEEDS_IMPORTER(importer);
	ASSERT_TRUE(sysfs_address(plain_node(), address));
	dmabuf = export_dmabuf(self->fd, 0, 4 * self->page);
	memory = map(dmabuf, 0, 4 * self->page);
	ASSERT_EQ(0, poke(memory, 1));
	ASSERT_EQ(0, driver_unbind(address));
	EXPECT_EQ(SIGBUS, poke(memory, 1));
	EXPECT_EQ(SIGBUS, touch(memory + self->page));
	EXPECT_MAP_ERRNO(ENODEV, map(dmabuf, 0, self->page));
	EXPECT_ERRNO(ENODEV, sync_dmabuf(dmabuf, DMA_BUF_SYNC_START));
	EXPECT_ERRNO(ENODEV, ioctl(importer, IMPORTER_IMPORT, dmabuf));
	EXPECT_ERRNO(ENODEV, export_dmabuf(self->fd, 0, self->page));
	ASSERT_EQ(0, driver_bind(address));
	/* Its successor is another device. */
	EXPECT_EQ(SIGBUS, touch(memory));
	EXPECT_ERRNO(ENODEV, ioctl(importer, IMPORTER_IMPORT, dmabuf));
	close(dmabuf);
	EXPECT_EQ(SIGBUS, touch(memory));
	munmap(memory, 4 * self->page);
	close(importer);
}

static void *unbind_main(void *address)
{
	return (void *)(long)driver_unbind(address);
}

TEST_F(dmabuf, in_use_by_another_device_holds_the_removal)
{
	int importer = new_importer(), dmabuf;
	struct ivshmem_info info;
	char address[16], word[5] = "";
	pthread_t thread;
	void *result;

	NEEDS_IMPORTER(importer);
	ASSERT_TRUE(sysfs_address(plain_node(), address));
	dmabuf = export_dmabuf(self->fd, 0, 4 * self->page);
	ASSERT_EQ(0, ioctl(importer, IMPORTER_IMPORT, dmabuf));
	strcpy(self->whole + self->page, "held");
	ASSERT_EQ(0, pthread_create(&thread, NULL, unbind_main, address));
	while (!get_info(self->fd, &info))
		sched_yield();
	EXPECT_EQ(4, pread(importer, word, 4, self->page));
	EXPECT_STREQ("held", word);
	EXPECT_EQ(EBUSY, pthread_tryjoin_np(thread, &result));
	close(importer);
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(NULL, result);
	EXPECT_EQ(0, driver_bind(address));
	close(dmabuf);
}

TEST_HARNESS_MAIN
