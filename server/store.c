// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * store: descriptors kept outside of this process, by systemd's service manager
 * or by our own keeper, which speaks the same protocol (sd_notify(3)). What was
 * kept comes back at the next start. Without a manager all of it does nothing.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "server.h"

struct kept {
	char *name;
	int fd;			/* -1: taken */
};

/* How long a manager may take that is only busy; one that is stopped, once. */
#define PATIENCE_MS 2000
#define NAME_SIZE 24

static struct kept *kept;
static int nr_kept;

/* Names that are to be removed, as soon as the manager has room for it. */
static char (*removals)[NAME_SIZE];
static unsigned int nr_removals, room_for_removals;

bool store_is_there(void)
{
	return getenv("NOTIFY_SOCKET") != NULL;
}

/* It is gone, or does not listen: once is enough to say so. */
static void store_complain(int err)
{
	static bool said;

	if (err < 0 && !said)
		log_error("the service manager: %s: peers will not survive a restart",
			  strerror(-err));
	said = said || err < 0;
}

/* Connected to the manager, and never used: poll() says if there is room. */
static int manager_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	static int sock = -1;
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				     strlen(path));

	if (sock >= 0 || strlen(path) >= sizeof(address.sun_path))
		return sock;
	memcpy(address.sun_path, path, strlen(path));
	if (*path == '@')
		*address.sun_path = '\0';
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock >= 0 && connect(sock, (struct sockaddr *)&address, size)) {
		close(sock);
		sock = -1;
	}
	return sock;
}

/* A message to a manager that reads none would stop us, and so all peers. */
static bool manager_reads(int patience_ms)
{
	struct pollfd pollfd = { .fd = manager_socket(), .events = POLLOUT };
	static bool stuck;
	bool reads = pollfd.fd < 0 ||
		     poll(&pollfd, 1, stuck ? 0 : patience_ms) != 0;

	stuck = !reads && (stuck || patience_ms);
	return reads;
}

static void send_removal(const char *name)
{
	store_complain(sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name));
}

static bool flush(int patience_ms)
{
	unsigned int i;

	for (i = 0; i < nr_removals && manager_reads(patience_ms); i++)
		send_removal(removals[i]);
	nr_removals -= i;
	if (i)
		memmove(removals, removals + i, nr_removals * NAME_SIZE);
	return !nr_removals;
}

bool store_flush(void)
{
	return flush(0);
}

bool store_answers(void)
{
	return !store_is_there() ||
	       (flush(PATIENCE_MS) && manager_reads(PATIENCE_MS));
}

/* In order: what is added now may have a name that is yet to be removed. */
int store_add(const char *name, int fd)
{
	char text[64];

	if (!store_is_there())
		return 0;
	if (!store_answers()) {
		errno = ETIMEDOUT;
		return -1;
	}
	/* Without FDPOLL=0 systemd drops the socket of a peer that hung up. */
	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	store_complain(sd_pid_notify_with_fds(0, 0, text, &fd, 1));
	return 0;
}

/* Without memory for it there is only one way: to wait until it is sent. */
static bool put_off(const char *name)
{
	void *more;

	if (nr_removals == room_for_removals) {
		more = realloc(removals, (room_for_removals + 64) * NAME_SIZE);
		if (!more)
			return false;
		removals = more;
		room_for_removals += 64;
	}
	snprintf(removals[nr_removals++], NAME_SIZE, "%s", name);
	return true;
}

void store_remove(const char *name)
{
	if (!store_is_there())
		return;
	if ((!store_flush() || !manager_reads(0)) && put_off(name))
		return;
	send_removal(name);
}

void store_say_ready(void)
{
	if (store_is_there())
		store_complain(sd_notify(0, "READY=1"));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct kept *)a)->name,
		      ((const struct kept *)b)->name);
}

int store_receive(void)
{
	char **names = NULL;
	int i, nr = sd_listen_fds_with_names(1, &names);

	if (nr < 0) {
		log_error("LISTEN_FDS: %s", strerror(-nr));
		return -1;
	}
	kept = calloc((size_t)nr + 1, sizeof(*kept));
	for (i = 0; i < nr; i++) {
		if (!kept)
			free(names[i]);
		else
			kept[i] = (struct kept) { names[i],
						  SD_LISTEN_FDS_START + i };
	}
	free(names);
	if (!kept) {
		log_error("store: out of memory");
		return -1;
	}
	nr_kept = nr;
	qsort(kept, (size_t)nr, sizeof(*kept), by_name);
	return 0;
}

static struct kept *find_kept(const char *name)
{
	struct kept key = { .name = (char *)name };

	return nr_kept ? bsearch(&key, kept, (size_t)nr_kept, sizeof(*kept),
				 by_name) : NULL;
}

bool store_has(const char *name)
{
	return find_kept(name) != NULL;
}

int store_take(const char *name)
{
	struct kept *found = find_kept(name);
	int fd = found ? found->fd : -1;

	if (found)
		found->fd = -1;
	return fd;
}

/* The manager names a socket that it made itself as it likes. */
int store_take_listener(int type)
{
	int i, fd;

	for (i = 0; i < nr_kept; i++) {
		fd = kept[i].fd;
		if (fd < 0 || sd_is_socket(fd, AF_UNIX, type, 1) <= 0)
			continue;
		kept[i].fd = -1;
		return fd;
	}
	return -1;
}

/* Of peers that left while the server was being killed. */
void store_drop_rest(void)
{
	int i;

	for (i = 0; i < nr_kept; i++) {
		if (kept[i].fd >= 0) {
			store_remove(kept[i].name);
			close(kept[i].fd);
		}
		free(kept[i].name);
	}
	free(kept);
	kept = NULL;
	nr_kept = 0;
}
