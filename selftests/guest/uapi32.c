// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * uapi.c once more, called as by a 32-bit program.
 */
#define COMPAT_CALLER
#include "uapi.c"
