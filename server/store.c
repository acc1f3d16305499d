// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * store: descriptors kept outside of this process, by systemd's service manager
 * or by our own keeper, which speaks the same protocol (sd_notify(3)). What was
 * kept comes back at the next start. Without a manager all of it does nothing.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "server.h"

struct kept {
	char *name;
	int fd;			/* -1: taken */
};

static struct kept *kept;
static int nr_kept;

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

void store_add(const char *name, int fd)
{
	char text[64];

	if (!store_is_there())
		return;
	/* Without FDPOLL=0 systemd drops the socket of a peer that hung up. */
	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	store_complain(sd_pid_notify_with_fds(0, 0, text, &fd, 1));
}

void store_remove(const char *name)
{
	if (store_is_there())
		store_complain(sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s",
					  name));
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
