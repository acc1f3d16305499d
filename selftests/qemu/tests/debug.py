# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel that finds bugs: KASAN, lockdep, kmemleak, UBSAN, debug objects.

Programs of selftests/guest run on it, and at the end nothing has leaked. What the
kernel finds is in its log, which is searched after each test as always. Skipped
where scripts/debug-kernel cannot get its sources.
"""
import kmemleak
import kselftest
from machine import DEBUG
from scenario import full, guests

#: Programs that run on it in make check, and beside them in make check-full.
SHARE = ("uapi", "mmap", "vector")
REST = ("values", "remap", "access")


def generate():
    for name in SHARE:
        yield f"test_{name}", _test(name)
    for name in REST:
        yield f"test_{name}", full(_test(name))
    yield "test_nothing_has_leaked", full(nothing_has_leaked)


def _test(name):
    @guests(guest=DEBUG)
    def run(guest, lab, report):
        return kselftest.run(name, guest, lab, report, "debug", 90)
    return run


@guests(guest=DEBUG)
def nothing_has_leaked(guest):
    """Last."""
    guest.output("rmmod ivshmem_guest")
    leaks = kmemleak.lost(guest)
    assert not leaks, leaks[:3000]
    guest.output("modprobe ivshmem_guest")
