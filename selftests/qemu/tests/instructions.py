# SPDX-License-Identifier: GPL-2.0-or-later
"""What a mapping costs, in instructions: the guest's clock counts them.

map_touch maps the memory and touches it, through the node and, in the same
guest, through sysfs' resource2 and a UIO driver. All lines are kept in
bench.jsonl among the logs. Counts are exact and do not depend on the load of the
host.
"""
import json

from machine import ROOM, Machine, Plain
from scenario import guests
from tree import GIB, MIB

PAGE, HUGE = 4096, 2 * MIB


class Bench:
    """Maps the only memory of a guest, in one way after the other."""

    def __init__(self, guest, mode):
        self.guest = guest
        self.mode = mode
        self.node = guest.node()

    def touch(self, file, stride):
        """A line of map_touch; instructions to have it mapped and touched."""
        size = self.node["shmem_size"]
        line = json.loads(self.guest.output(f"map_touch {file} {size} {stride}",
                                            60))
        cost = line["mmap_ns"] + line["touch_ns"]
        with open(self.guest.logs / "bench.jsonl", "a") as lines:
            lines.write(json.dumps({
                "kernel": self.guest.output("uname -r").strip(),
                "mode": self.mode, "stride": stride,
                "insns_per_page": round(cost * PAGE / size, 1), **line}) + "\n")
        return line, cost

    def ours(self, stride):
        return self.touch(self.node["path"], stride)

    def others(self, stride):
        """{name: instructions} of the mappings that other drivers give."""
        self.guest.output("rmmod ivshmem_guest")
        resource = f"/sys/bus/pci/devices/{self.node['address']}/resource2"
        cost = {"sysfs": self.touch(resource, stride)[1]}
        if not self.guest.run("modprobe uio && modprobe ivshmem_uio")[0]:
            cost["uio"] = self.touch("/dev/uio0", stride)[1]
            self.guest.output("rmmod ivshmem_uio uio")
        self.guest.output("modprobe ivshmem_guest")
        return cost


def compare(guest, mode, page_size, most):
    """Touching each page of 64 MiB costs at most that, and is write-back."""
    guest.output("modprobe ivshmem_pagewalk")
    bench = Bench(guest, mode)
    assert bench.node["page_size"] == page_size, bench.node
    size = bench.node["shmem_size"]
    line, cost = bench.ours(PAGE)
    assert [(entry["attr"], entry["size"]) for entry in line["entries"]] == \
        [("wb", page_size)], line
    assert line["faults"] <= size // HUGE + 1, line
    others = {name: other * PAGE / size
              for name, other in bench.others(PAGE).items()}
    cost = cost * PAGE / size
    print(f"# {mode}: {cost:.1f} instructions a page; " + ", ".join(
        f"{name} {other:.1f}" for name, other in others.items()))
    assert cost <= most, cost


@guests(guest=Machine(Plain(64 * MIB), icount=True), fresh=True)
def test_touching_a_page_takes_at_most_80_instructions(guest):
    compare(guest, "4 KiB", PAGE, 80)


@guests(guest=Machine(Plain(64 * MIB), icount=True, options=ROOM, kernel="6.12"),
        fresh=True)
def test_touching_a_page_of_2_mib_takes_at_most_40_instructions(guest):
    compare(guest, "2 MiB", HUGE, 40)


@guests(guest=Machine(Plain(64 * MIB), icount=True,
                      append="ivshmem_guest.struct_pages=1"), fresh=True)
def test_touching_a_page_with_a_struct_page_takes_at_most_350_instructions(guest):
    compare(guest, "struct pages", PAGE, 350)


def compare_4g(guest, mode):
    """(instructions for the first word, for all of it, the cheapest other).

    A word of each 2 MiB is touched, which fills the entries of all pages and
    yet takes little memory of the host."""
    bench = Bench(guest, mode)
    size = bench.node["shmem_size"]
    _, first = bench.ours(size)
    _, whole = bench.ours(HUGE)
    others = bench.others(HUGE)
    print(f"# {mode}, 4 GiB: {first} instructions to the first word,"
          f" {whole} to the last; " + ", ".join(
              f"{name} {other}" for name, other in others.items()))
    return first, whole, min(others.values())


@guests(guest=Machine(Plain(4 * GIB), icount=True), fresh=True)
def test_the_first_word_of_4_gib_takes_a_quarter_of_what_others_need(guest):
    first, whole, other = compare_4g(guest, "4 KiB")
    assert first <= other / 4, (first, other)
    # The kernel's remap_pfn_range() writes as many entries; so do we.
    assert whole <= other * 5 / 4, (whole, other)


@guests(guest=Machine(Plain(4 * GIB), icount=True, kernel="6.12", memory=640),
        fresh=True)
def test_all_of_4_gib_in_large_pages_takes_a_quarter_of_what_others_need(guest):
    first, whole, other = compare_4g(guest, "1 GiB")
    assert whole <= other / 4, (whole, other)
