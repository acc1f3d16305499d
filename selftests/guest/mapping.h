/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mappings and what touching them does. peek() and poke() catch the signal
 * that an access raises and say which it was. For programs that map.
 */
#ifndef MAPPING_H
#define MAPPING_H

#include <setjmp.h>
#include <sys/resource.h>

#include "guest.h"

#define RW (PROT_READ | PROT_WRITE)
#define MIB (1UL << 20)

static __thread sigjmp_buf access_env;
static __thread volatile sig_atomic_t access_running;

static void access_failed(int sig)
{
	if (access_running)
		siglongjmp(access_env, sig);
	signal(sig, SIG_DFL);
}

/* In each process once; threads may then peek and poke at the same time. */
static inline void catch_access_signals(void)
{
	struct sigaction action = {
		.sa_handler = access_failed,
		.sa_flags = SA_NODEFER,
	};

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

/* Read a word: 0, or the signal that this raised. */
static inline int peek(const void *at, __u64 *value)
{
	int sig = sigsetjmp(access_env, 0);

	if (!sig) {
		access_running = 1;
		*value = *(const volatile __u64 *)at;
	}
	access_running = 0;
	return sig;
}

/* Write a word: 0, or the signal that this raised. */
static inline int poke(void *at, __u64 value)
{
	int sig = sigsetjmp(access_env, 0);

	if (!sig) {
		access_running = 1;
		*(volatile __u64 *)at = value;
	}
	access_running = 0;
	return sig;
}

/* The signal that reading raises, 0 for none. */
static inline int touch(const void *at)
{
	__u64 value;

	return peek(at, &value);
}

static inline void *map(int fd, off_t offset, size_t length)
{
	return mmap(NULL, length, RW, MAP_SHARED, fd, offset);
}

/* mmap() with any offset, also one that off_t does not hold. */
static inline void *map_raw(int fd, __u64 offset, size_t length)
{
#ifdef SYS_mmap2
	/* In units of 4096 bytes, of which a word must hold the number. */
	if (offset % 4096 || offset >> 12 > ULONG_MAX) {
		errno = offset % 4096 ? EINVAL : EOVERFLOW;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mmap2, NULL, length, RW, MAP_SHARED, fd,
			       (unsigned long)(offset >> 12));
#else
	return (void *)syscall(SYS_mmap, NULL, length, RW, MAP_SHARED, fd,
			       offset);
#endif
}

static inline long minor_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

#endif /* MAPPING_H */
