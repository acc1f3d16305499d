# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that map, in every other mode that mappings can have.

programs.py runs them all with 1 MiB of memory, mapped page by page. Here the
memory is larger, and has struct pages or large page table entries.
"""
import kselftest
from machine import Doorbell, Machine, Plain
from scenario import guests
from tree import MIB

DEVICES = (Doorbell(4 * MIB, vectors=4), Plain(4 * MIB))
PAGES = "ivshmem_guest.struct_pages=1"
#: A port that asks for so much room that the firmware puts all memory above
#: 4 GiB, where it leaves it cacheable.
ROOM = ("-device", "pcie-root-port,id=room,chassis=9,slot=9,pref64-reserve=8G")


def struct_pages(kernel=""):
    return Machine(*DEVICES, smp=2, memory=512, append=PAGES, kernel=kernel)


def huge(kernel):
    return Machine(*DEVICES, smp=2, memory=640, options=ROOM, kernel=kernel)


MAPPED = ("pages", "remap", "walk", "access", "pins", "dmabuf", "remove")
MODES = {
    "struct_pages": (struct_pages(), MAPPED),
    "struct_pages_on_6.12": (struct_pages("6.12"), ("pages", "pins", "dmabuf")),
    "struct_pages_on_7.3": (struct_pages("7.3"), ("pages", "pins", "dmabuf")),
    "huge_on_6.12": (huge("6.12"), ("pages", "remap", "walk", "remove")),
    "huge_on_7.3": (huge("7.3"), ("pages", "remap", "access", "pins")),
}


def generate():
    for mode, (machine, programs) in MODES.items():
        for name in programs:
            yield f"test_{name}_with_{mode}", _test(name, machine, mode)


def _test(name, machine, mode):
    @guests(guest=machine)
    def run(guest, lab, report):
        for node in guest.nodes():
            expect(guest, node, mode)
        return kselftest.run(name, guest, lab, report, mode, seconds=60)
    return run


def expect(guest, node, mode):
    """The mode is in effect: else the programs would prove nothing."""
    large = node["page_size"] > 4096
    assert large == mode.startswith("huge"), node
    assert (node["struct_pages"] == 1) == mode.startswith("struct"), node
