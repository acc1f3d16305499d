// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What libivshmem says where there is no device: errnos of names, and NULL
 * where it is allowed. Real devices are in guest/library.c.
 */
#include <ivshmem.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "kselftest_harness.h"

#define EXPECT_NO_DEVICE(wanted, call) do { \
	struct ivsh_device *device_; \
	errno = 0; \
	device_ = (call); \
	EXPECT_EQ(NULL, device_); \
	EXPECT_EQ(wanted, errno); \
	ivsh_device_close(device_); \
} while (0)

/* These hold on a machine that has a device, too. */
TEST(absent_node_is_enoent)
{
	EXPECT_NO_DEVICE(ENOENT, ivsh_device_open("/dev/ivshmem-absent"));
	EXPECT_NO_DEVICE(ENOENT, ivsh_device_open("/absent/ivshmem0"));
	EXPECT_NO_DEVICE(ENOENT, ivsh_device_open("./ivshmem0"));
	EXPECT_NO_DEVICE(ENOENT,
			 ivsh_device_open_read_only("/dev/ivshmem-absent"));
}

TEST(absent_index_is_enoent)
{
	EXPECT_NO_DEVICE(ENOENT, ivsh_device_open("4294967295"));
	EXPECT_NO_DEVICE(ENOENT, ivsh_device_open("999999"));
}

TEST(absent_pci_address_is_enoent)
{
	EXPECT_NO_DEVICE(ENOENT, ivsh_device_open("ffff:ff:1f.7"));
	EXPECT_NO_DEVICE(ENOENT, ivsh_device_open("ff:1f.7"));
	EXPECT_NO_DEVICE(ENOENT, ivsh_device_open("FF:1F.7"));
}

TEST(no_name_without_a_device_is_enoent)
{
	if (!access("/sys/class/ivshmem", F_OK))
		SKIP(return, "this machine has the driver");
	EXPECT_NO_DEVICE(ENOENT, ivsh_device_open(NULL));
	EXPECT_NO_DEVICE(ENOENT, ivsh_device_open_read_only(NULL));
}

TEST(name_that_is_none_is_einval)
{
	const char *names[] = {
		"", " ", "-1", "+0", " 0", "0 ", "0x0", "1e1", "0\n",
		"99999999999", "00000000000", "nonsense", "ivshmem", "ivshmem0",
		"é", "%s%n", "0000:00:04", "0000:00:04.", "00:04", ":",
		"0000:00:04.8", "0000:00:20.0", "00:20.0", "0000:00:04.0.0",
		"0000:00:04.0 ", " 0000:00:04.0", "0000:100:04.0", "0:0:0:0.0",
		"100000000:00:04.0", "0000:00:04.00", "0000:-1:04.0",
		"g000:00:04.0", "0000:0 0:04.0", "0000::04.0", "0x0:00:04.0",
		"+000:00:04.0",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		errno = 0;
		EXPECT_EQ(NULL, ivsh_device_open(names[i]));
		EXPECT_EQ(EINVAL, errno) TH_LOG("name '%s'", names[i]);
	}
}

TEST(name_that_is_very_long_is_einval)
{
	char name[100000];

	memset(name, '1', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	EXPECT_NO_DEVICE(EINVAL, ivsh_device_open(name));
	name[5] = ':';
	EXPECT_NO_DEVICE(EINVAL, ivsh_device_open(name));
}

TEST(file_of_another_kind_is_enotty)
{
	char path[] = "/tmp/ivshmem-lib-XXXXXX";
	int fd = mkstemp(path);

	ASSERT_LE(0, fd);
	EXPECT_NO_DEVICE(ENOTTY, ivsh_device_open("/dev/null"));
	EXPECT_NO_DEVICE(ENOTTY, ivsh_device_open("/dev/zero"));
	EXPECT_NO_DEVICE(ENOTTY, ivsh_device_open_read_only("/dev/null"));
	EXPECT_NO_DEVICE(ENOTTY, ivsh_device_open(path));
	EXPECT_NO_DEVICE(ENOTTY, ivsh_device_open_read_only("/tmp"));
	unlink(path);
	close(fd);
}

/* Opening a tape rewinds it, a watchdog starts it, a FIFO wakes its reader. */
TEST(file_of_another_kind_is_not_even_opened)
{
	char path[] = "/tmp/ivshmem-lib-XXXXXX";
	char fifo[64];
	int reader;

	ASSERT_NE(NULL, mkdtemp(path));
	snprintf(fifo, sizeof(fifo), "%s/fifo", path);
	ASSERT_EQ(0, mkfifo(fifo, 0600));
	reader = open(fifo, O_RDONLY | O_NONBLOCK);
	ASSERT_LE(0, reader);
	EXPECT_NO_DEVICE(ENOTTY, ivsh_device_open(fifo));
	/* A writer that came and went would be seen as POLLHUP. */
	EXPECT_EQ(0, poll(&(struct pollfd){ .fd = reader }, 1, 0));
	close(reader);
	unlink(fifo);
	rmdir(path);
}

TEST(socket_is_enotty)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	char directory[] = "/tmp/ivshmem-lib-XXXXXX";
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ASSERT_NE(NULL, mkdtemp(directory));
	snprintf(name.sun_path, sizeof(name.sun_path), "%s/socket", directory);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&name, sizeof(name)));
	EXPECT_NO_DEVICE(ENOTTY, ivsh_device_open(name.sun_path));
	close(fd);
	unlink(name.sun_path);
	rmdir(directory);
}

TEST(directory_is_enotty)
{
	EXPECT_NO_DEVICE(ENOTTY, ivsh_device_open("/tmp"));
}

/* Open files of this process. */
static int open_files(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

TEST(failing_open_leaks_no_file)
{
	int before = open_files();

	for (int i = 0; i < 50; i++) {
		ivsh_device_open("/dev/null");
		ivsh_device_open("ff:1f.7");
		ivsh_device_open(NULL);
		ivsh_device_open("nonsense");
	}
	EXPECT_EQ(before, open_files());
}

TEST(null_is_ignored_by_all_that_release)
{
	errno = 4711;
	ivsh_device_close(NULL);
	ivsh_info_free(NULL);
	ivsh_region_unmap(NULL);
	ivsh_vector_unbind(NULL);
	EXPECT_EQ(4711, errno);
}

TEST_HARNESS_MAIN
