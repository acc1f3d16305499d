// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loop: an event loop with epoll, as a program has one that waits for more than
 * one thing: here every vector of a device, and the end of the device itself.
 *
 * It prints a line for each vector that fires, and ends when the device goes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <ivshmem.h>

/* Watch fd; data.ptr is the vector that it belongs to, NULL for the device. */
static int watch(int epoll, int fd, struct ivsh_vector *vector)
{
	struct epoll_event event = { .data.ptr = vector };

	/* EPOLLHUP and EPOLLERR come unasked; the device tells nothing else. */
	if (vector)
		event.events = EPOLLIN;
	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static int watch_vectors(int epoll, struct ivsh_device *device)
{
	struct ivsh_info *info = ivsh_device_get_info(device);
	struct ivsh_vector *vector;
	uint32_t count;

	if (!info)
		return -1;
	count = ivsh_info_nr_vectors(info);
	ivsh_info_free(info);
	for (uint32_t number = 0; number < count; number++) {
		vector = ivsh_vector_bind(device, number);
		if (!vector || watch(epoll, ivsh_vector_fd(vector), vector))
			return -1;
	}
	printf("waiting on %" PRIu32 " vectors\n", count);
	fflush(stdout);
	return 0;
}

static int handle(struct ivsh_vector *vector)
{
	uint64_t count;

	/* Clear first, then look at the memory: what comes later fires again. */
	if (ivsh_vector_clear(vector, &count))
		return -1;
	if (count)
		printf("vector %" PRIu32 " fired\n", ivsh_vector_number(vector));
	fflush(stdout);
	return 0;
}

/* Returns -1 with errno, ENODEV when the device is gone. */
static int run(int epoll)
{
	struct epoll_event events[16];
	int count;

	for (;;) {
		count = epoll_wait(epoll, events, 16, -1);
		if (count < 0 && errno != EINTR)
			return -1;
		for (int i = 0; i < count; i++) {
			errno = ENODEV;
			if (!events[i].data.ptr || handle(events[i].data.ptr))
				return -1;
		}
	}
}

int main(void)
{
	struct ivsh_device *device = ivsh_device_open(NULL);
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (!device || epoll < 0 || watch(epoll, ivsh_device_fd(device), NULL) ||
	    watch_vectors(epoll, device))
		return perror("loop"), 1;
	run(epoll);
	if (errno != ENODEV)
		return perror("loop"), 1;
	puts("the device is gone");
	/* The process ends: it need not unbind what it bound. */
	return 0;
}
