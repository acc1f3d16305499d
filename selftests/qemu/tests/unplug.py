# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices that are plugged and unplugged by QMP, idle and in use."""
import re
import time

import plugs
from machine import Doorbell, Machine, Plain
from rings import listen
from scenario import full, guests
from tree import MIB

NATIVE = ("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off")
ACPI = Machine(Plain(port="port0"), root_ports=2)
PCIEHP = Machine(Plain(port="port0"), root_ports=2, options=NATIVE)
I440FX = Machine(Plain(port="pci.0"), machine="pc")


def cycle(guest, bus, times):
    """Out and in again, each time with new memory of another content."""
    name = "device0"
    for number in range(times):
        plugs.unplug(guest, name)
        plugs.wait_for_nodes(guest, 0)
        name = f"again{number}"
        plugs.plug_plain(guest, name, bus, MIB)
        plugs.wait_for_nodes(guest, 1)
        node = guest.node()
        assert node["shmem_size"] == MIB and node["page_attr"] == "wb", node
        assert guest.output("ivshmemctl read 0 1 | od -An -tx1").strip() == "00"
        guest.output("printf x | ivshmemctl write 0")


@guests(guest=ACPI, fresh=True)
def test_a_plain_device_comes_back_on_q35(guest):
    cycle(guest, "port0", 3)


@guests(guest=PCIEHP, fresh=True)
def test_a_plain_device_comes_back_with_native_hotplug(guest):
    cycle(guest, "port0", 1)


@guests(guest=I440FX, fresh=True)
def test_a_plain_device_comes_back_on_i440fx(guest):
    cycle(guest, "pci.0", 3)


def unplug_doorbell_in_use(guest):
    """A waiting program learns of it, and nothing of the device is left."""
    job = listen(guest, 0)
    plugs.unplug(guest, "device0")
    status, output = job.wait()
    assert status == 1 and "the device is gone" in output, (status, output)
    assert not guest.nodes() and guest.run("ls /dev/ivshmem0")[0] != 0
    guest.output("rmmod ivshmem_guest")


@guests(guest=Machine(Doorbell(vectors=4, port="port0"), root_ports=1), fresh=True)
def test_a_doorbell_device_leaves_while_waited_for_on_q35(guest):
    unplug_doorbell_in_use(guest)


@guests(guest=Machine(Doorbell(vectors=4, port="pci.0"), machine="pc"), fresh=True)
def test_a_doorbell_device_leaves_while_waited_for_on_i440fx(guest):
    unplug_doorbell_in_use(guest)


@guests(guest=Machine(Doorbell(vectors=2, port="port0"), Plain(), root_ports=1),
        fresh=True)
def test_the_other_device_stays_when_one_leaves(guest):
    plain = guest.node(vectors=0)["path"]
    guest.output(f"printf stays | ivshmemctl -d {plain} write 0")
    plugs.unplug(guest, "device0")
    plugs.wait_for_nodes(guest, 1)
    assert guest.output("ivshmemctl read 0 5") == "stays"


#: Programs that are in the middle of every kind of call when the device leaves,
#: and the statuses that they may end with: 1 says so, 135 is SIGBUS.
BUSY = {
    "poll": ("ivshmemctl wait 0", {1}),
    "read": ("cat /dev/ivshmem0", {1}),
    "map": ("sh -c 'head -c 1048576 /dev/zero > /tmp/zero &&"
            " while ivshmemctl write 0 < /tmp/zero; do :; done'", {0, 135}),
    "ring": ("ivshmemctl ring 0 3 --count 1000000000", {1}),
    "ioctl": ("sh -c 'while ivshmemctl info; do :; done'", {0}),
    "counters": ("pingpong answer 0 1000000", {1, 135}),
}


def unplug_busy(guest):
    jobs = {name: guest.start(command) for name, (command, _) in BUSY.items()}
    jobs["poll"].wait_asleep()
    jobs["ioctl"].wait_for("NODE")
    jobs["counters"].wait_for("ready")
    plugs.unplug(guest, "device0")
    for name, job in jobs.items():
        status, output = job.wait()
        assert status in BUSY[name][1], (name, status, output[-500:])
    assert not guest.nodes()
    guest.output("rmmod ivshmem_guest; modprobe ivshmem_guest")


@guests(guest=Machine(Doorbell(vectors=4, port="port0"), root_ports=1, smp=2),
        fresh=True)
def test_a_busy_device_leaves_on_q35(guest):
    unplug_busy(guest)


@guests(guest=Machine(Doorbell(vectors=4, port="port0"), root_ports=1, smp=2,
                      options=NATIVE), fresh=True)
def test_a_busy_device_leaves_with_native_hotplug(guest):
    unplug_busy(guest)


@guests(guest=Machine(Doorbell(vectors=4, port="pci.0"), machine="pc", smp=2),
        fresh=True)
def test_a_busy_device_leaves_on_i440fx(guest):
    unplug_busy(guest)


def held(guest, name):
    """It leaves while a crew of threads is in every call, all of which come back;
    the milliseconds that the slowest took."""
    job = guest.start(f"env IVSHMEM_NODE={guest.node()['path']} /tests/remove hold")
    job.wait_for("READY")
    plugs.unplug(guest, name)
    status, output = job.wait(30)
    assert status == 0 and "not ok" not in output, output[-2000:]
    return int(re.search(r"all came back within (\d+) ms", output)[1])


def say(slowest, start):
    print(f"# {len(slowest)} unplugs, {time.monotonic() - start:.0f} s, the slowest"
          f" return after {max(slowest)} ms", flush=True)


CROWDED = Machine(Plain(port="port0"), root_ports=1, smp=2, qemu="11.1")


def unplug_in_turn(guest, times):
    """Each time with new memory; the old goes with the device."""
    name, memory = "device0", "memory0"
    slowest, start = [], time.monotonic()
    for number in range(times):
        slowest.append(held(guest, name))
        guest.qmp("object-del", id=memory)
        assert not (splats := guest.splats()), splats
        name = f"again{number}"
        memory = plugs.plug_plain(guest, name, "port0", MIB)
        plugs.wait_for_nodes(guest, 1)
    say(slowest, start)


@guests(guest=CROWDED, fresh=True)
def test_a_plain_device_leaves_ten_times_with_threads_in_all_calls(guest):
    unplug_in_turn(guest, 10)


@full
@guests(guest=CROWDED, fresh=True)
def test_a_plain_device_leaves_a_thousand_times_with_threads_in_all_calls(guest):
    unplug_in_turn(guest, 1000)


@full
def test_a_doorbell_device_leaves_fifty_times_each_in_a_new_qemu(lab):
    machine = Machine(Doorbell(vectors=4, port="port0"), root_ports=1, smp=2,
                      qemu="11.1")
    slowest, start = [], time.monotonic()
    for _ in range(50):
        guest = lab.use({"guest": machine}, fresh=True)["guest"]
        slowest.append(held(guest, "device0"))
        assert not (splats := guest.splats()), splats
    say(slowest, start)
