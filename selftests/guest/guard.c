// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guarded regions of libivshmem: an access after the device has gone does not
 * kill, and every other SIGBUS goes where it would have gone.
 */
#include <ivshmem.h>
#include <sys/wait.h>

#include "mapping.h"
#include "sysfs.h"

FIXTURE(guard) {
	struct ivsh_device *device;
	struct ivsh_region *region;
	char *memory;
	char address[16];
};

FIXTURE_SETUP(guard)
{
	ASSERT_TRUE(sysfs_address(plain_node(), self->address));
	self->device = ivsh_device_open(plain_node());
	ASSERT_NE(NULL, self->device);
	self->region = ivsh_region_map(self->device, 0, 0, 0);
	ASSERT_NE(NULL, self->region);
	self->memory = ivsh_region_address(self->region);
}

FIXTURE_TEARDOWN(guard)
{
	ivsh_region_unmap(self->region);
	ivsh_device_close(self->device);
	driver_bind(self->address);
}

/* A mapping of a file that is too short, of which a touch is SIGBUS. */
static char *bad_memory(void)
{
	int fd = memfd_create("short", 0);
	char *memory = map(fd, 0, getpagesize());

	close(fd);
	return memory;
}

TEST_F(guard, lets_reads_and_writes_go_on_when_the_device_goes)
{
	strcpy(self->memory, "shared");
	self->memory[MIB - 64] = 0;
	ASSERT_EQ(0, ivsh_region_guard(self->region));
	EXPECT_FALSE(ivsh_region_is_lost(self->region));
	ASSERT_EQ(0, driver_unbind(self->address));
	EXPECT_EQ(0, self->memory[0]);
	EXPECT_TRUE(ivsh_region_is_lost(self->region));
	strcpy(self->memory + MIB - 64, "private");
	EXPECT_STREQ("private", self->memory + MIB - 64);
	/* Nobody else has seen that. */
	ASSERT_EQ(0, driver_bind(self->address));
	{
		struct ivsh_device *device = ivsh_device_open(plain_node());
		struct ivsh_region *region = ivsh_region_map(device, 0, 0, 0);
		char *memory = ivsh_region_address(region);

		EXPECT_STREQ("shared", memory);
		EXPECT_EQ(0, memory[MIB - 64]);
		ivsh_region_unmap(region);
		ivsh_device_close(device);
	}
}

TEST_F(guard, of_a_read_only_region_lets_reads_go_on)
{
	struct ivsh_region *region = ivsh_region_map(self->device, 4096, 0,
						     IVSH_READ_ONLY);

	ASSERT_EQ(0, ivsh_region_guard(region));
	ASSERT_EQ(0, driver_unbind(self->address));
	EXPECT_EQ(0, *(char *)ivsh_region_address(region));
	EXPECT_TRUE(ivsh_region_is_lost(region));
	EXPECT_FALSE(ivsh_region_is_lost(self->region));
	ivsh_region_unmap(region);
}

TEST_F(guard, lost_nothing_while_the_device_is_there)
{
	ASSERT_EQ(0, ivsh_region_guard(self->region));
	ASSERT_EQ(0, ivsh_region_guard(self->region));
	self->memory[17] = 1;
	EXPECT_EQ(1, self->memory[17]);
	EXPECT_FALSE(ivsh_region_is_lost(self->region));
}

static void *touch_all(void *memory)
{
	for (int round = 0; round < 200; round++)
		for (size_t at = 0; at < MIB; at += 4096)
			((volatile char *)memory)[at]++;
	return NULL;
}

TEST_F(guard, holds_for_many_threads_at_once)
{
	pthread_t threads[8];

	ASSERT_EQ(0, ivsh_region_guard(self->region));
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, touch_all,
					    self->memory));
	ASSERT_EQ(0, driver_unbind(self->address));
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	touch_all(self->memory);
	EXPECT_TRUE(ivsh_region_is_lost(self->region));
}

