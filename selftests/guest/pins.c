// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What pins the pages of a mapping. With struct pages (the module parameter) it
 * works, on the very bytes; and a removal waits until the last pin is gone.
 * Without, every such call fails with EFAULT and changes nothing.
 */
#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "mapping.h"
#include "sysfs.h"
#include "uring.h"

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif

FIXTURE(pins) {
	int fd;
	bool pinned;	/* struct pages: all of this works */
	size_t page;
	size_t size;
	char *memory;
	char *whole;
	int ends[2];	/* of a pipe */
};

FIXTURE_SETUP(pins)
{
	self->page = getpagesize();
	self->fd = open(plain_node(), O_RDWR);
	ASSERT_LE(0, self->fd);
	self->pinned = has_feature(self->fd, IVSHMEM_FEATURE_STRUCT_PAGES);
	self->size = shmem_size(self->fd);
	self->memory = map(self->fd, 0, self->size);
	self->whole = map(self->fd, 0, self->size);
	ASSERT_NE(MAP_FAILED, self->memory);
	ASSERT_NE(MAP_FAILED, self->whole);
	for (size_t i = 0; i < 64 * self->page; i++)
		self->whole[i] = i * 7 + i / 251;
	ASSERT_EQ(0, pipe(self->ends));
	catch_access_signals();
}

FIXTURE_TEARDOWN(pins)
{
	close(self->ends[0]);
	close(self->ends[1]);
	munmap(self->whole, self->size);
	munmap(self->memory, self->size);
	close(self->fd);
}

/* The result where pages can be pinned, else -1 and EFAULT. */
#define EXPECT_PINS(wanted, call) do { \
	long result; \
	errno = 0; \
	result = (call); \
	if (self->pinned) { \
		EXPECT_EQ(wanted, result) TH_LOG("%s", strerror(errno)); \
	} else { \
		EXPECT_EQ(-1, result); \
		EXPECT_EQ(EFAULT, errno); \
	} \
} while (0)

TEST_F(pins, process_vm_readv_of_the_mapping)
{
	char buf[5000];
	struct iovec local = { buf, sizeof(buf) };
	struct iovec remote = { self->memory + 100, sizeof(buf) };

	EXPECT_PINS(sizeof(buf), process_vm_readv(getpid(), &local, 1, &remote,
						  1, 0));
	if (self->pinned) {
		EXPECT_EQ(0, memcmp(buf, self->whole + 100, sizeof(buf)));
	}
}

TEST_F(pins, process_vm_writev_of_the_mapping)
{
	char buf[5000], before = self->whole[100];
	struct iovec local = { buf, sizeof(buf) };
	struct iovec remote = { self->memory + 100, sizeof(buf) };

	memset(buf, before + 1, sizeof(buf));
	EXPECT_PINS(sizeof(buf), process_vm_writev(getpid(), &local, 1, &remote,
						   1, 0));
	EXPECT_EQ((char)(self->pinned ? before + 1 : before), self->whole[100]);
}

TEST_F(pins, vmsplice_of_the_mapping)
{
	struct iovec iov = { self->memory, 2 * self->page };
	char buf[4096];

	EXPECT_PINS(2 * self->page, vmsplice(self->ends[1], &iov, 1, 0));
	if (!self->pinned) {
		EXPECT_EQ(0, poll_now(self->ends[0], POLLIN));
		return;
	}
	/* The pipe has the pages: what is written now is read. */
	strcpy(self->whole, "later");
	ASSERT_EQ(sizeof(buf), read(self->ends[0], buf, sizeof(buf)));
	EXPECT_STREQ("later", buf);
}

TEST_F(pins, vmsplice_of_touched_pages)
{
	struct iovec iov = { self->memory, self->page };

	EXPECT_EQ(0, memcmp(self->memory, self->whole, self->page));
	EXPECT_PINS(self->page, vmsplice(self->ends[1], &iov, 1, 0));
}

/* --- O_DIRECT --------------------------------------------------------------------- */

#define DISK "/dev/ram0"

TEST_F(pins, o_direct_write_and_read_of_a_disk)
{
	const size_t size = 16 * self->page;
	int disk;

	if (access(DISK, F_OK) && system("modprobe brd rd_nr=1 2> /dev/null"))
		SKIP(return, "no " DISK ": the module brd is not in this guest");
	disk = open(DISK, O_RDWR | O_DIRECT);
	ASSERT_LE(0, disk) TH_LOG("%s", strerror(errno));
	EXPECT_PINS(size, pwrite(disk, self->memory, size, 0));
	if (self->pinned)
		memset(self->whole, 0, size);
	EXPECT_PINS(size, pread(disk, self->memory, size, 0));
	for (size_t i = 0; i < size; i++)
		ASSERT_EQ((char)(i * 7 + i / 251), self->whole[i]);
	close(disk);
}

/* --- io_uring ---------------------------------------------------------------------- */

/* Read from a file into the registered buffer 0: the result. */
static int read_fixed(struct uring *r, int file, void *to, unsigned int len)
{
	r->sqes[0] = (struct io_uring_sqe){
		.opcode = IORING_OP_READ_FIXED,
		.fd = file,
		.addr = (unsigned long)to,
		.len = len,
	};
	return uring_run(r);
}

