// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A mapping as the buffer of system calls that copy, and under a debugger: all
 * of this works in every mode. What wants the pages themselves is in pins.c.
 */
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "mapping.h"

FIXTURE(access) {
	int fd;
	size_t page;
	size_t size;
	char *memory;
	char *whole;
	int ends[2];	/* of a pipe */
};

FIXTURE_SETUP(access)
{
	self->page = getpagesize();
	self->fd = open(plain_node(), O_RDWR);
	ASSERT_LE(0, self->fd);
	self->size = shmem_size(self->fd);
	self->memory = map(self->fd, 0, self->size);
	self->whole = map(self->fd, 0, self->size);
	ASSERT_NE(MAP_FAILED, self->memory);
	ASSERT_NE(MAP_FAILED, self->whole);
	for (size_t i = 0; i < self->size; i++)
		self->whole[i] = i * 7 + i / 251;
	ASSERT_EQ(0, pipe(self->ends));
}

FIXTURE_TEARDOWN(access)
{
	close(self->ends[0]);
	close(self->ends[1]);
	munmap(self->whole, self->size);
	munmap(self->memory, self->size);
	close(self->fd);
}

/* --- what copies ----------------------------------------------------------------- */

TEST_F(access, write_to_a_pipe_from_the_mapping_works)
{
	char buf[4096];

	/* Not touched before: the copy faults it in. */
	ASSERT_EQ(sizeof(buf), write(self->ends[1], self->memory + 100,
				     sizeof(buf)));
	ASSERT_EQ(sizeof(buf), read(self->ends[0], buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, self->whole + 100, sizeof(buf)));
}

TEST_F(access, read_from_a_pipe_into_the_mapping_works)
{
	char buf[4096];

	memset(buf, 0x77, sizeof(buf));
	ASSERT_EQ(sizeof(buf), write(self->ends[1], buf, sizeof(buf)));
	ASSERT_EQ(sizeof(buf), read(self->ends[0], self->memory + 100,
				    sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, self->whole + 100, sizeof(buf)));
}

