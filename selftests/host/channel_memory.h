/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the channel_*.c tests share: memory that two processes share, and
 * doorbells made of eventfds, through the seam that the library has for it.
 */
#ifndef CHANNEL_MEMORY_H
#define CHANNEL_MEMORY_H

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../lib/channel.h"

#define MEMORY_SIZE (4u << 20)
#define NR_BELLS 20

/* An eventfd for each peer ID; children inherit them. */
struct bells {
	int fd[NR_BELLS];
};

struct bell {
	struct bells *bells;
	unsigned int own_id;
};

static inline void *memory_new(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static inline void bells_open(struct bells *bells)
{
	for (int i = 0; i < NR_BELLS; i++)
		bells->fd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

static inline void bells_close(struct bells *bells)
{
	for (int i = 0; i < NR_BELLS; i++)
		close(bells->fd[i]);
}

static inline int bell_ring(void *context, uint32_t peer, uint32_t vector)
{
	struct bell *bell = context;
	uint64_t one = 1;

	(void)vector;
	if (peer < NR_BELLS &&
	    write(bell->bells->fd[peer], &one, sizeof(one)) < 0)
		return -1;
	return 0;
}

static inline int bell_clear(void *context)
{
	struct bell *bell = context;
	uint64_t count;

	return read(bell->bells->fd[bell->own_id], &count, sizeof(count)) < 0 &&
	       errno != EAGAIN ? -1 : 0;
}

static inline int bell_wait(void *context, int64_t timeout_ns)
{
	struct bell *bell = context;
	struct pollfd fd = { bell->bells->fd[bell->own_id], POLLIN, 0 };
	struct timespec time = { timeout_ns / NSEC_PER_SEC,
				 timeout_ns % NSEC_PER_SEC };
	int ready = ppoll(&fd, 1, timeout_ns < 0 ? NULL : &time, NULL);

	if (ready < 0)
		return -1;
	if (!ready)
		return ivsh_fail(ETIMEDOUT);
	return bell_clear(context);
}

static inline void use_bell(struct ivsh_directory *directory,
			    struct bell *bell, struct bells *bells,
			    unsigned int own_id)
{
	struct ivsh_wakeup wakeup = {
		.ring = bell_ring,
		.wait = bell_wait,
		.clear = bell_clear,
		.fd = bells->fd[own_id],
		.doorbell = IVSH_ASLEEP | own_id << 16,
		.context = bell,
	};

	*bell = (struct bell){ bells, own_id };
	ivsh_directory_set_wakeup(directory, &wakeup);
}

/* A process's own directory, named for the end that it will open, with a bell;
 * NULL with errno. One for each end and process. */
static inline struct ivsh_directory *join_as(void *memory, struct bells *bells,
					     enum ivsh_role role)
{
	struct ivsh_directory *directory = ivsh_directory_open(
		memory, MEMORY_SIZE, role ? "consumer" : "producer",
		IVSH_TAKE_OVER);
	static struct bell bell[2];

	if (directory)
		use_bell(directory, &bell[role], bells, role);
	return directory;
}

/* Payload that its number and length make out: eight bytes, then a pattern. */
static inline void message_fill(unsigned char *message, size_t length,
				uint64_t number)
{
	for (size_t i = 0; i < length; i++)
		message[i] = i < 8 ? (unsigned char)(number >> 8 * i) :
				     (unsigned char)(number * 31 + i * 7);
}

static inline uint64_t message_number(const unsigned char *message)
{
	uint64_t number = 0;

	for (int i = 0; i < 8; i++)
		number |= (uint64_t)message[i] << 8 * i;
	return number;
}

static inline bool message_intact(const unsigned char *message, size_t length)
{
	uint64_t number = message_number(message);

	for (size_t i = 8; i < length; i++)
		if (message[i] != (unsigned char)(number * 31 + i * 7))
			return false;
	return true;
}

/* Lengths of 8 to most, that the number makes out. */
static inline size_t message_length(uint64_t number, size_t most)
{
	return 8 + number * 2654435761u % (most - 7);
}

#endif /* CHANNEL_MEMORY_H */
