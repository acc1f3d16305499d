# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs of selftests/guest as 32-bit processes of a 64-bit kernel: their
sizes, pointers and calls are those of i386. host/lib_i386.py is the same for what
needs no device."""
import kselftest
import process32
from arch import I386
from machine import STANDARD, Machine
from scenario import COUNTED, full, guests, needs

GUEST = Machine(*STANDARD.devices, smp=2, system="i386")
MAPPED = Machine(*STANDARD.devices, smp=2, system="i386",
                 append="ivshmem_guest.map_registers=1")

#: In make check, and beside them in make check-full. Not those that load the guest
#: or need another kernel.
SHARE = ("event", "guard", "library", "libvector", "mask", "mmap", "uapi", "values",
         "vector", "wait")
REST = ("access", "libchannel", "libdmabuf", "monitor", "remap", "remove", "sharing",
        "waiters", "walk")


#: Whose results are compared with those of a 64-bit process.
SAME = ("event", "mask", "mmap", "uapi", "values", "vector", "wait")


def generate():
    for name in SHARE:
        yield f"test_{name}", _test(name, GUEST)
    for name in REST:
        yield f"test_{name}", full(_test(name, GUEST))
    yield "test_registers_with_mapped_registers", _test("registers", MAPPED)


def _test(name, machine):
    @needs(I386.problem)
    @guests(guest=machine)
    def run(guest, lab, report):
        narrow = results(name, guest, lab, process32.PLACE)
        for result in narrow:
            report(*result)
        if name in SAME:
            compare(name, narrow, results(name, guest, lab, "/tests"), report)
        return COUNTED
    return run


def results(name, guest, lab, place):
    """[(verdict, name, reason)] of a program."""
    found = []
    kselftest.run(name, guest, lab, lambda *result: found.append(result), "i386",
                  place=place)
    return found


def compare(name, narrow, wide, report):
    """Report whether they are alike, but for the figures of those that passed."""
    one, other = ([result[:2] if result[0] == "passed" else result for result in found]
                  for found in (narrow, wide))
    report("passed" if one == other else "failed",
           f"i386/{name}: {len(wide)} results are those of a 64-bit process",
           "" if one == other else f"{one}\nand not {other}")
