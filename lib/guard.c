// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Guards: a SIGBUS in a guarded mapping puts memory of the process in its place,
 * and the access goes on there. The one part of the library that has global
 * state, and a signal handler: only once ivsh_region_guard() was called.
 *
 * The handler may run in any thread at any time, so it takes no lock: guards
 * stand in a list that only grows, and one that has ended is used again.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "device.h"
#include "guard.h"

struct ivsh_guard {
	struct ivsh_guard *next;	/* set before the guard is in the list */
	atomic_uintptr_t start;		/* 0 when it guards nothing */
	atomic_size_t size;
	atomic_bool fired;
};

static _Atomic(struct ivsh_guard *) guards;

/* Protects all below, and the beginning and end of guards; not the handler. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int nr_guards;
static struct sigaction previous;

static struct ivsh_guard *find(uintptr_t address)
{
	struct ivsh_guard *guard;

	for (guard = guards; guard; guard = guard->next) {
		uintptr_t start = guard->start;

		if (start && address >= start && address - start < guard->size)
			return guard;
	}
	return NULL;
}

/* Two threads may come here at once: the second just tries its access again. */
static bool replace_memory(struct ivsh_guard *guard)
{
	if (atomic_exchange(&guard->fired, true))
		return true;
	return mmap((void *)guard->start, guard->size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
		    -1, 0) != MAP_FAILED;
}

/* As if we were not here. */
static void pass_on(int number, siginfo_t *info, void *context)
{
	bool sent = info->si_code <= 0;

	if (previous.sa_flags & SA_SIGINFO) {
		previous.sa_sigaction(number, info, context);
	} else if (previous.sa_handler == SIG_IGN && sent) {
		return;
	} else if (previous.sa_handler == SIG_DFL ||
		   previous.sa_handler == SIG_IGN) {
		/* A fault comes again by itself; what was sent must be. */
		signal(number, SIG_DFL);
		if (sent)
			raise(number);
	} else {
		previous.sa_handler(number);
	}
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	struct ivsh_guard *guard = NULL;
	int error = errno;

	if (info->si_code == BUS_ADRERR)
		guard = find((uintptr_t)info->si_addr);
	if (!guard || !replace_memory(guard))
		pass_on(number, info, context);
	errno = error;
}

/* With the flags and the mask of the handler before, which we may call. */
static int install(void)
{
	struct sigaction action;

	if (sigaction(SIGBUS, NULL, &previous))
		return -1;
	action = previous;
	action.sa_sigaction = on_sigbus;
	action.sa_flags |= SA_SIGINFO;
	action.sa_flags &= ~SA_RESETHAND;
	return sigaction(SIGBUS, &action, NULL);
}

/* If somebody came after us his handler stays, and ours does no harm. */
static void uninstall(void)
{
	struct sigaction now;

	if (!sigaction(SIGBUS, NULL, &now) && now.sa_flags & SA_SIGINFO &&
	    now.sa_sigaction == on_sigbus)
		sigaction(SIGBUS, &previous, NULL);
}

static struct ivsh_guard *reuse_or_add(void)
{
	struct ivsh_guard *guard;

	for (guard = guards; guard; guard = guard->next)
		if (!guard->start)
			return guard;
	guard = calloc(1, sizeof(*guard));
	if (guard) {
		guard->next = guards;
		guards = guard;
	}
	return guard;
}

struct ivsh_guard *ivsh_guard_begin(void *address, size_t size)
{
	struct ivsh_guard *guard;

	pthread_mutex_lock(&lock);
	guard = reuse_or_add();
	if (guard && !nr_guards && install())
		guard = NULL;
	if (guard) {
		nr_guards++;
		guard->fired = false;
		guard->size = size;
		guard->start = (uintptr_t)address;
	}
	pthread_mutex_unlock(&lock);
	return guard;
}

void ivsh_guard_end(struct ivsh_guard *guard)
{
	if (!guard)
		return;
	pthread_mutex_lock(&lock);
	guard->start = 0;
	if (!--nr_guards)
		uninstall();
	pthread_mutex_unlock(&lock);
}

bool ivsh_guard_fired(const struct ivsh_guard *guard)
{
	return guard->fired;
}
