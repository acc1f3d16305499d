# SPDX-License-Identifier: GPL-2.0-or-later
"""What a mapping costs, in instructions: the guest's clock counts them.

map_touch maps 64 MiB and touches each page, through the node and, in the same
guest, through sysfs' resource2. Both lines are kept in bench.jsonl among the
logs. Counts are exact and do not depend on the load of the host.
"""
import json

from machine import Machine, Plain
from scenario import guests
from tree import MIB

SIZE = 64 * MIB
PAGES = SIZE // 4096
#: Puts all memory above 4 GiB, where SeaBIOS leaves it cacheable.
ROOM = ("-device", "pcie-root-port,id=room,chassis=9,slot=9,pref64-reserve=8G")


def measure(guest, file, mode):
    """A line of map_touch, and instructions for each page, mmap() included."""
    touched = json.loads(guest.output(f"map_touch {file} {SIZE}", 60))
    cost = (touched["mmap_ns"] + touched["touch_ns"]) / PAGES
    with open(guest.logs / "bench.jsonl", "a") as lines:
        lines.write(json.dumps({"kernel": guest.output("uname -r").strip(),
                                "mode": mode, "insns_per_page": round(cost, 1),
                                **touched}) + "\n")
    return touched, cost


def compare(guest, mode, page_size, most):
    """The node's cost is at most that, and what resource2's is."""
    guest.output("modprobe ivshmem_pagewalk")
    node = guest.node()
    assert node["page_size"] == page_size, node
    ours, cost = measure(guest, node["path"], mode)
    assert [(entry["attr"], entry["size"]) for entry in ours["entries"]] == \
        [("wb", page_size)], ours
    assert ours["faults"] <= SIZE // (2 * MIB) + 1, ours
    guest.output("rmmod ivshmem_guest")
    resource = f"/sys/bus/pci/devices/{node['address']}/resource2"
    _, other = measure(guest, resource, "resource2")
    assert cost <= most, f"{cost:.1f} instructions a page, sysfs {other:.1f}"


@guests(guest=Machine(Plain(SIZE), icount=True), fresh=True)
def test_touching_a_page_takes_at_most_80_instructions(guest):
    compare(guest, "4 KiB", 4096, 80)


@guests(guest=Machine(Plain(SIZE), icount=True, options=ROOM, kernel="6.12"),
        fresh=True)
def test_touching_a_page_of_2_mib_takes_at_most_40_instructions(guest):
    compare(guest, "2 MiB", 2 * MIB, 40)
