// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Linked into a program with -Wl,--wrap=_exit: what ends by _exit(), as children
 * do, and each test of a kselftest program, keeps the lines that it has counted.
 */
void __gcov_dump(void);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

_Noreturn void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}
