/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How users name a device, and the node that is meant. Not installed. */
#ifndef IVSH_NAME_H
#define IVSH_NAME_H

/*
 * The node of the device called name (see ivsh_device_open()), owned by the
 * caller, released with free(); or NULL with errno EINVAL, ENOENT, ENOTUNIQ.
 */
char *ivsh_name_to_path(const char *name);

#endif /* IVSH_NAME_H */
