# SPDX-License-Identifier: GPL-2.0-or-later
"""mtrr: what a guest's firmware says of the addresses where a BAR lies."""
import re

LINE = re.compile(r"base=(0x[0-9a-f]+).*?size= *(\d+)([KM])B.*: *(\S+)")
UNITS = {"K": 1 << 10, "M": 1 << 20}


def is_uncachable(guest, address):
    """Whether /proc/mtrr marks a PCI device's BAR2."""
    start, end = bar2(guest, address)
    text = guest.output("cat /proc/mtrr")
    ranges = [(int(base, 16), int(size) * UNITS[unit])
              for base, size, unit, kind in LINE.findall(text)
              if kind.startswith("uncach")]
    return any(base <= end and start < base + size for base, size in ranges)


def bar2(guest, address):
    """Its first and last address."""
    table = guest.output(f"cat /sys/bus/pci/devices/{address}/resource")
    start, end, _ = table.splitlines()[2].split()
    return int(start, 16), int(end, 16)
