/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this kernel keeps a user from, and why: for doctor.c. */
#ifndef IVSHMEMCTL_KERNEL_H
#define IVSHMEMCTL_KERNEL_H

#include <stdbool.h>

/* By Secure Boot or lockdown=, as far as securityfs is mounted. */
bool kernel_is_locked_down(void);
/* Modules without a signature are refused. */
bool kernel_wants_signatures(void);
/* Our module is not installed for this kernel. */
bool kernel_lacks_module(void);
/* The cause and the remedy, or NULL when resource2 can be mapped. */
const char *kernel_refuses_resource2(const char *address);

#endif /* IVSHMEMCTL_KERNEL_H */
