// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmem_channel.h, and ivshmem.h in it, compile by themselves as strict C++17, and every function in it links,
 * with C names. header_c.c is the same for C. Built with -pedantic -Werror.
 */
#include <ivshmem_channel.h>

#include <cstdio>

#include "header_functions.h"

/* A function is there when its address is one. */
#define CHECK(function) do { \
	missing += (function) == nullptr; \
	count++; \
} while (0);

int main()
{
	int missing = 0, count = 0;

	FOR_EACH_FUNCTION(CHECK)
	std::printf("TAP version 13\n1..1\n");
	std::printf("%sok 1 header.%d_functions_link_in_cxx\n", missing ? "not " : "",
	       count);
	return missing != 0;
}
