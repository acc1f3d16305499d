// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * struct ivsh_vector: an eventfd that is signalled when the vector fires; the
 * backend makes it. Its device must stay open as long as it is bound.
 */
#include <errno.h>
#include <stdlib.h>

#include "deadline.h"
#include "device.h"
#include "eventfd.h"

struct ivsh_vector {
	struct ivsh_device *device;
	uint32_t number;
	int eventfd;
};

/* Claim the number for one vector, and give it up again. */
static int claim(struct ivsh_device *device, uint32_t number)
{
	if (number > IVSH_VECTOR_MAX) {
		errno = EINVAL;
		return -1;
	}
	if (atomic_flag_test_and_set(&device->bound[number])) {
		errno = EBUSY;
		return -1;
	}
	return 0;
}

static void unclaim(struct ivsh_vector *vector)
{
	atomic_flag_clear(&vector->device->bound[vector->number]);
}

IVSH_API struct ivsh_vector *ivsh_vector_bind(struct ivsh_device *device,
					      uint32_t number)
{
	struct ivsh_vector *vector;

	if (claim(device, number))
		return NULL;
	vector = malloc(sizeof(*vector));
	if (!vector) {
		atomic_flag_clear(&device->bound[number]);
		return NULL;
	}
	vector->device = device;
	vector->number = number;
	vector->eventfd = device->backend->bind(device, number);
	if (vector->eventfd < 0) {
		unclaim(vector);
		free(vector);
		return NULL;
	}
	return vector;
}

IVSH_API void ivsh_vector_unbind(struct ivsh_vector *vector)
{
	if (!vector)
		return;
	ivsh_vector_set_mode(vector, IVSH_VECTOR_NORMAL);
	vector->device->backend->unbind(vector->device, vector->number,
					vector->eventfd);
	unclaim(vector);
	free(vector);
}

IVSH_API int ivsh_vector_fd(const struct ivsh_vector *vector)
{
	return vector->eventfd;
}

IVSH_API uint32_t ivsh_vector_number(const struct ivsh_vector *vector)
{
	return vector->number;
}

IVSH_API int ivsh_vector_set_mode(struct ivsh_vector *vector,
				  enum ivsh_vector_mode mode)
{
	struct ivsh_device *device = vector->device;

	if (!device->backend->set_mode) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return device->backend->set_mode(device, vector->number, mode);
}

/*
 * Sleep until the eventfd is readable; what the backend watches may end the
 * sleep early. Returns 0 also when it did.
 */
static int wait_readable(const struct ivsh_vector *vector,
			 const struct timespec *deadline)
{
	struct ivsh_device *device = vector->device;
	struct pollfd fds[] = {
		{ .fd = vector->eventfd, .events = POLLIN },
		device->backend->watch(device),
	};
	struct timespec left;
	int ready;

	if (deadline)
		left = deadline_left(deadline);
	ready = ppoll(fds, 2, deadline ? &left : NULL, NULL);
	if (ready < 0)
		return -1;
	if (!ready) {
		errno = ETIMEDOUT;
		return -1;
	}
	return fds[1].revents ? device->backend->watched(device) : 0;
}

IVSH_API int ivsh_vector_wait(struct ivsh_vector *vector, int64_t timeout_ns,
			      uint64_t *count)
{
	struct timespec deadline;
	uint64_t taken;

	if (timeout_ns < -1) {
		errno = EINVAL;
		return -1;
	}
	if (timeout_ns >= 0)
		deadline = deadline_after(timeout_ns);
	do {
		if (wait_readable(vector, timeout_ns < 0 ? NULL : &deadline) ||
		    ivsh_eventfd_take(vector->eventfd, &taken))
			return -1;
	} while (!taken);
	if (count)
		*count = taken;
	return 0;
}

IVSH_API int ivsh_vector_clear(struct ivsh_vector *vector, uint64_t *count)
{
	struct ivsh_device *device = vector->device;
	struct pollfd watch = device->backend->watch(device);
	uint64_t taken;
	int ready;

	/* It does not wait, but a signal can still end it. */
	do {
		ready = poll(&watch, 1, 0);
	} while (ready < 0 && errno == EINTR);
	if (ready < 0 || ivsh_eventfd_take(vector->eventfd, &taken))
		return -1;
	if (watch.revents && device->backend->watched(device))
		return -1;
	if (count)
		*count = taken;
	return 0;
}
