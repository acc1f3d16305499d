/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory on the host, behind a file descriptor. Not installed. */
#ifndef IVSH_MEMORY_H
#define IVSH_MEMORY_H

#include "device.h"

/* Take a file as the device's memory, if it can be: ENOTTY else. */
int ivsh_memory_take(struct ivsh_device *device, int fd);

/* What is known of the device's memory now; all else in info becomes 0. */
int ivsh_memory_query(const struct ivsh_device *device, struct ivsh_info *info);

#endif /* IVSH_MEMORY_H */
