// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * struct ivsh_peer_event: what a server said of the other peers. Only a backend
 * that hears of them has such events.
 */
#include <errno.h>
#include <stdlib.h>

#include "deadline.h"
#include "device.h"

/* Sleep until there may be an event. */
static int wait_pollable(const struct ivsh_device *device,
			 const struct timespec *deadline)
{
	struct pollfd fd = { .fd = device->fd, .events = POLLIN };
	struct timespec left;
	int ready;

	if (deadline)
		left = deadline_left(deadline);
	ready = ppoll(&fd, 1, deadline ? &left : NULL, NULL);
	if (!ready)
		errno = ETIMEDOUT;
	return ready > 0 ? 0 : -1;
}

/* Returns 0 when the event is filled in. */
static int wait_event(struct ivsh_device *device, int64_t timeout_ns,
		      struct ivsh_peer_event *event)
{
	struct timespec deadline;
	int result;

	if (timeout_ns >= 0)
		deadline = deadline_after(timeout_ns);
	while (!(result = device->backend->next_event(device, event)))
		if (wait_pollable(device, timeout_ns < 0 ? NULL : &deadline))
			return -1;
	return result < 0 ? -1 : 0;
}

IVSH_API struct ivsh_peer_event *
ivsh_device_wait_peer_event(struct ivsh_device *device, int64_t timeout_ns)
{
	struct ivsh_peer_event *event;

	if (!device->backend->next_event || timeout_ns < -1) {
		errno = timeout_ns < -1 ? EINVAL : EOPNOTSUPP;
		return NULL;
	}
	event = calloc(1, sizeof(*event));
	if (!event)
		return NULL;
	if (wait_event(device, timeout_ns, event)) {
		free(event);
		return NULL;
	}
	return event;
}

IVSH_API void ivsh_peer_event_free(struct ivsh_peer_event *event)
{
	free(event);
}

IVSH_API enum ivsh_peer_event_type
ivsh_peer_event_type(const struct ivsh_peer_event *event)
{
	return event->type;
}

IVSH_API uint32_t ivsh_peer_event_peer(const struct ivsh_peer_event *event)
{
	return event->peer;
}

IVSH_API uint32_t
ivsh_peer_event_nr_vectors(const struct ivsh_peer_event *event)
{
	return event->nr_vectors;
}

IVSH_API int ivsh_peer_event_error(const struct ivsh_peer_event *event)
{
	return event->error;
}
