/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of ivshmemctl channel share: what the command line said, and
 * what is open; run_channel() closes all of it.
 */
#ifndef IVSHMEMCTL_CHANNEL_H
#define IVSHMEMCTL_CHANNEL_H

#include <ivshmem_channel.h>

#include "ctl.h"

/* A peer is called send.NAME or recv.NAME. */
#define CHANNEL_NAME_MAX (IVSH_NAME_MAX - 5)
#define CHANNEL_MEMORY_MIN 32768

struct channel_args {
	struct ctl *ctl;
	const char *name;
	size_t capacity;
	uint32_t vector_number;
	bool json;
	bool take_over;
	struct ivsh_device *device;
	struct ivsh_region *region;
	struct ivsh_vector *vector;
	struct ivsh_directory *directory;
	struct ivsh_channel *channel;
};

/* channel.c: both report what is wrong. peer is NULL to look on. */
int channel_map(struct channel_args *args, bool read_only);
int channel_join(struct channel_args *args, const char *peer);
const char *channel_why(int error);
int channel_format(struct channel_args *args);

/* channel_list.c */
int channel_list(struct channel_args *args);
int channel_dump(struct channel_args *args);

/* channel_copy.c */
int channel_send(struct channel_args *args);
int channel_receive(struct channel_args *args);
int channel_cat(struct channel_args *args);

#endif /* IVSHMEMCTL_CHANNEL_H */
