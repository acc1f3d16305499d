# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel that finds bugs: KASAN, lockdep, kmemleak, UBSAN, debug objects.

Programs of selftests/guest run on it, and at the end nothing has leaked. What the
kernel finds is in its log, which is searched after each test as always. Skipped
where scripts/debug-kernel cannot get its sources. Not userfault.c, which needs 6.7.
"""
import kmemleak
import kselftest
from machine import DEBUG, Doorbell, Plain, debug
from scenario import full, guests
from tree import MIB

#: dma-debug wants no page mapped twice, but dma-bufs are for many devices.
PAGES = debug(Doorbell(4 * MIB, vectors=4), Plain(4 * MIB),
              append="ivshmem_guest.struct_pages=1 dma_debug=off")
MAPPED = debug(append="ivshmem_guest.map_registers=1")
#: More of their environment: a removal takes seconds there.
WORDS = {"remove": "IVSHMEM_CYCLES=3"}
#: Programs that run on it in make check.
SHARE = ("uapi", "mmap", "vector")
#: And beside them in make check-full, {more of their names: (the guest, programs)}.
REST = {
    "": (DEBUG, ("event", "wait", "mask", "values", "remap", "access", "remove",
                 "waiters", "walk", "guard", "library", "libvector", "libchannel",
                 "monitor", "sharing")),
    "_with_struct_pages": (PAGES, ("pages", "pins", "dmabuf", "libdmabuf", "remap",
                                   "remove")),
    "_with_mapped_registers": (MAPPED, ("registers", "library", "libvector")),
}


def generate():
    for name in SHARE:
        yield f"test_{name}", _test(name, DEBUG)
    for mode, (machine, programs) in REST.items():
        for name in programs:
            yield f"test_{name}{mode}", full(_test(name, machine))
        yield f"test_nothing_has_leaked{mode}", full(_nothing_has_leaked(machine))


def _test(name, machine):
    @guests(guest=machine)
    def run(guest, lab, report):
        for node in guest.nodes():
            # Else the programs would prove nothing.
            assert node["struct_pages"] == (machine is PAGES), node
        return kselftest.run(name, guest, lab, report, "debug", 90,
                             WORDS.get(name, ""))
    return run


def _nothing_has_leaked(machine):
    """Last on its guest."""
    @guests(guest=machine)
    def nothing_has_leaked(guest):
        guest.output("rmmod ivshmem_guest")
        leaks = kmemleak.lost(guest)
        assert not leaks, leaks[:3000]
        guest.output("modprobe ivshmem_guest")
    return nothing_has_leaked
