# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that map, in every other mode that mappings can have.

programs.py runs them all with 1 MiB of memory, write-back, mapped page by page.
Here it is larger, and has struct pages, large page table entries or another
attribute.
"""
import kselftest
from machine import ROOM, Doorbell, Machine, Plain
from scenario import COUNTED, full, guests
from tree import MIB

DEVICES = (Doorbell(4 * MIB, vectors=4), Plain(4 * MIB))
PAGES = "ivshmem_guest.struct_pages=1"


def struct_pages(kernel=""):
    return Machine(*DEVICES, smp=2, memory=512, append=PAGES, kernel=kernel)


def huge(kernel, append=""):
    return Machine(*DEVICES, smp=2, memory=640, options=ROOM, kernel=kernel,
                   append=append)


def small(kernel="", append=""):
    return Machine(*DEVICES, smp=2, kernel=kernel, append=append)


MAPPED = ("pages", "remap", "walk", "access", "pins", "dmabuf", "libdmabuf",
          "remove")
LARGE = {"page_size": 2 * MIB, "page_attr": "wb"}
STRUCT = {"struct_pages": 1, "page_size": 4096, "page_attr": "wb"}
#: What is in effect, the guest, and the programs.
MODES = {
    "struct_pages": (STRUCT, struct_pages(), MAPPED),
    "struct_pages_on_6.12": (STRUCT, struct_pages("6.12"),
                             ("pages", "pins", "dmabuf", "userfault", "remove")),
    "struct_pages_on_7.3": (STRUCT, struct_pages("7.3"),
                            ("pages", "pins", "dmabuf", "remove")),
    "huge_on_6.12": (LARGE, huge("6.12"),
                     ("pages", "remap", "walk", "pins", "userfault", "remove")),
    "huge_on_7.3": (LARGE, huge("7.3"),
                    ("pages", "remap", "access", "pins", "remove")),
    # 2 MiB then come from the handler for one page.
    "huge_on_6.12_without_thp": (
        LARGE, huge("6.12", "transparent_hugepage=never"),
        ("pages", "remap", "walk", "remove")),
    "wc": ({"page_attr": "wc"}, small(append="ivshmem_guest.cache=wc"),
           ("remap", "walk", "remove")),
    "uc": ({"page_attr": "uc"}, small(append="ivshmem_guest.cache=uc"),
           ("remap", "walk", "remove")),
    "small_entries_on_6.12": (
        {"page_size": 4096, "page_attr": "wb"},
        small("6.12", append="ivshmem_guest.map_registers=1"), ("userfault",)),
}
#: The same in other words; hardly worth the time of each run.
RARE = ("remove_with_struct_pages_on_6.12", "remove_with_struct_pages_on_7.3",
        "remap_with_uc", "walk_with_uc", "walk_with_wc", "remap_with_huge_on_6.12_without_thp",
        "walk_with_huge_on_6.12_without_thp")


def generate():
    for mode, (wanted, machine, programs) in MODES.items():
        for program in programs:
            name = f"{program}_with_{mode}"
            test = _test(program, machine, wanted, mode)
            yield f"test_{name}", full(test) if name in RARE else test


def _test(program, machine, wanted, mode):
    @guests(guest=machine)
    def run(guest, lab, report):
        for node in guest.nodes():
            # Else the programs would prove nothing.
            assert {key: node[key] for key in wanted} == wanted, node
        return kselftest.run(program, guest, lab, report, mode, seconds=60)
    return run


# --- struct pages that cannot be had ---------------------------------------------------

def refused(guest, why):
    """The kernel's log says why, once for each device; all else works."""
    log = guest.output("dmesg")
    said = [line for line in log.splitlines() if "no struct pages" in line]
    assert len(said) == len(guest.nodes()), log
    assert all(why in line for line in said), said
    for node in guest.nodes():
        assert node["struct_pages"] == 0 and node["page_attr"] == "wb", node


OLD = Machine(*DEVICES, smp=2, append=PAGES, kernel="5.10")


@guests(guest=OLD)
def test_struct_pages_are_refused_on_5_10_and_pins_fail(guest, lab, report):
    refused(guest, "this kernel is too old for them")
    for program in ("pins", "dmabuf"):
        kselftest.run(program, guest, lab, report, "refused on 5.10", seconds=60)
    return COUNTED


@guests(guest=Machine(Plain(MIB), append=PAGES))
def test_struct_pages_of_1_mib_are_refused(guest):
    refused(guest, "its address and size are not multiples of 2 MiB")


@guests(guest=Machine(Plain(4 * MIB), append=f"{PAGES} ivshmem_guest.cache=wc"))
def test_struct_pages_that_are_not_write_back_are_refused(guest):
    log = guest.output("dmesg")
    assert "no struct pages for the shared memory: cache= asks" in log, log
    assert guest.node()["struct_pages"] == 0, guest.node()
