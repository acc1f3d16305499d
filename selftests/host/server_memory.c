// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The shared memory that ivshmemd gives: its size, its kind, its seals, and that
 * nothing is done to memory that was there before.
 */
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include "kselftest_harness.h"
#include "server_process.h"
#include "server_peer.h"

FIXTURE(memory) {
	struct server server;
	char name[64];		/* for POSIX shared memory: nobody else's */
};

FIXTURE_SETUP(memory)
{
	ASSERT_TRUE(server_init(&self->server));
	snprintf(self->name, sizeof(self->name), "ivshmemd-test-%d", getpid());
}

FIXTURE_TEARDOWN(memory)
{
	EXPECT_TRUE(server_fini(&self->server));
	EXPECT_EQ(-1, shm_unlink(self->name));
}

/* The memory as a peer gets it; -1 if there is none. */
static int memory_of(struct server *server, const char *arguments)
{
	struct peer *peer;
	int fd;

	if (!server_start(server, arguments))
		return -1;
	peer = peer_join(server->socket, 1);
	fd = peer ? dup(peer->memory_fd) : -1;
	peer_close(peer);
	return fd;
}

static int64_t size_of(int fd)
{
	struct stat st;

	return fd >= 0 && !fstat(fd, &st) ? st.st_size : -1;
}

#define SIZE_TEST(name, arguments, expected)				\
	TEST_F(memory, name)						\
	{								\
		int fd = memory_of(&self->server, arguments);		\
									\
		EXPECT_EQ(expected, size_of(fd));			\
		close(fd);						\
	}

SIZE_TEST(size_is_4_mib_by_default, "", 4 << 20)
SIZE_TEST(size_is_rounded_up_to_a_power_of_two, "-l 3M", 4 << 20)
SIZE_TEST(size_is_at_least_a_page, "-l 1", sysconf(_SC_PAGESIZE))
SIZE_TEST(size_may_be_bytes, "-l 65536B", 65536)
SIZE_TEST(size_may_be_hexadecimal, "-l 0x100000", 1 << 20)
SIZE_TEST(size_may_have_a_small_suffix, "-l 64k", 65536)
SIZE_TEST(size_may_be_a_fraction, "-l 0.5M", 512 << 10)
SIZE_TEST(size_may_be_4_gib, "-l 4G --sparse", INT64_C(4) << 30)
SIZE_TEST(size_beyond_32_bits_is_rounded_up, "-l 5G --sparse", INT64_C(8) << 30)
SIZE_TEST(size_may_be_1_tib, "-l 1T --sparse", INT64_C(1) << 40)

TEST_F(memory, rounding_is_logged_with_both_sizes)
{
	close(memory_of(&self->server, "-l 3M"));
	EXPECT_TRUE(server_said(&self->server, "4194304"));
	EXPECT_TRUE(server_said(&self->server, "3145728"));
}

TEST_F(memory, pages_are_there_from_the_start)
{
	int fd = memory_of(&self->server, "-l 1M");
	struct stat st;

	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_LE((1 << 20) / 512, st.st_blocks);
	close(fd);
}

TEST_F(memory, pages_come_as_they_are_used_when_sparse)
{
	int fd = memory_of(&self->server, "-l 1M --sparse");
	struct stat st;

	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(0, st.st_blocks);
	close(fd);
}

TEST_F(memory, more_than_the_machine_has_is_refused)
{
	char arguments[160];

	/* A server that tries it all the same shall not take the machine. */
	self->server.max_file_size = 1 << 20;
	snprintf(arguments, sizeof(arguments), "-F -S %s -l 1024T",
		 self->server.socket);
	ASSERT_TRUE(server_run(&self->server, arguments));
	EXPECT_EQ(1, server_wait(&self->server));
	EXPECT_TRUE(server_said(&self->server, "1125899906842624 bytes: Cannot allocate memory"));
}

TEST_F(memory, by_default_is_sealed_against_every_change_of_size)
{
	int fd = memory_of(&self->server, "-l 1M");

	EXPECT_EQ(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
		  fcntl(fd, F_GET_SEALS));
	EXPECT_EQ(-1, ftruncate(fd, 0));
	EXPECT_EQ(EPERM, errno);
	close(fd);
}