TEST_F(pins, io_uring_registered_buffer)
{
	struct iovec iov = { self->memory, 8 * self->page };
	FILE *file = tmpfile();
	struct uring r;
	long ret;

	if (!uring_open(&r))
		SKIP(return, "no io_uring: %s", strerror(errno));
	ret = syscall(__NR_io_uring_register, r.fd, IORING_REGISTER_BUFFERS,
		      &iov, 1);
	/* 6.1 and older refuse any mapping of a file. */
	if (self->pinned && ret && errno == EOPNOTSUPP)
		SKIP(uring_close(&r); return,
		     "this kernel registers no mapping of a file");
	if (!self->pinned) {
		EXPECT_EQ(-1, ret);
		EXPECT_TRUE(errno == EFAULT || errno == EOPNOTSUPP)
			TH_LOG("%s", strerror(errno));
		uring_close(&r);
		return;
	}
	ASSERT_EQ(0, ret) TH_LOG("%s", strerror(errno));
	ASSERT_EQ(5, pwrite(fileno(file), "fixed", 5, 0));
	EXPECT_EQ(5, read_fixed(&r, fileno(file), self->memory + 100, 5));
	EXPECT_EQ(0, memcmp("fixed", self->whole + 100, 5));
	uring_close(&r);
	fclose(file);
}

/* --- MSG_ZEROCOPY ------------------------------------------------------------------- */

/* A connection over the loopback device, which init does not bring up. */
static bool connect_loopback(int ends[2])
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (system("ifconfig lo 127.0.0.1 up") ||
	    bind(listener, (void *)&address, len) || listen(listener, 1) ||
	    getsockname(listener, (void *)&address, &len))
		return false;
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(ends[0], (void *)&address, len))
		return false;
	ends[1] = accept(listener, NULL, NULL);
	close(listener);
	return ends[1] >= 0;
}

TEST_F(pins, msg_zerocopy_send)
{
	int ends[2], on = 1;
	char buf[8192];

	if (!connect_loopback(ends))
		SKIP(return, "no loopback device");
	ASSERT_EQ(0, setsockopt(ends[0], SOL_SOCKET, SO_ZEROCOPY, &on,
				sizeof(on)));
	EXPECT_PINS(sizeof(buf), send(ends[0], self->memory, sizeof(buf),
				      MSG_ZEROCOPY));
	if (self->pinned) {
		ASSERT_EQ(sizeof(buf), recv(ends[1], buf, sizeof(buf),
					    MSG_WAITALL));
		EXPECT_EQ(0, memcmp(buf, self->whole, sizeof(buf)));
		/* The kernel says that it has let go. */
		EXPECT_TRUE(poll_within_limit(ends[0], 0) & POLLERR);
	}
	close(ends[0]);
	close(ends[1]);
}

/* --- removal ------------------------------------------------------------------------ */

static void *unbind_main(void *address)
{
	return (void *)(long)driver_unbind(address);
}

/* Wait until the kernel log says that, from where kmsg stands. */
static bool wait_kmsg(int kmsg, const char *text)
{
	char line[2048];
	ssize_t len;

	while (poll_within_limit(kmsg, POLLIN) & POLLIN) {
		len = read(kmsg, line, sizeof(line) - 1);
		if (len < 0 && errno != EPIPE && errno != EAGAIN)
			return false;
		line[len > 0 ? len : 0] = '\0';
		if (strstr(line, text))
			return true;
	}
	return false;
}

TEST_F(pins, removal_waits_for_the_last_pin_and_says_so)
{
	struct iovec iov = { self->memory, 3 * self->page };
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	struct ivshmem_info info;
	char address[16], *buf = malloc(3 * self->page);
	pthread_t thread;
	void *result;

	if (!self->pinned)
		SKIP(return, "without struct pages nothing can be pinned");
	ASSERT_TRUE(sysfs_address(plain_node(), address));
	ASSERT_EQ(3 * self->page, vmsplice(self->ends[1], &iov, 1, 0));
	lseek(kmsg, 0, SEEK_END);
	ASSERT_EQ(0, pthread_create(&thread, NULL, unbind_main, address));
	EXPECT_TRUE(wait_kmsg(kmsg, "removal waits for 3 pages"));
	/* The device is gone for all, and yet the pinned pages are whole. */
	EXPECT_ERRNO(ENODEV, get_info(self->fd, &info));
	EXPECT_EQ(SIGBUS, touch(self->memory));
	EXPECT_EQ(EBUSY, pthread_tryjoin_np(thread, &result));
	ASSERT_EQ(3 * self->page, read(self->ends[0], buf, 3 * self->page));
	for (size_t i = 0; i < 3 * self->page; i++)
		ASSERT_EQ((char)(i * 7 + i / 251), buf[i]);
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(NULL, result);
	EXPECT_EQ(0, driver_bind(address));
	close(kmsg);
	free(buf);
}

TEST_HARNESS_MAIN
