# SPDX-License-Identifier: GPL-2.0-or-later
"""Wherever BAR2 lies, a mapping is write-back, filled 2 MiB at a time or more.

Proved by the page table entries, as the module ivshmem_pagewalk shows them. What
was found is kept in mapping.jsonl among the logs, from which
scripts/mapping-table makes the table in docs/mapping.md.
"""
import json
import os

import mtrr
import plugs
import rows
from machine import ROOM, Machine, Plain
from scenario import full, guests, needs
from tree import GIB, MIB

FIRMWARE = {"seabios": (), "ovmf": ("-bios", "/usr/share/ovmf/OVMF.fd")}
SIZES = (4096, 64 * 1024, MIB, 2 * MIB, 64 * MIB, 256 * MIB, 4 * GIB)
HUGE, GIGANTIC = 2 * MIB, GIB
KERNELS = ("", *(row for row in rows.ROWS if row in ("5.10", "6.12", "7.3")))
#: Parameters of the module, and the attribute that they give.
MODES = {"struct_pages=1": "wb", "cache=wc": "wc", "cache=uc": "uc"}
#: Kernels on which entries larger than a page are safe without struct pages.
HUGE_PFNMAP = (6, 12)


def ovmf_missing():
    path = FIRMWARE["ovmf"][1]
    return None if os.access(path, os.R_OK) else f"no {path} (package ovmf)"


def kernel_version(guest):
    """(6, 12) of 6.12.95+deb12-amd64."""
    return tuple(map(int, guest.output("uname -r").split(".")[:2]))


def largest_page(guest, node):
    """The size that the entries may have, from what firmware and kernel are."""
    size = node["shmem_size"]
    if size < HUGE or kernel_version(guest) < HUGE_PFNMAP or \
            mtrr.is_uncachable(guest, node["address"]):
        return 4096
    return GIGANTIC if size >= GIGANTIC else HUGE


def touch(guest, node, stride):
    """Map and touch it: the faults and the entries that this took."""
    size = node["shmem_size"]
    return json.loads(guest.output(f"map_touch {node['path']} {size} {stride}",
                                   60))


def record(guest, node, touched, firmware, plugged, mode):
    start, _ = mtrr.bar2(guest, node["address"])
    row = {"kernel": guest.output("uname -r").strip(), "firmware": firmware,
           "machine": guest.machine.machine, "plugged": plugged,
           "above_4g": start >= 4 * GIB,
           "mtrr": "uc" if mtrr.is_uncachable(guest, node["address"]) else "wb",
           "mode": mode, **touched}
    with open(guest.logs / "mapping.jsonl", "a") as file:
        file.write(json.dumps(row) + "\n")


def check(guest, node, firmware, plugged, mode):
    size = node["shmem_size"]
    stride = 4096 if size <= HUGE or size == 256 * MIB else HUGE
    attribute = MODES.get(mode, "wb")
    largest = 4096 if mode in MODES else largest_page(guest, node)
    touched = touch(guest, node, stride)
    record(guest, node, touched, firmware, plugged, mode)
    assert node["page_attr"] == attribute and node["page_size"] == largest, node
    found = {(entry["attr"], entry["size"]) for entry in touched["entries"]}
    assert found == {(attribute, largest)}, touched
    assert sum(entry["pages"] for entry in touched["entries"]) == \
        touched["pages"], touched
    # One for each block, one for what else the program does.
    assert touched["faults"] <= max(1, size // max(largest, HUGE)) + 2, touched


def check_all(guest, firmware, plugged, sizes, mode="default"):
    guest.output("modprobe ivshmem_pagewalk")
    nodes = guest.nodes()
    assert sorted(node["shmem_size"] for node in nodes) == sorted(sizes), nodes
    for node in nodes:
        check(guest, node, firmware, plugged, mode)


def cold(firmware, machine, kernel):
    # With less memory the kernel switches transparent huge pages off, and then
    # asks the driver for 2 MiB at most.
    where = Machine(*map(Plain, SIZES), machine=machine, kernel=kernel,
                    memory=640, options=FIRMWARE[firmware])

    @guests(guest=where, fresh=True)
    def run(guest):
        check_all(guest, firmware, "cold", SIZES)
    return run


def hot(firmware, machine, kernel):
    bus = "port0" if machine == "q35" else "pci.0"
    sizes = (4096, MIB, 64 * MIB)
    ports = () if machine == "pc" else (
        "-device", "pcie-root-port,id=port0,chassis=1,slot=1,"
                   "pref64-reserve=128M")
    where = Machine(machine=machine, kernel=kernel,
                    options=(*FIRMWARE[firmware], *ports))

    @guests(guest=where, fresh=True)
    def run(guest):
        for number, size in enumerate(sizes):
            plugs.plug_plain(guest, f"hot{number}", bus, size)
            plugs.wait_for_nodes(guest, 1)
            check_all(guest, firmware, "hot", (size,))
            plugs.unplug(guest, f"hot{number}")
            plugs.wait_for_nodes(guest, 0)
    return run


def low(firmware, kernel):
    """Without a large device SeaBIOS puts all below 4 GiB, also behind ports."""
    sizes = (4096, 2 * MIB, 256 * MIB)
    where = Machine(*map(Plain, sizes), Plain(64 * MIB, port="port0"),
                    root_ports=1, kernel=kernel, options=FIRMWARE[firmware])

    @guests(guest=where, fresh=True)
    def run(guest):
        check_all(guest, firmware, "cold", (*sizes, 64 * MIB))
    return run


def modes(kernel):
    """What the administrator may ask for, where large entries would be possible."""
    sizes = (2 * MIB, 64 * MIB)
    where = Machine(*map(Plain, sizes), kernel=kernel, options=ROOM, memory=640)

    @guests(guest=where, fresh=True)
    def run(guest):
        for mode in MODES:
            if mode == "struct_pages=1" and kernel == "5.10":
                continue    # refused: see modes.py
            guest.output(f"rmmod ivshmem_guest; modprobe ivshmem_guest {mode}")
            check_all(guest, "seabios", "cold", sizes, mode)
    return run


def generate():
    for kernel in KERNELS:
        on = f"_on_{kernel}" if kernel else ""
        for firmware in FIRMWARE:
            tests = {f"cold_q35_{firmware}": cold(firmware, "q35", kernel),
                     f"low_q35_{firmware}": low(firmware, kernel),
                     f"cold_pc_{firmware}": cold(firmware, "pc", kernel),
                     f"hot_q35_{firmware}": hot(firmware, "q35", kernel),
                     f"hot_pc_{firmware}": hot(firmware, "pc", kernel)}
            if firmware == "seabios":
                tests["modes"] = modes(kernel)
            for name, test in tests.items():
                if firmware == "ovmf":
                    test = needs(ovmf_missing)(test)
                # Where a device is plugged, and when, is the firmware's
                # business: on one kernel in each run, on all in the long one.
                if kernel and not name.startswith(("cold_q35", "low_q35")):
                    test = full(test)
                yield f"test_{name}{on}", test
