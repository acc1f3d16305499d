// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Linked into a program with -Wl,--wrap=NAME for each FAULT(NAME) here, it makes
 * one of the program's calls fail: the n-th of them all. host/server_checked.py
 * counts n up until no call is left.
 *
 * $FAULTS names a file, struct faults, that all processes of a run share: a
 * child that executes the program again counts on.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

struct faults {
	uint32_t left;		/* calls until one fails; 0: none does */
	uint32_t variant;	/* which of its errors */
	char name[56];		/* of the call that failed */
};

static struct faults *faults;

__attribute__((constructor)) static void faults_map(void)
{
	const char *path = getenv("FAULTS");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *mapped;

	if (fd < 0)
		return;
	mapped = mmap(NULL, sizeof(*faults), PROT_READ | PROT_WRITE, MAP_SHARED,
		      fd, 0);
	close(fd);
	faults = mapped == MAP_FAILED ? NULL : mapped;
}

/* The errno with which this call shall fail, or 0: it shall not. */
static int refused(const char *name, const int *errnos, unsigned int nr)
{
	if (!faults || !faults->left ||
	    __atomic_sub_fetch(&faults->left, 1, __ATOMIC_SEQ_CST))
		return 0;
	strncpy(faults->name, name, sizeof(faults->name) - 1);
	errno = errnos[faults->variant % nr];
	return errno;
}

#define REFUSED(name, ...)						\
	refused(#name, (const int[]) { __VA_ARGS__ },			\
		sizeof((const int[]) { __VA_ARGS__ }) / sizeof(int))

#define FAULT(type, failed, name, parameters, arguments, ...)		\
	type __real_##name parameters;					\
	type __wrap_##name parameters;					\
	type __wrap_##name parameters					\
	{								\
		if (REFUSED(name, __VA_ARGS__))				\
			return failed;					\
		return __real_##name arguments;				\
	}

/* Sockets. */
FAULT(int, -1, socket, (int a, int b, int c), (a, b, c), EMFILE, ENOMEM)
FAULT(int, -1, bind, (int a, const void *b, socklen_t c), (a, b, c), EACCES)
FAULT(int, -1, listen, (int a, int b), (a, b), EADDRINUSE)
FAULT(int, -1, connect, (int a, const void *b, socklen_t c), (a, b, c), EAGAIN,
      ECONNREFUSED)
FAULT(int, -1, accept4, (int a, void *b, void *c, int d), (a, b, c, d), EMFILE,
      ENOMEM, ECONNABORTED, EINTR)
FAULT(int, -1, getsockopt, (int a, int b, int c, void *d, void *e),
      (a, b, c, d, e), ENOBUFS)
FAULT(int, -1, setsockopt, (int a, int b, int c, const void *d, socklen_t e),
      (a, b, c, d, e), ENOMEM)
FAULT(ssize_t, -1, recv, (int a, void *b, size_t c, int d), (a, b, c, d), EINTR,
      ECONNRESET)
FAULT(ssize_t, -1, recvmsg, (int a, void *b, int c), (a, b, c), EINTR, ENOMEM)
FAULT(ssize_t, -1, send, (int a, const void *b, size_t c, int d), (a, b, c, d),
      EAGAIN, EPIPE)
FAULT(int, -1, sendmmsg, (int a, void *b, unsigned int c, int d), (a, b, c, d),
      ETOOMANYREFS, ENOBUFS, EINTR, EPIPE)

/* Descriptors. */
FAULT(int, -1, open64, (const char *a, int b, mode_t c), (a, b, c), EMFILE, EACCES)
FAULT(void *, NULL, fopen64, (const char *a, const char *b), (a, b), EMFILE)
FAULT(int, -1, epoll_create1, (int a), (a), EMFILE)
FAULT(int, -1, epoll_wait, (int a, void *b, int c, int d), (a, b, c, d), EINTR)
FAULT(int, -1, eventfd, (unsigned int a, int b), (a, b), EMFILE, ENOMEM)
FAULT(int, -1, signalfd, (int a, const void *b, int c), (a, b, c), EMFILE)
FAULT(int, -1, pipe2, (int *a, int b), (a, b), EMFILE)
FAULT(int, -1, poll, (void *a, nfds_t b, int c), (a, b, c), EINTR)
FAULT(int, -1, flock, (int a, int b), (a, b), ENOLCK)
FAULT(ssize_t, -1, read, (int a, void *b, size_t c), (a, b, c), EINTR)
FAULT(ssize_t, -1, pread64, (int a, void *b, size_t c, off_t d), (a, b, c, d), EIO)

