// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The uAPI structs and numbers never change: neither on this machine, nor as a
 * 32-bit compiler or C++ sees them; and they agree with the library's header.
 */
#include <stddef.h>
#include <ivshmem.h>

#include "layout.h"
#include "kselftest_harness.h"

#define CHECK_MEMBER(type, member, at, bytes) \
	EXPECT_EQ(at, offsetof(struct type, member)); \
	EXPECT_EQ(bytes, sizeof(((struct type *)0)->member));
#define CHECK_NUMBER(name, value) EXPECT_EQ(value, name);

TEST(members_are_where_they_have_always_been)
{
	FOR_EACH_MEMBER(CHECK_MEMBER)
}

TEST(numbers_are_what_they_have_always_been)
{
	FOR_EACH_NUMBER(CHECK_NUMBER)
}

#define ADD_SIZE(type, member, at, bytes) \
	sum += !strcmp(#type, name) ? (bytes) : 0;

static size_t sum_of_members(const char *name)
{
	size_t sum = 0;

	FOR_EACH_MEMBER(ADD_SIZE)
	return sum;
}

#define CHECK_PADDING(type) \
	EXPECT_EQ(sizeof(struct type), sum_of_members(#type))

TEST(structs_have_no_padding)
{
	CHECK_PADDING(ivshmem_info);
	CHECK_PADDING(ivshmem_ring);
	CHECK_PADDING(ivshmem_vector_eventfd);
	CHECK_PADDING(ivshmem_vector_mask);
	CHECK_PADDING(ivshmem_vector_stats);
	CHECK_PADDING(ivshmem_dmabuf);
	CHECK_PADDING(ivshmem_wait);
	CHECK_PADDING(ivshmem_event);
}

TEST(library_and_driver_have_the_same_numbers)
{
	EXPECT_EQ(IVSHMEM_PEER_MAX, IVSH_PEER_MAX);
	EXPECT_EQ(IVSHMEM_VECTOR_MAX, IVSH_VECTOR_MAX);
	EXPECT_EQ(IVSHMEM_PAGE_ATTR_UNKNOWN, (int)IVSH_PAGE_ATTR_UNKNOWN);
	EXPECT_EQ(IVSHMEM_PAGE_ATTR_WB, (int)IVSH_PAGE_ATTR_WB);
	EXPECT_EQ(IVSHMEM_PAGE_ATTR_WC, (int)IVSH_PAGE_ATTR_WC);
	EXPECT_EQ(IVSHMEM_PAGE_ATTR_UC, (int)IVSH_PAGE_ATTR_UC);
}

/* --- other compilers, other headers first --------------------------------------- */

/* The exit status of a shell command that may use $TOP and $CC. */
static int shell(const char *command)
{
	const char *top = getenv("IVSHMEM_TOP");

	setenv("TOP", top ? top : ".", 1);
	setenv("CC", "cc", 0);
	return system(command);
}

#define COMPILE "-fsyntax-only -Wall -Wextra -Werror -I$TOP/include/uapi "

TEST(layout_is_the_same_with_32_bits)
{
	/* asm/types.h is where only the 64-bit compiler looks. */
	const char *m32 = "-m32 -ffreestanding"
			  " -idirafter /usr/include/$($CC -print-multiarch) ";
	char command[512];

	if (shell("echo | $CC -m32 -x c -fsyntax-only - 2>/dev/null"))
		SKIP(return, "the compiler knows no -m32");
	snprintf(command, sizeof(command), "$CC %s" COMPILE
		 "-DLAYOUT_STATIC -include $TOP/selftests/host/layout.h"
		 " -x c /dev/null", m32);
	EXPECT_EQ(0, shell(command));
}

TEST(static_asserts_hold_here_too)
{
	EXPECT_EQ(0, shell("$CC " COMPILE "-DLAYOUT_STATIC"
			   " -include $TOP/selftests/host/layout.h"
			   " -x c /dev/null"));
	/* And would be seen if they did not. */
	EXPECT_NE(0, shell("$CC " COMPILE "-DLAYOUT_STATIC"
			   " -include $TOP/selftests/host/layout.h"
			   " -DIVSHMEM_PEER_MAX=1 -x c /dev/null 2>/dev/null"));
}

TEST(uapi_header_compiles_by_itself)
{
	EXPECT_EQ(0, shell("$CC -std=c11 -pedantic " COMPILE
			   "-include linux/ivshmem_guest.h -x c /dev/null"));
}

TEST(uapi_header_compiles_as_cxx)
{
	if (shell("command -v c++ >/dev/null"))
		SKIP(return, "no C++ compiler");
	EXPECT_EQ(0, shell("c++ -std=c++17 " COMPILE
			   "-include linux/ivshmem_guest.h -x c++ /dev/null"));
}

TEST_HARNESS_MAIN
