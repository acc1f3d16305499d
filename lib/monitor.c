// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * struct ivsh_monitor: which devices come and go, by what the kernel says of
 * the nodes in /dev. Nothing is polled, no privilege and no udev is needed, and
 * the rights that udev gives to a node are seen too.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "deadline.h"
#include "device.h"

#define DIRECTORY "/dev"
#define PREFIX "ivshmem"

struct ivsh_monitor {
	int fd;
	size_t at;	/* the next event in the buffer */
	size_t end;
	char path[sizeof(DIRECTORY) + NAME_MAX + 1];
	char buffer[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)]
		__attribute__((aligned(__alignof__(struct inotify_event))));
};

static int watch(struct ivsh_monitor *monitor)
{
	monitor->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (monitor->fd < 0)
		return -1;
	return inotify_add_watch(monitor->fd, DIRECTORY, IN_CREATE | IN_DELETE |
				 IN_ATTRIB | IN_MOVE) < 0 ? -1 : 0;
}

IVSH_API struct ivsh_monitor *ivsh_monitor_open(void)
{
	struct ivsh_monitor *monitor = calloc(1, sizeof(*monitor));
	int error;

	if (!monitor)
		return NULL;
	if (!watch(monitor))
		return monitor;
	error = errno;
	ivsh_monitor_close(monitor);
	errno = error;
	return NULL;
}

IVSH_API void ivsh_monitor_close(struct ivsh_monitor *monitor)
{
	if (!monitor)
		return;
	if (monitor->fd >= 0)
		close(monitor->fd);
	free(monitor);
}

IVSH_API int ivsh_monitor_fd(const struct ivsh_monitor *monitor)
{
	return monitor->fd;
}

/* "ivshmem" and a number. */
static bool is_node(const char *name)
{
	if (strncmp(name, PREFIX, strlen(PREFIX)))
		return false;
	name += strlen(PREFIX);
	if (!*name)
		return false;
	while (isdigit((unsigned char)*name))
		name++;
	return !*name;
}

static enum ivsh_change change_of(uint32_t mask)
{
	if (mask & (IN_CREATE | IN_MOVED_TO))
		return IVSH_CHANGE_ADDED;
	if (mask & (IN_DELETE | IN_MOVED_FROM))
		return IVSH_CHANGE_REMOVED;
	return IVSH_CHANGE_RIGHTS;
}

/* The next event in the buffer that is about a node of ours. */
static bool next_event(struct ivsh_monitor *monitor, enum ivsh_change *change)
{
	while (monitor->at < monitor->end) {
		const struct inotify_event *event =
			(const void *)(monitor->buffer + monitor->at);

		monitor->at += sizeof(*event) + event->len;
		if (event->mask & IN_Q_OVERFLOW) {
			*change = IVSH_CHANGE_UNKNOWN;
			monitor->path[0] = '\0';
			return true;
		}
		if (!event->len || !is_node(event->name))
			continue;
		*change = change_of(event->mask);
		snprintf(monitor->path, sizeof(monitor->path), DIRECTORY "/%s",
			 event->name);
		return true;
	}
	return false;
}

/* Wait for more. */
static int fill(struct ivsh_monitor *monitor, const struct timespec *deadline)
{
	struct pollfd pfd = { .fd = monitor->fd, .events = POLLIN };
	struct timespec left;
	ssize_t len;
	int ready;

	if (deadline)
		left = deadline_left(deadline);
	ready = ppoll(&pfd, 1, deadline ? &left : NULL, NULL);
	if (ready <= 0) {
		if (!ready)
			errno = ETIMEDOUT;
		return -1;
	}
	len = read(monitor->fd, monitor->buffer, sizeof(monitor->buffer));
	if (len < 0 && errno != EAGAIN)
		return -1;
	monitor->at = 0;
	monitor->end = len > 0 ? (size_t)len : 0;
	return 0;
}

IVSH_API int ivsh_monitor_wait(struct ivsh_monitor *monitor, int64_t timeout_ns,
			       enum ivsh_change *change, const char **path)
{
	struct timespec deadline;

	if (timeout_ns < -1) {
		errno = EINVAL;
		return -1;
	}
	if (timeout_ns >= 0)
		deadline = deadline_after(timeout_ns);
	while (!next_event(monitor, change))
		if (fill(monitor, timeout_ns < 0 ? NULL : &deadline))
			return -1;
	*path = monitor->path;
	return 0;
}
