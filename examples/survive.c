// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * survive: read shared memory of a device that may be unplugged at any time.
 *
 * A touch of the memory of a device that is gone raises SIGBUS. A program that
 * shall outlive that reads through a function that catches it, as
 * read_word() here. It prints the first word of the memory whenever it changed,
 * and says so when the device is gone.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include <ivshmem.h>

/*
 * Where to go on after SIGBUS. The handler runs in the thread that touched the
 * memory, so each thread has its own.
 */
static _Thread_local sigjmp_buf after_sigbus;
static _Thread_local volatile sig_atomic_t reading;

static void on_sigbus(int signal_number)
{
	if (reading)
		siglongjmp(after_sigbus, 1);
	/* Not our read: a bug. Let it kill the process, as it would have. */
	signal(signal_number, SIG_DFL);
}

static int catch_sigbus(void)
{
	struct sigaction action = { .sa_handler = on_sigbus };

	return sigaction(SIGBUS, &action, NULL);
}

/* Returns false when the device is gone. */
static bool read_word(const _Atomic uint32_t *word, uint32_t *value)
{
	if (sigsetjmp(after_sigbus, 1)) {
		reading = 0;
		return false;
	}
	reading = 1;
	*value = atomic_load_explicit(word, memory_order_acquire);
	reading = 0;
	return true;
}

static void follow(const _Atomic uint32_t *word)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	uint32_t value, last = 0;

	while (read_word(word, &value)) {
		if (value != last)
			printf("%" PRIu32 "\n", value);
		fflush(stdout);
		last = value;
		nanosleep(&pause, NULL);
	}
}

int main(void)
{
	struct ivsh_device *device = ivsh_device_open_read_only(NULL);
	struct ivsh_region *region =
		device ? ivsh_region_map(device, 0, 4096, IVSH_READ_ONLY) : NULL;

	if (!region || catch_sigbus())
		return perror("survive"), 1;
	follow(ivsh_region_address(region));
	puts("the device is gone");
	ivsh_region_unmap(region);
	ivsh_device_close(device);
	return 0;
}
