# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver on arm64, cross-built: programs of the uAPI, mappings, page tables
and vectors, in a guest whose interrupts come as messages through the GIC's ITS."""
import json

import kselftest
from machine import STANDARD, Machine, Plain
from scenario import guests
from tree import MIB

LARGE = 256 * MIB
#: Without firmware the kernel places small BARs side by side, unless it is told
#: that each needs a page of its own; without one registers cannot be mapped.
ARM64 = Machine(*STANDARD.devices, Plain(size=LARGE), smp=2, kernel="6.1-arm64",
                append="pci=resource_alignment=12@pci:1af4:1110")
PROGRAMS = ("access", "event", "mmap", "pages", "remap", "uapi", "vector")


def load(guest, parameters=""):
    guest.output(f"rmmod ivshmem_guest; modprobe ivshmem_guest {parameters}")


def touched(guest):
    """What map_touch says of the large memory, and the driver of its node."""
    guest.output("modprobe ivshmem_pagewalk")
    node, = [node for node in guest.nodes() if node["shmem_size"] == LARGE]
    return json.loads(guest.output(f"map_touch {node['path']} {LARGE}", 60)), node


@guests(guest=ARM64)
def test_vectors_are_messages_to_the_its(guest):
    assert guest.output("uname -m").strip() == "aarch64"
    kinds = {word for line in guest.output("cat /proc/interrupts").splitlines()
             if "ivshmem" in line for word in line.split() if "-MSI" in word}
    assert kinds == {"ITS-MSI"}, guest.output("cat /proc/interrupts")


@guests(guest=ARM64)
def test_memory_is_normal_and_cacheable_with_a_fault_for_each_2_mib(guest):
    found, node = touched(guest)
    assert node["page_attr"] == "wb", node
    assert [(entry["attr"], entry["size"]) for entry in found["entries"]] == \
        [("wb", 4096)], found
    assert found["faults"] <= 130, found


@guests(guest=ARM64)
def test_the_registers_can_be_mapped(guest, lab, report):
    load(guest, "map_registers=1")
    try:
        return kselftest.run("registers", guest, lab, report, "arm64")
    finally:
        load(guest)


def generate():
    for name in PROGRAMS:
        yield f"test_{name}", _program(name)
    for cache in ("wc", "uc"):
        yield f"test_cache_{cache}_is_in_the_page_table", _cache(cache)


def _program(name):
    @guests(guest=ARM64)
    def run(guest, lab, report):
        return kselftest.run(name, guest, lab, report, "arm64")
    return run


def _cache(cache):
    @guests(guest=ARM64)
    def run(guest):
        load(guest, f"cache={cache}")
        found, node = touched(guest)
        load(guest)
        assert node["page_attr"] == cache, node
        assert [entry["attr"] for entry in found["entries"]] == [cache], found
    return run
