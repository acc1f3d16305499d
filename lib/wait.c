// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Waiting until a channel, or one of all that a directory has open, is ready:
 * spin as long as that has paid lately, then sleep until rung. The order that
 * loses no wake-up: arm, full fence, look again, sleep; the other side
 * publishes, full fence, looks whether we are armed.
 */
#include <time.h>

#include "channel.h"

#define SPIN_MIN_NS 5000
#define PAUSE_MIN_NS 20000
#define PAUSE_MAX_NS 1000000
/* Looks between two looks at the clock. */
#define SPIN_LOOKS 32

/* What is waited for: one channel, or all of the directory. */
struct waiting {
	struct ivsh_directory *directory;
	struct ivsh_channel *only;
	int64_t start_ns, timeout_ns;
	int64_t pause_ns;
};

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static struct ivsh_channel *first(const struct waiting *waiting)
{
	return waiting->only ? waiting->only : waiting->directory->channels;
}

static struct ivsh_channel *next(const struct waiting *waiting,
				 const struct ivsh_channel *channel)
{
	return waiting->only ? NULL : channel->next;
}

static struct ivsh_channel *find_ready(const struct waiting *waiting)
{
	struct ivsh_channel *channel;

	for (channel = first(waiting); channel; channel = next(waiting, channel))
		if (ivsh_ring_ready(channel))
			return channel;
	return NULL;
}

/* What is left of the timeout, but never more than until the next beat. */
static int64_t left_ns(const struct waiting *waiting)
{
	int64_t left;

	if (waiting->timeout_ns < 0)
		return BEAT_NS;
	left = waiting->timeout_ns - (ivsh_now_ns() - waiting->start_ns);
	if (left < 0)
		return 0;
	return left < BEAT_NS ? left : BEAT_NS;
}

/* --- spinning ------------------------------------------------------------ */

static struct ivsh_channel *look(const struct waiting *waiting)
{
	struct ivsh_channel *channel;

	for (int i = 0; i < SPIN_LOOKS; i++) {
		channel = find_ready(waiting);
		if (channel)
			return channel;
		relax();
	}
	return NULL;
}

/* Look again and again, until the time has passed that it may take. The first
 * looks come before the clock: reading it costs as much as a message. */
static struct ivsh_channel *spin(struct waiting *waiting, int64_t limit_ns)
{
	struct ivsh_channel *channel = limit_ns ? look(waiting) :
						  find_ready(waiting);

	if (channel)
		return channel;
	waiting->start_ns = ivsh_now_ns();
	while (!channel && ivsh_now_ns() - waiting->start_ns < limit_ns) {
		channel = look(waiting);
		ivsh_directory_beat(waiting->directory);
	}
	return channel;
}

/* How long to spin, if there is that much time. */
static int64_t spin_limit_ns(const struct waiting *waiting)
{
	const struct ivsh_directory *directory = waiting->directory;
	int64_t limit = directory->spin_ns;

	if (directory->waiting == IVSH_WAIT_POLL)
		limit = INT64_MAX;
	else if (directory->waiting == IVSH_WAIT_SLEEP || directory->alone)
		limit = 0;
	return waiting->timeout_ns >= 0 && waiting->timeout_ns < limit ?
	       waiting->timeout_ns : limit;
}

/*
 * After a sleep, as a hypervisor's halt polling: spin longer next time if a
 * little more would have sufficed, and less after a wait that no spinning
 * shortens; one of these (a processor that was taken away) says little. The
 * time has the sleep's own cost in it, which is about the most that we spin.
 */
static void learn(const struct waiting *waiting)
{
	int64_t took = ivsh_now_ns() - waiting->start_ns;
	int64_t spin_ns = waiting->directory->spin_ns;

	if (took > 2 * IVSH_SPIN_MAX_NS)
		spin_ns = spin_ns / 2 < SPIN_MIN_NS ? 0 : spin_ns / 2;
	else if (spin_ns < SPIN_MIN_NS)
		spin_ns = SPIN_MIN_NS;
	else if (spin_ns * 2 <= IVSH_SPIN_MAX_NS)
		spin_ns *= 2;
	else
		spin_ns = IVSH_SPIN_MAX_NS;
	waiting->directory->spin_ns = spin_ns;
}

/* --- sleeping ------------------------------------------------------------ */

static void set_sleep(const struct waiting *waiting, uint64_t word)
{
	struct ivsh_channel *channel;

	for (channel = first(waiting); channel; channel = next(waiting, channel)) {
		ivsh_step(word ? "wait: not armed" : "wait: not disarmed");
		/* Full fence: pairs with publish(). */
		word_store_full(&channel->own->sleep, word);
		channel->counters[IVSH_COUNTER_SLEEPS] += word != 0;
	}
}