TEST_F(access, send_and_receive_in_the_mapping_work)
{
	int sockets[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	ASSERT_EQ(1000, send(sockets[0], self->memory, 1000, 0));
	ASSERT_EQ(1000, recv(sockets[1], self->memory + 5000, 1000,
			     MSG_WAITALL));
	EXPECT_EQ(0, memcmp(self->whole, self->whole + 5000, 1000));
	close(sockets[0]);
	close(sockets[1]);
}

TEST_F(access, file_can_be_read_into_and_written_from_the_mapping)
{
	FILE *file = tmpfile();
	int fd = file ? fileno(file) : -1;

	ASSERT_LE(0, fd);
	ASSERT_EQ(self->size, pwrite(fd, self->memory, self->size, 0));
	memset(self->whole, 0, self->size);
	ASSERT_EQ(self->size, pread(fd, self->memory, self->size, 0));
	for (size_t i = 0; i < self->size; i++)
		ASSERT_EQ((char)(i * 7 + i / 251), self->whole[i]);
	fclose(file);
}

TEST_F(access, event_can_be_read_into_another_devices_mapping)
{
	struct ivshmem_event *event = (void *)self->memory;
	int doorbell = open(doorbell_node(), O_RDWR);

	ASSERT_LE(0, doorbell);
	ASSERT_EQ(0, ring_self(doorbell, 2));
	ASSERT_EQ(sizeof(*event), read(doorbell, event, sizeof(*event)));
	EXPECT_EQ(2, event->vector);
	close(doorbell);
}

TEST_F(access, ioctl_argument_and_event_can_be_in_the_devices_own_mapping)
{
	int doorbell = open(doorbell_node(), O_RDWR);
	struct ivshmem_info *info = map(doorbell, 0, self->page);
	struct ivshmem_event *event = (void *)(info + 1);

	ASSERT_NE(MAP_FAILED, info);
	ASSERT_EQ(0, get_info(doorbell, info));
	EXPECT_EQ(4, info->nr_vectors);
	/* Zapped again: the copy faults while the driver does its work. */
	munmap(info, self->page);
	ASSERT_EQ(info, mmap(info, self->page, RW, MAP_SHARED | MAP_FIXED,
			     doorbell, 0));
	ASSERT_EQ(0, ring_self(doorbell, 1));
	ASSERT_EQ(sizeof(*event), read(doorbell, event, sizeof(*event)));
	EXPECT_EQ(1, event->vector);
	close(doorbell);
}

/* --- debuggers ------------------------------------------------------------------- */

/* Not so on an architecture that cannot map as an entry says. */
#ifdef __arm__
#define NEEDS_DEBUGGING \
	SKIP(return, "32-bit arm shows no device to a debugger")
#else
#define NEEDS_DEBUGGING ((void)0)
#endif

TEST_F(access, proc_self_mem_reads_the_mapping)
{
	const size_t at = 3 * self->page - 50;
	int mem = open("/proc/self/mem", O_RDWR);
	char buf[100];

	NEEDS_DEBUGGING;
	ASSERT_LE(0, mem);
	ASSERT_EQ(0, memcmp(self->memory, self->whole, self->size));
	/* Across the end of a page. */
	ASSERT_EQ(sizeof(buf), pread(mem, buf, sizeof(buf),
				     (off_t)(unsigned long)self->memory + at));
	EXPECT_EQ(0, memcmp(buf, self->whole + at, sizeof(buf)));
	close(mem);
}

TEST_F(access, proc_self_mem_writes_the_mapping)
{
	int mem = open("/proc/self/mem", O_RDWR);

	NEEDS_DEBUGGING;
	ASSERT_LE(0, mem);
	ASSERT_EQ(0, memcmp(self->memory, self->whole, self->size));
	ASSERT_EQ(4, pwrite(mem, "word", 4, (off_t)(unsigned long)self->memory));
	EXPECT_EQ(0, memcmp("word", self->whole, 4));
	close(mem);
}

/* A debugger may write where its program may not, but not past the file's rights. */
TEST_F(access, proc_self_mem_cannot_write_what_a_read_only_file_maps)
{
	int fd = open(plain_node(), O_RDONLY);
	int mem = open("/proc/self/mem", O_RDWR);
	char *memory = mmap(NULL, self->size, PROT_READ, MAP_SHARED, fd, 0);

	ASSERT_LE(0, mem);
	ASSERT_NE(MAP_FAILED, memory);
	/* Touched and untouched. */
	ASSERT_EQ(self->whole[0], memory[0]);
	for (size_t at = 0; at < self->size; at += self->size / 2) {
		EXPECT_ERRNO(EIO, pwrite(mem, "word", 4,
					 (off_t)(unsigned long)memory + at));
		EXPECT_NE(0, memcmp("word", self->whole + at, 4));
	}
	munmap(memory, self->size);
	close(mem);
	close(fd);
}

/* Behind it in the address space of devices may lie another one. */
TEST_F(access, proc_self_mem_stops_at_the_end_of_the_mapping)
{
	char *room = mmap(NULL, 2 * self->page, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int mem = open("/proc/self/mem", O_RDWR);
	char buf[100] = "";
	off_t at;

	NEEDS_DEBUGGING;
	ASSERT_LE(0, mem);
	ASSERT_EQ(room, mmap(room, self->page, RW, MAP_SHARED | MAP_FIXED,
			     self->fd, 0));
	ASSERT_EQ(0, munmap(room + self->page, self->page));
	ASSERT_EQ(0, touch(room));
	at = (off_t)(unsigned long)room + self->page - 40;
	EXPECT_EQ(40, pread(mem, buf, sizeof(buf), at));
	EXPECT_EQ(0, memcmp(buf, self->whole + self->page - 40, 40));
	EXPECT_EQ(40, pwrite(mem, buf, sizeof(buf), at));
	munmap(room, self->page);
	close(mem);
}

TEST_F(access, proc_self_mem_does_not_write_a_read_only_mapping)
{
	void *shown = mmap(NULL, self->page, PROT_READ, MAP_SHARED, self->fd, 0);
	int mem = open("/proc/self/mem", O_RDWR);
	char was = self->whole[0];

	ASSERT_LE(0, mem);
	ASSERT_NE(MAP_FAILED, shown);
	ASSERT_EQ(0, touch(shown));
	EXPECT_ERRNO(EIO, pwrite(mem, "word", 4, (off_t)(unsigned long)shown));
	EXPECT_EQ(was, self->whole[0]);
	munmap(shown, self->page);
	close(mem);
}

/* The kernel faults nothing in for a debugger: it may see it or not, no more. */
TEST_F(access, proc_self_mem_of_the_untouched_is_right_or_eio)
{
	int mem = open("/proc/self/mem", O_RDWR);
	char buf[100];
	ssize_t len;

	ASSERT_LE(0, mem);
	len = pread(mem, buf, sizeof(buf), (off_t)(unsigned long)self->memory);
	if (len < 0) {
		EXPECT_EQ(EIO, errno);
	} else {
		EXPECT_EQ(0, memcmp(buf, self->whole, len));
	}
	close(mem);
}

TEST_F(access, ptrace_sees_and_changes_the_mapping)
{
	unsigned long *word = (void *)(self->memory + 8);
	int status;
	pid_t pid;

	NEEDS_DEBUGGING;
	*word = 0x1234;
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(*word != 0x5678);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status));
	/* The child's entries were copied by fork, or are faulted in. */
	EXPECT_EQ(0x1234, ptrace(PTRACE_PEEKDATA, pid, word, NULL));
	EXPECT_EQ(0, ptrace(PTRACE_POKEDATA, pid, word, 0x5678UL));
	ASSERT_EQ(0, ptrace(PTRACE_CONT, pid, NULL, NULL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
