# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs of selftests/guest as 32-bit processes of a 64-bit kernel: their
sizes, pointers and calls are those of i386. host/lib_i386.py is the same for what
needs no device."""
import kselftest
import process32
from arch import I386
from machine import STANDARD, Machine
from scenario import full, guests, needs

GUEST = Machine(*STANDARD.devices, smp=2, system="i386")
MAPPED = Machine(*STANDARD.devices, smp=2, system="i386",
                 append="ivshmem_guest.map_registers=1")

#: In make check, and beside them in make check-full. Not those that load the guest
#: or need another kernel.
SHARE = ("event", "guard", "library", "libvector", "mask", "mmap", "uapi", "values",
         "vector", "wait")
REST = ("access", "libchannel", "libdmabuf", "monitor", "remap", "remove", "sharing",
        "waiters", "walk")


def generate():
    for name in SHARE:
        yield f"test_{name}", _test(name, GUEST)
    for name in REST:
        yield f"test_{name}", full(_test(name, GUEST))
    yield "test_results_are_those_of_64_bit_processes", same_results
    yield "test_registers_with_mapped_registers", _test("registers", MAPPED)


def _test(name, machine):
    @needs(I386.problem)
    @guests(guest=machine)
    def run(guest, lab, report):
        return kselftest.run(name, guest, lab, report, "i386", place=process32.PLACE)
    return run


@needs(I386.problem)
@guests(guest=GUEST)
def same_results(guest, lab):
    for name in ("uapi", "values"):
        narrow, wide = [], []
        kselftest.run(name, guest, lab, lambda *result: narrow.append(result), "",
                      place=process32.PLACE)
        kselftest.run(name, guest, lab, lambda *result: wide.append(result), "")
        assert narrow == wide, (narrow, wide)
        print(f"# {name}: {len(wide)} results")