/* Files and memory. */
FAULT(int, -1, memfd_create, (const char *a, unsigned int b), (a, b), EMFILE)
FAULT(int, -1, shm_open, (const char *a, int b, mode_t c), (a, b, c), EMFILE,
      EACCES)
FAULT(int, -1, mkostemp64, (char *a, int b), (a, b), EACCES)
FAULT(int, -1, ftruncate64, (int a, off_t b), (a, b), ENOSPC)
FAULT(int, ENOSPC, posix_fallocate64, (int a, off_t b, off_t c), (a, b, c), ENOSPC)
FAULT(int, -1, fstat64, (int a, void *b), (a, b), EOVERFLOW)
FAULT(int, -1, lstat64, (const char *a, void *b), (a, b), EACCES)
FAULT(int, -1, statfs64, (const char *a, void *b), (a, b), ENOSYS)
FAULT(int, -1, fstatfs64, (int a, void *b), (a, b), ENOSYS)
FAULT(int, -1, chmod, (const char *a, mode_t b), (a, b), EPERM)
FAULT(int, -1, lchown, (const char *a, uid_t b, gid_t c), (a, b, c), EPERM)
FAULT(int, -1, unlink, (const char *a), (a), EPERM)
FAULT(void *, MAP_FAILED, mmap64, (void *a, size_t b, int c, int d, int e, off_t f),
      (a, b, c, d, e, f), ENOMEM)
FAULT(void *, NULL, calloc, (size_t a, size_t b), (a, b), ENOMEM)
FAULT(char *, NULL, strdup, (const char *a), (a), ENOMEM)
FAULT(void *, NULL, open_memstream, (void *a, void *b), (a, b), ENOMEM)

/* Processes. */
FAULT(pid_t, -1, fork, (void), (), EAGAIN)
FAULT(int, -1, execv, (const char *a, char *const *b), (a, b), ENOENT)
FAULT(int, -1, setenv, (const char *a, const char *b, int c), (a, b, c), ENOMEM)
FAULT(ssize_t, -1, readlink, (const char *a, char *b, size_t c), (a, b, c), EACCES)
FAULT(int, -1, setrlimit64, (int a, const void *b), (a, b), EPERM)
FAULT(int, -1, getrlimit64, (int a, void *b), (a, b), EPERM)
FAULT(int, -ECONNREFUSED, sd_notify, (int a, const char *b), (a, b), ECONNREFUSED)
FAULT(int, -ENOMEM, sd_listen_fds_with_names, (int a, char ***b), (a, b), ENOMEM)

/* Those that cannot fail in each way in which they are used. */
int __real_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	if (operation != EPOLL_CTL_DEL && REFUSED(epoll_ctl, ENOMEM, ENOSPC))
		return -1;
	return __real_epoll_ctl(epoll, operation, fd, event);
}

int __real_fcntl64(int fd, int command, long argument);
int __wrap_fcntl64(int fd, int command, long argument);
int __wrap_fcntl64(int fd, int command, long argument)
{
	if (command != F_GETFL && command != F_SETFL &&
	    REFUSED(fcntl64, EMFILE))
		return -1;
	return __real_fcntl64(fd, command, argument);
}

int __wrap_asprintf(char **text, const char *format, ...);
int __wrap_asprintf(char **text, const char *format, ...)
{
	va_list args;
	int length;

	if (REFUSED(asprintf, ENOMEM))
		return -1;
	va_start(args, format);
	length = vasprintf(text, format, args);
	va_end(args);
	return length;
}