TEST_F(memory, can_be_mapped_and_written)
{
	int fd = memory_of(&self->server, "-l 1M");
	char *map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED,
			 fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	memset(map, 0x5a, 1 << 20);
	munmap(map, 1 << 20);
	close(fd);
}

TEST_F(memory, in_a_directory_is_a_file_without_a_name)
{
	char arguments[128];
	struct stat st;
	int fd;

	snprintf(arguments, sizeof(arguments), "-l 1M -m %s",
		 self->server.dir);
	fd = memory_of(&self->server, arguments);
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(1 << 20, st.st_size);
	EXPECT_EQ(0, st.st_nlink);
	close(fd);
}

TEST_F(memory, in_a_directory_has_at_least_its_block)
{
	char arguments[128];
	struct statfs fs;
	int fd;

	ASSERT_EQ(0, statfs(self->server.dir, &fs));
	snprintf(arguments, sizeof(arguments), "-l 1 -m %s", self->server.dir);
	fd = memory_of(&self->server, arguments);
	EXPECT_LE(fs.f_bsize, size_of(fd));
	close(fd);
}

/* Whether the kernel's default pool has this many free pages. */
static bool has_huge_pages(unsigned int wanted)
{
	FILE *meminfo = fopen("/proc/meminfo", "re");
	unsigned int nr_free = 0;
	char line[128];

	while (meminfo && fgets(line, sizeof(line), meminfo))
		sscanf(line, "HugePages_Free: %u", &nr_free);
	if (meminfo)
		fclose(meminfo);
	return nr_free >= wanted;
}

#define NEEDS_HUGE_PAGES(number)					\
	if (!has_huge_pages(number))					\
		SKIP(return, "needs free huge pages: sysctl vm.nr_hugepages=8")

TEST_F(memory, of_huge_pages_is_sealed_and_at_least_one_page)
{
	struct stat st;
	int fd;

	NEEDS_HUGE_PAGES(1);
	fd = memory_of(&self->server, "-l 4K --hugetlb");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_LT(sysconf(_SC_PAGESIZE), st.st_blksize);
	EXPECT_EQ(st.st_blksize, st.st_size);
	EXPECT_EQ(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
		  fcntl(fd, F_GET_SEALS));
	close(fd);
}

TEST_F(memory, of_huge_pages_of_a_given_size_has_these)
{
	struct stat st;
	int fd;

	NEEDS_HUGE_PAGES(2);
	if (access("/sys/kernel/mm/hugepages/hugepages-2048kB", F_OK))
		SKIP(return, "this machine has no huge pages of 2 MiB");
	fd = memory_of(&self->server, "-l 3M --hugetlb=2M");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(2 << 20, st.st_blksize);
	EXPECT_EQ(4 << 20, st.st_size);
	close(fd);
}

static void refused_memory_test(struct __test_metadata *_metadata,
				struct server *server, const char *options,
				const char *words)
{
	char arguments[160];

	snprintf(arguments, sizeof(arguments), "-F -S %s %s", server->socket,
		 options);
	ASSERT_TRUE(server_run(server, arguments));
	EXPECT_EQ(1, server_wait(server));
	EXPECT_TRUE(server_said(server, words));
}

TEST_F(memory, of_huge_pages_of_a_size_that_the_host_has_not_is_refused)
{
	refused_memory_test(_metadata, &self->server, "--hugetlb=64T",
			    "--hugetlb: No such device: /sys/kernel/mm/hugepages");
}

TEST_F(memory, of_more_huge_pages_than_are_free_is_refused)
{
	NEEDS_HUGE_PAGES(1);
	refused_memory_test(_metadata, &self->server, "-l 1T --hugetlb",
			    "pages of 2097152 bytes free? (see vm.nr_hugepages)");
}

