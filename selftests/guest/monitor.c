// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivsh_monitor: devices that come and go are told, in order, without polling
 * and without privilege, and nothing else is.
 */
#include <ivshmem.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "guest.h"
#include "sysfs.h"

#define LIMIT_NS (LIMIT_MS * 1000000LL)

FIXTURE(monitor) {
	struct ivsh_monitor *monitor;
	char address[16];
	enum ivsh_change change;
	const char *path;
};

FIXTURE_SETUP(monitor)
{
	ASSERT_TRUE(sysfs_address(plain_node(), self->address));
	self->monitor = ivsh_monitor_open();
	ASSERT_NE(NULL, self->monitor);
	self->path = "";
}

FIXTURE_TEARDOWN(monitor)
{
	ivsh_monitor_close(self->monitor);
	driver_bind(self->address);
}

static int next(FIXTURE_DATA(monitor) *self, int64_t timeout_ns)
{
	return ivsh_monitor_wait(self->monitor, timeout_ns, &self->change,
				 &self->path);
}

/* A node that is made or removed may change its rights on the way. */
static int next_but_rights(FIXTURE_DATA(monitor) *self)
{
	int result;

	do {
		result = next(self, LIMIT_NS);
	} while (!result && self->change == IVSH_CHANGE_RIGHTS);
	return result;
}

TEST_F(monitor, tells_of_a_device_that_goes_and_comes_back)
{
	struct ivsh_device *device;

	ASSERT_EQ(0, driver_unbind(self->address));
	ASSERT_EQ(0, next_but_rights(self));
	EXPECT_EQ(IVSH_CHANGE_REMOVED, self->change);
	EXPECT_STREQ(plain_node(), self->path);

	ASSERT_EQ(0, driver_bind(self->address));
	ASSERT_EQ(0, next_but_rights(self));
	EXPECT_EQ(IVSH_CHANGE_ADDED, self->change);
	EXPECT_STREQ(plain_node(), self->path);
	device = ivsh_device_open(self->path);
	EXPECT_NE(NULL, device);
	ivsh_device_close(device);
}

TEST_F(monitor, tells_of_other_rights)
{
	ASSERT_EQ(0, chmod(plain_node(), 0640));
	ASSERT_EQ(0, next(self, LIMIT_NS));
	EXPECT_EQ(IVSH_CHANGE_RIGHTS, self->change);
	EXPECT_STREQ(plain_node(), self->path);
	ASSERT_EQ(0, chmod(plain_node(), 0600));
}

TEST_F(monitor, tells_of_nothing_else)
{
	const char *names[] = { "/dev/ivshmem", "/dev/ivshmem0x", "/dev/null0",
				"/dev/ivshmem-0" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		close(open(names[i], O_CREAT | O_EXCL | O_RDWR, 0600));
		ASSERT_EQ(0, unlink(names[i]));
	}
	EXPECT_ERRNO(ETIMEDOUT, next(self, 0));
	EXPECT_ERRNO(ETIMEDOUT, next(self, 10000000));
}

TEST_F(monitor, fd_polls_readable_when_a_device_goes)
{
	int fd = ivsh_monitor_fd(self->monitor);

	EXPECT_EQ(0, poll_now(fd, POLLIN));
	ASSERT_EQ(0, driver_unbind(self->address));
	EXPECT_EQ(POLLIN, poll_within_limit(fd, POLLIN));
	while (!next(self, 0))
		;
	EXPECT_EQ(ETIMEDOUT, errno);
	EXPECT_EQ(0, poll_now(fd, POLLIN));
}

TEST_F(monitor, says_when_it_may_have_missed_some)
{
	bool unknown = false;

	/* More than fs.inotify.max_queued_events, each unlike the one before. */
	for (int i = 0; i < 20000; i++)
		ASSERT_EQ(0, chmod(i % 2 ? plain_node() : doorbell_node(), 0600));
	while (!next(self, 0))
		unknown |= self->change == IVSH_CHANGE_UNKNOWN &&
			   !self->path[0];
	EXPECT_EQ(ETIMEDOUT, errno);
	EXPECT_TRUE(unknown);
}

TEST_F(monitor, needs_no_privilege)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		if (setgid(65534) || setuid(65534))
			_exit(2);
		_exit(!ivsh_monitor_open());
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
}

TEST_F(monitor, wait_of_a_negative_time_is_einval)
{
	EXPECT_ERRNO(EINVAL, next(self, -2));
}

static void do_nothing(int sig)
{
	(void)sig;
}

static void *interrupt(void *data)
{
	pthread_t *thread = data;
	long tid = getpid();

	if (wait_blocked(tid, SYS_ppoll))
		pthread_kill(*thread, SIGUSR1);
	return NULL;
}

TEST_F(monitor, wait_interrupted_by_a_signal_is_eintr)
{
	struct sigaction action = { .sa_handler = do_nothing };
	pthread_t main_thread = pthread_self(), thread;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, interrupt, &main_thread));
	EXPECT_ERRNO(EINTR, next(self, LIMIT_NS));
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

TEST_F(monitor, beyond_the_limit_of_the_user_is_enospc)
{
	const char *limit = "/proc/sys/fs/inotify/max_user_watches";
	char before[32] = "";
	int fd = open(limit, O_RDWR);
	int status = -1;
	pid_t pid;

	ASSERT_LT(0, read(fd, before, sizeof(before) - 1));
	ASSERT_EQ(0, sysfs_write(limit, "0"));
	pid = fork();
	if (!pid) {
		if (setgid(65534) || setuid(65534))
			_exit(2);
		_exit(ivsh_monitor_open() || errno != ENOSPC);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, sysfs_write(limit, before));
	close(fd);
}

TEST_HARNESS_MAIN
