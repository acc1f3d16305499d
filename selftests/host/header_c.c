// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmem_channel.h, and ivshmem.h in it, compile by themselves as strict C11, and every function in it links.
 * header_cxx.cpp is the same for C++17. Built with -pedantic -Werror.
 */
#include <ivshmem_channel.h>

#include <stdio.h>

#include "header_functions.h"

/* A function is there when its address is one. */
#define CHECK(function) do { \
	missing += (function) == 0; \
	count++; \
} while (0);

int main(void)
{
	int missing = 0, count = 0;

	FOR_EACH_FUNCTION(CHECK)
	printf("TAP version 13\n1..1\n");
	printf("%sok 1 header.%d_functions_link_in_c\n", missing ? "not " : "",
	       count);
	return missing != 0;
}
