// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Opening the device that -d names, and saying in words what the library says
 * with errno. Called by every subcommand that works on one device, and by
 * list.c for the words.
 */
#include <errno.h>
#include <string.h>

#include "ctl.h"

/* The meanings of errno in ivshmem.h, as a sentence. */
const char *device_why(int error)
{
	switch (error) {
	case EACCES:
		return "permission denied, see 'ivshmemctl list'";
	case EBUSY:
		return "the vector is bound already";
	case ECONNREFUSED:
		return "nobody serves this socket, or the server refuses: see its log";
	case ECONNRESET:
		return "the server closed the connection";
	case EINVAL:
		return "not a node, an index or a PCI address, nor unix:, shm: or file:";
	case ENODEV:
		return "the device is gone";
	case ENOENT:
		return "no such device, see 'ivshmemctl list'";
	case ENOTTY:
		return "not an ivshmem device, nor memory";
	case ENOTCONN:
		return "no such peer, or it has no such vector: see 'ivshmemctl peers'";
	case ENOTUNIQ:
		return "there is more than one, choose with -d";
	case EOPNOTSUPP:
		return "a plain device has no doorbell and no vectors";
	case EPROTO:
		return "what the server sends is not the protocol of ivshmem servers";
	case ETIMEDOUT:
		return "the server did not send its greeting in time";
	}
	return strerror(error);
}

/* Names of the host: no list has them. */
static bool is_host_name(const char *name)
{
	return name && (!strncmp(name, "unix:", 5) ||
			!strncmp(name, "shm:", 4) || !strncmp(name, "file:", 5));
}

static const char *open_why(const char *name, int error)
{
	if (error == ENOENT && is_host_name(name))
		return "no such socket or memory";
	if (error == EACCES && is_host_name(name))
		return "permission denied";
	return device_why(error);
}

/* Open the device of the command line, or report why not and return NULL. */
struct ivsh_device *open_device(const struct ctl *ctl, bool read_only)
{
	const char *name = ctl->device_name;
	struct ivsh_device *device;

	if (read_only)
		device = ivsh_device_open_read_only(name);
	else
		device = ivsh_device_open(name);
	if (!device)
		fail(name ? name : "device", "%s", open_why(name, errno));
	return device;
}

/* Report what errno says about an open device. */
int device_failed(const struct ivsh_device *device)
{
	return fail(ivsh_device_path(device), "%s", device_why(errno));
}

const char *flavour_name(bool doorbell)
{
	return doorbell ? "doorbell" : "plain";
}

const char *page_attr_name(enum ivsh_page_attr attr)
{
	switch (attr) {
	case IVSH_PAGE_ATTR_WB:
		return "wb";
	case IVSH_PAGE_ATTR_WC:
		return "wc";
	case IVSH_PAGE_ATTR_UC:
		return "uc";
	case IVSH_PAGE_ATTR_UNKNOWN:
		break;
	}
	return "unknown";
}