static void posix_test(struct __test_metadata *_metadata,
		       struct server *server, const char *name,
		       const char *option)
{
	char arguments[128];
	int fd, ours;
	struct stat st;

	snprintf(arguments, sizeof(arguments), "-l 1M %s %s", option, name);
	fd = memory_of(server, arguments);
	ours = shm_open(name, O_RDWR, 0);
	ASSERT_LE(0, ours);
	ASSERT_EQ(0, fstat(ours, &st));
	EXPECT_EQ(1 << 20, st.st_size);
	EXPECT_EQ(0600, st.st_mode & 0777);
	EXPECT_EQ(1, pwrite(ours, "x", 1, 77));
	EXPECT_EQ(1, pread(fd, arguments, 1, 77));
	EXPECT_EQ('x', arguments[0]);
	close(ours);
	close(fd);
	EXPECT_EQ(0, server_stop(server));
	EXPECT_EQ(-1, shm_open(name, O_RDWR, 0));
}

TEST_F(memory, named_with_M_is_posix_shared_memory_and_removed_at_the_end)
{
	posix_test(_metadata, &self->server, self->name, "-M");
}

TEST_F(memory, named_with_m_is_posix_shared_memory_and_removed_at_the_end)
{
	posix_test(_metadata, &self->server, self->name, "-m");
}

TEST_F(memory, that_exists_with_its_size_is_used_and_left)
{
	int ours = shm_open(self->name, O_RDWR | O_CREAT | O_EXCL, 0600);
	char arguments[128], byte = 0;
	int fd;

	ASSERT_EQ(0, ftruncate(ours, 1 << 20));
	ASSERT_EQ(1, pwrite(ours, "x", 1, 5));
	snprintf(arguments, sizeof(arguments), "-l 1M -M %s", self->name);
	fd = memory_of(&self->server, arguments);
	EXPECT_EQ(1, pread(fd, &byte, 1, 5));
	EXPECT_EQ('x', byte);
	close(fd);
	EXPECT_EQ(0, server_stop(&self->server));
	EXPECT_EQ(0, shm_unlink(self->name));
	close(ours);
}

static void other_size_test(struct __test_metadata *_metadata,
			    struct server *server, const char *name, off_t size)
{
	int ours = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	char arguments[256], there[32];

	ASSERT_EQ(0, ftruncate(ours, size));
	snprintf(arguments, sizeof(arguments), "-F -S %s -l 1M -M %s",
		 server->socket, name);
	ASSERT_TRUE(server_run(server, arguments));
	EXPECT_EQ(1, server_wait(server));
	snprintf(there, sizeof(there), "%jd", (intmax_t)size);
	EXPECT_TRUE(server_said(server, there));
	EXPECT_TRUE(server_said(server, "1048576"));
	EXPECT_EQ(size, size_of(ours));
	EXPECT_EQ(0, shm_unlink(name));
	close(ours);
}

TEST_F(memory, that_exists_and_is_larger_is_refused_and_left_as_it_is)
{
	other_size_test(_metadata, &self->server, self->name, 2 << 20);
}

TEST_F(memory, that_exists_and_is_smaller_is_refused_and_left_as_it_is)
{
	other_size_test(_metadata, &self->server, self->name, 4096);
}

TEST_F(memory, that_another_put_in_its_place_is_left)
{
	char arguments[128];
	int other;

	snprintf(arguments, sizeof(arguments), "-l 1M -M %s", self->name);
	ASSERT_TRUE(server_start(&self->server, arguments));
	ASSERT_EQ(0, shm_unlink(self->name));
	other = shm_open(self->name, O_RDWR | O_CREAT | O_EXCL, 0600);
	EXPECT_EQ(0, server_stop(&self->server));
	EXPECT_EQ(0, shm_unlink(self->name));
	close(other);
}

TEST_F(memory, of_a_failed_second_instance_is_removed_not_the_first_ones)
{
	struct server second = self->server;
	char arguments[256];

	snprintf(arguments, sizeof(arguments), "-l 1M -M %s", self->name);
	ASSERT_TRUE(server_start(&self->server, arguments));
	snprintf(arguments, sizeof(arguments), "-F -S %s -l 1M -M %s",
		 self->server.socket, self->name);
	second.output = -1;
	second.log = NULL;
	ASSERT_TRUE(server_run(&second, arguments));
	EXPECT_EQ(1, server_wait(&second));
	close(second.output);
	free(second.log);
	EXPECT_LE(0, shm_open(self->name, O_RDWR, 0));
	EXPECT_EQ(0, server_stop(&self->server));
}

TEST_HARNESS_MAIN