/* Without a doorbell: pauses that grow. */
static int pause_once(struct waiting *waiting)
{
	int64_t left = left_ns(waiting);
	int64_t ns = waiting->pause_ns < left ? waiting->pause_ns : left;
	struct timespec time = { .tv_nsec = ns };

	waiting->pause_ns = waiting->pause_ns > PAUSE_MAX_NS / 2 ?
			    PAUSE_MAX_NS : waiting->pause_ns * 2;
	first(waiting)->counters[IVSH_COUNTER_SLEEPS]++;
	return nanosleep(&time, NULL);
}

/* Sleep once. The errnos are those of waiting; ETIMEDOUT only for the beat. */
static int sleep_once(struct waiting *waiting)
{
	struct ivsh_directory *directory = waiting->directory;
	const struct ivsh_wakeup *wakeup = &directory->wakeup;
	int failed = 0, error;

	if (!wakeup->ring)
		return pause_once(waiting);
	set_sleep(waiting, wakeup->doorbell);
	if (!find_ready(waiting)) {
		ivsh_step("wait: not asleep");
		failed = wakeup->wait(wakeup->context, left_ns(waiting));
	}
	error = errno;
	if (failed && error == ENODEV) {
		ivsh_directory_gone(directory);
		return ivsh_fail(ENODEV);
	}
	set_sleep(waiting, 0);
	errno = error;
	return failed && errno == ETIMEDOUT ? 0 : failed;
}

static struct ivsh_channel *wait_for(struct waiting *waiting)
{
	struct ivsh_channel *channel = spin(waiting, spin_limit_ns(waiting));

	if (channel)
		return channel;
	while (!channel && waiting->timeout_ns && left_ns(waiting)) {
		if (sleep_once(waiting))
			return NULL;
		ivsh_directory_beat(waiting->directory);
		channel = find_ready(waiting);
	}
	if (!channel)
		errno = ETIMEDOUT;
	else
		learn(waiting);
	return channel;
}

static struct ivsh_channel *flush_and_wait(struct waiting *waiting)
{
	struct ivsh_channel *channel;

	if (waiting->timeout_ns < -1 || !first(waiting)) {
		errno = EINVAL;
		return NULL;
	}
	if (waiting->directory->gone) {
		errno = ENODEV;
		return NULL;
	}
	waiting->pause_ns = PAUSE_MIN_NS;
	/* Fails only with what the next call says again. */
	for (channel = first(waiting); channel; channel = next(waiting, channel))
		ivsh_channel_flush(channel);
	ivsh_directory_beat(waiting->directory);
	return wait_for(waiting);
}

IVSH_API int ivsh_channel_wait(struct ivsh_channel *channel,
			       int64_t timeout_ns)
{
	struct waiting waiting = {
		.directory = channel->directory,
		.only = channel,
		.timeout_ns = timeout_ns,
	};

	return flush_and_wait(&waiting) ? 0 : -1;
}

/* The one that was ready goes to the end of the list: they take turns. */
static void go_last(struct ivsh_directory *directory,
		    struct ivsh_channel *channel)
{
	struct ivsh_channel **link = &directory->channels;

	while (*link != channel)
		link = &(*link)->next;
	*link = channel->next;
	while (*link)
		link = &(*link)->next;
	*link = channel;
	channel->next = NULL;
}

IVSH_API struct ivsh_channel *ivsh_directory_wait(
	struct ivsh_directory *directory, int64_t timeout_ns)
{
	struct waiting waiting = {
		.directory = directory,
		.timeout_ns = timeout_ns,
	};
	struct ivsh_channel *channel = flush_and_wait(&waiting);

	if (channel)
		go_last(directory, channel);
	return channel;
}

IVSH_API int ivsh_channel_arm(struct ivsh_channel *channel, bool *ready)
{
	struct waiting waiting = {
		.directory = channel->directory,
		.only = channel,
	};

	if (!waiting.directory->wakeup.ring)
		return ivsh_fail(EOPNOTSUPP);
	ivsh_channel_flush(channel);
	ivsh_directory_beat(waiting.directory);
	*ready = ivsh_ring_ready(channel);
	if (*ready)
		return 0;
	set_sleep(&waiting, waiting.directory->wakeup.doorbell);
	*ready = ivsh_ring_ready(channel);
	if (*ready)
		set_sleep(&waiting, 0);
	return 0;
}
