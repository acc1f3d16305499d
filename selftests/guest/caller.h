/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who calls the ioctls in uapi.c: this program as it is, or with COMPAT_CALLER
 * as a 32-bit program would: int 0x80 takes the kernel's 32-bit entry, from
 * which the driver's compat_ioctl is called. So no 32-bit libc is needed.
 */
#ifndef CALLER_H
#define CALLER_H

#include "guest.h"

/* Memory that a 32-bit pointer reaches. */
static inline void *low_pages(size_t count)
{
#ifndef MAP_32BIT
#define MAP_32BIT 0
#endif
	return mmap(NULL, count * getpagesize(), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
}

#if !defined(COMPAT_CALLER)

static inline int caller_ioctl(int fd, unsigned int cmd, const void *arg)
{
	return ioctl(fd, cmd, arg);
}

#elif defined(__x86_64__)

#define COMPAT_GETPID 20
#define COMPAT_IOCTL 54

static inline int compat_syscall(int nr, int a, int b, unsigned int c)
{
	int result;

	__asm__ volatile("int $0x80"
			 : "=a" (result)
			 : "a" (nr), "b" (a), "c" (b), "d" (c)
			 : "memory", "r8", "r9", "r10", "r11");
	if (result < 0) {
		errno = -result;
		return -1;
	}
	return result;
}

static inline int caller_ioctl(int fd, unsigned int cmd, const void *arg)
{
	return compat_syscall(COMPAT_IOCTL, fd, cmd, (unsigned long)arg);
}

/* The kernel may be built or booted without 32-bit calls. */
static void __attribute__((constructor)) skip_without_compat(void)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(compat_syscall(COMPAT_GETPID, 0, 0, 0) != getpid());
	waitpid(pid, &status, 0);
	if (status) {
		puts("1..0 # SKIP this kernel takes no 32-bit calls");
		exit(KSFT_SKIP);
	}
}

#else

static inline int caller_ioctl(int fd, unsigned int cmd, const void *arg)
{
	return ioctl(fd, cmd, arg);
}

static void __attribute__((constructor)) skip_without_compat(void)
{
	puts("1..0 # SKIP 32-bit calls are tested on x86-64 only");
	exit(KSFT_SKIP);
}

#endif

#endif /* CALLER_H */