TEST_F(guard, holds_for_many_regions)
{
	struct ivsh_region *regions[64];

	for (size_t i = 0; i < ARRAY_SIZE(regions); i++) {
		regions[i] = ivsh_region_map(self->device, i * 4096, 4096, 0);
		ASSERT_EQ(0, ivsh_region_guard(regions[i]));
	}
	ASSERT_EQ(0, driver_unbind(self->address));
	for (size_t i = 0; i < ARRAY_SIZE(regions); i += 2)
		EXPECT_EQ(0, *(char *)ivsh_region_address(regions[i]));
	for (size_t i = 0; i < ARRAY_SIZE(regions); i++) {
		EXPECT_EQ(i % 2 == 0, ivsh_region_is_lost(regions[i]));
		ivsh_region_unmap(regions[i]);
	}
}

/* --- every other SIGBUS ------------------------------------------------------------ */

/* How a child ends that guards, and then does something bad. */
static int status_of(struct ivsh_region *region, void (*bad)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		if (ivsh_region_guard(region))
			_exit(99);
		bad();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void touch_bad_memory(void)
{
	*(volatile char *)bad_memory() = 1;
}

static void send_sigbus(void)
{
	raise(SIGBUS);
}

TEST_F(guard, does_not_keep_another_fault_from_killing)
{
	int status = status_of(self->region, touch_bad_memory);

	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGBUS, WTERMSIG(status));
}

TEST_F(guard, does_not_keep_a_sent_signal_from_killing)
{
	int status = status_of(self->region, send_sigbus);

	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGBUS, WTERMSIG(status));
}

TEST_F(guard, leaves_a_sent_signal_ignored)
{
	signal(SIGBUS, SIG_IGN);
	EXPECT_EQ(0, status_of(self->region, send_sigbus));
	/* A fault kills, ignored or not. */
	EXPECT_EQ(SIGBUS, WTERMSIG(status_of(self->region, touch_bad_memory)));
	signal(SIGBUS, SIG_DFL);
}

TEST_F(guard, passes_other_faults_to_the_handler_before)
{
	catch_access_signals();
	ASSERT_EQ(0, ivsh_region_guard(self->region));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(SIGBUS, touch(bad_memory()));
	EXPECT_EQ(0, touch(self->memory));
	ASSERT_EQ(0, driver_unbind(self->address));
	EXPECT_EQ(0, touch(self->memory));
	EXPECT_EQ(SIGBUS, touch(bad_memory()));
}

static void *volatile fault_address;

static void note_address(int number, siginfo_t *info, void *context)
{
	fault_address = info->si_addr;
	access_failed(number);
	(void)context;
}

TEST_F(guard, passes_on_where_the_fault_was)
{
	struct sigaction action = {
		.sa_sigaction = note_address,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};
	char *bad = bad_memory();

	ASSERT_EQ(0, sigaction(SIGBUS, &action, NULL));
	ASSERT_EQ(0, ivsh_region_guard(self->region));
	EXPECT_EQ(SIGBUS, touch(bad + 128));
	/* A 32-bit program reads eight bytes in two parts, in any order. */
	EXPECT_EQ(bad + 128, (char *)((uintptr_t)fault_address & ~7ul));
}

TEST_F(guard, ends_with_its_region_and_puts_the_handler_back)
{
	struct sigaction before, now;

	catch_access_signals();
	ASSERT_EQ(0, sigaction(SIGBUS, NULL, &before));
	ASSERT_EQ(0, ivsh_region_guard(self->region));
	ASSERT_EQ(0, sigaction(SIGBUS, NULL, &now));
	EXPECT_NE(before.sa_handler, now.sa_handler);
	ivsh_region_unmap(self->region);
	self->region = NULL;
	ASSERT_EQ(0, sigaction(SIGBUS, NULL, &now));
	EXPECT_EQ(before.sa_handler, now.sa_handler);
}

TEST_F(guard, is_not_needed_to_get_the_signal)
{
	catch_access_signals();
	ASSERT_EQ(0, driver_unbind(self->address));
	EXPECT_EQ(SIGBUS, touch(self->memory));
	EXPECT_FALSE(ivsh_region_is_lost(self->region));
}

TEST_HARNESS_MAIN
