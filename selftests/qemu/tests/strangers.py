# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices that the driver must leave alone, played by others.

No QEMU has an ivshmem device that is broken, or Intel Celadon's virtio under
the same ids. But new_id lets the driver probe any device, and some look alike:
a disk of any class, which has no BAR2; and a display, whose BAR0 is memory that
we can fill and whose BAR2 is a page.
"""
from machine import Machine
from scenario import guests

DRIVER = "/sys/bus/pci/drivers/ivshmem_guest"
DISK = "1af4 1001"
DISPLAY = "1234 1111"
TESTDEV = "1b36 0005"


def disk(disk_class):
    return Machine(options=(
        "-blockdev", "null-co,node-name=disk,size=1048576",
        "-device", f"virtio-blk-pci,drive=disk,class={disk_class}"))


def probe(guest, ids):
    """Let the driver probe the device of these ids: (status, what it logged)."""
    guest.output("dmesg -c > /dev/null")
    vendor, device = ids.split()
    guest.output(f"echo {ids} > {DRIVER}/new_id")
    address = guest.output(
        f"cd /sys/bus/pci/devices; grep -l 0x{device} */device").split("/")[0]
    status, _ = guest.run(f"echo {address} > {DRIVER}/bind")
    log = guest.output("dmesg")
    guest.output(f"echo {ids} > {DRIVER}/remove_id")
    return status, [line for line in log.splitlines() if address in line]


@guests(guest=disk("0xff80"), fresh=True)
def test_class_ff80_is_left_alone_without_a_word(guest):
    status, lines = probe(guest, DISK)
    assert status != 0 and not lines, (status, lines)
    assert not guest.nodes()


@guests(guest=disk("0x0500"), fresh=True)
def test_a_device_without_bar2_is_refused_in_one_line(guest):
    status, lines = probe(guest, DISK)
    assert status != 0 and not guest.nodes()
    # Once by new_id, once by bind.
    assert len(lines) == 2, lines
    assert all("no shared memory: BAR2" in line for line in lines), lines


@guests(guest=Machine(options=("-device", "pci-testdev,membar=2048")), fresh=True)
def test_a_bar2_of_less_than_a_page_is_refused_in_one_line(guest):
    status, lines = probe(guest, TESTDEV)
    assert status != 0 and not guest.nodes()
    refused = [line for line in lines if "not whole pages of 4096 bytes" in line]
    assert len(refused) == 2, lines
    assert "shared memory of 0x0000000000000800 bytes at 0x" in refused[0], lines


def bar_start(guest, number):
    table = guest.output("cat $(dirname $(grep -l 0x1111"
                         " /sys/bus/pci/devices/*/device))/resource")
    return int(table.splitlines()[number].split()[0], 16)


@guests(guest=Machine(options=("-device", "secondary-vga")), fresh=True)
def test_registers_of_all_ones_are_refused_in_one_line(guest):
    guest.output("echo 1 > $(dirname $(grep -l 0x1111"
                 " /sys/bus/pci/devices/*/device))/enable")
    registers = bar_start(guest, 0)
    for register in range(0, 16, 4):
        guest.output(f"devmem {registers + register:#x} 32 0xffffffff")
    status, lines = probe(guest, DISPLAY)
    assert status != 0 and not guest.nodes()
    refused = [line for line in lines if "all ones" in line]
    assert len(refused) == 2, lines
    # And it is that what it is refused for.
    guest.output(f"devmem {registers + 8:#x} 32 7")
    status, lines = probe(guest, DISPLAY)
    assert guest.node()["shmem_size"] == 4096, lines


@guests(guest=Machine(options=("-device", "secondary-vga"),
                      append="iomem=relaxed"), fresh=True)
def test_a_device_that_stops_responding_is_enodev(guest):
    """Its registers read all ones: no value, but the end of it."""
    probe(guest, DISPLAY)
    assert guest.run("ivshmemctl info")[0] == 0
    registers = bar_start(guest, 0)
    guest.output(f"devmem {registers + 8:#x} 32 0xffffffff")
    status, output = guest.run("ivshmemctl info")
    assert status == 1 and "the device is gone" in output, output
    status, output = guest.run("cat /sys/class/ivshmem/*/own_id")
    assert status != 0 and "No such device" in output, output
