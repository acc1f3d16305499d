# SPDX-License-Identifier: GPL-2.0-or-later
"""The module: found by its alias, loaded again, refused where there is no memory."""
import accel
import hostpeer
import plugs
from machine import Doorbell, Machine, Plain
from rings import heard, listen, own_id, ring, stat
from scenario import guests
from tree import MIB

UNLOADED = Machine(Plain(), load=False)
ALONE = Machine(Doorbell(vectors=2))
BOTH = Machine(Doorbell(vectors=2), Plain())
MODULE = "ivshmem_guest"


@guests(guest=UNLOADED, fresh=True)
def test_the_alias_of_the_device_loads_the_module(guest):
    alias = guest.output("cat /sys/bus/pci/devices/0000:00:01.0/modalias").strip()
    assert alias.startswith("pci:v00001AF4d00001110"), alias
    guest.output(f"modprobe '{alias}'")
    assert guest.node()["shmem_size"] == MIB


@guests(guest=BOTH)
def test_a_node_is_for_root_alone(guest):
    for node in guest.nodes():
        assert guest.output(f"stat -c '%a %u %g' {node['path']}") == "600 0 0\n"


@guests(guest=BOTH)
def test_the_module_loads_again_after_it_was_removed(guest):
    before = guest.nodes()
    for _ in range(3):
        guest.output(f"rmmod {MODULE}")
        assert not guest.nodes() and not guest.run("ls /dev/ivshmem0")[0] == 0
        guest.output(f"modprobe {MODULE}")
        assert guest.nodes() == before
    guest.output("printf again | ivshmemctl -d 0 write 0")


@guests(guest=BOTH)
def test_memory_survives_a_reload(guest):
    guest.output("printf kept | ivshmemctl -d 1 write 0")
    guest.output(f"rmmod {MODULE}; modprobe {MODULE}")
    assert guest.output("ivshmemctl -d 1 read 0 4") == "kept"


@guests(guest=BOTH)
def test_an_open_device_holds_the_module(guest):
    job = guest.start("ivshmemctl -d 0 wait 0")
    job.wait_asleep()
    status, output = guest.run(f"rmmod {MODULE}")
    job.kill()
    assert status != 0, output
    guest.output(f"rmmod {MODULE}; modprobe {MODULE}")


def driver(guest, action, node):
    """unbind or bind"""
    guest.output(f"echo {node['address']} >"
                 f" /sys/bus/pci/drivers/{MODULE}/{action}")


def qemu_has_heard(guest):
    """The rings of before: its loop has gone round since."""
    for _ in range(2):
        guest.qmp("query-status")


@guests(guest=BOTH)
def test_a_ring_while_no_driver_is_bound_is_lost_or_kept_as_one(guest, lab):
    """And what comes after is heard."""
    node = guest.node(vectors=2)
    driver(guest, "unbind", node)
    hostpeer.run(guest.servers["server"], "ring", node["own_id"], 0,
                 "--count", 3)
    qemu_has_heard(guest)
    driver(guest, "bind", node)
    kept = 1 if lab.stage.accel is accel.KVM else 0
    assert stat(guest, 0, device=0) <= kept
    job = listen(guest, 0, device=0)
    hostpeer.run(guest.servers["server"], "ring", node["own_id"], 0)
    heard(job, 0)


@guests(guest=ALONE)
def test_it_comes_and_goes_while_a_peer_rings_and_programs_hold_all(guest):
    """Who waits or touches a mapping learns of it, and rings go on."""
    node = guest.node()
    ringer = hostpeer.start(hostpeer.command(
        guest.servers["server"], "ring", node["own_id"], 0, "--count", 10 ** 9))
    for _ in range(3):
        jobs = [listen(guest, 1), guest.start("ivshmemctl channel cat held"),
                guest.start("survive")]
        jobs[1].wait_asleep()
        jobs[2].wait_for("[0-9]")
        driver(guest, "unbind", node)
        for job in jobs:
            assert "the device is gone" in job.wait()[1], job.command
        guest.output(f"rmmod {MODULE} && modprobe {MODULE}")
        guest.output("ivshmemctl wait 0 --after 0", 20)
    assert ringer.poll() is None
    ringer.kill()


@guests(guest=BOTH)
def test_unbind_and_bind_again(guest):
    before = guest.nodes()
    for node in before:
        for action in ("unbind", "bind"):
            driver(guest, action, node)
    after = guest.nodes()
    assert sorted(node["address"] for node in after) == \
        sorted(node["address"] for node in before), after


@guests(guest=BOTH)
def test_remove_and_rescan(guest):
    node = guest.node(vectors=0)
    device = f"/sys/bus/pci/devices/{node['address']}"
    guest.output(f"echo 1 > {device}/remove")
    assert len(guest.nodes()) == 1
    guest.output("echo 1 > /sys/bus/pci/rescan")
    assert guest.node(vectors=0)["shmem_size"] == MIB


@guests(guest=Machine(Doorbell(vectors=2, port="port0"), root_ports=1))
def test_a_reset_wakes_all_and_raises_the_generation(guest):
    """Through the port above it; rings that came meanwhile are lost."""
    node = guest.node()
    guest.output("printf kept | ivshmemctl write 0")
    job = listen(guest, 1)
    guest.output(f"echo 1 > /sys/bus/pci/devices/{node['address']}/reset")
    heard(job, 1)
    assert guest.nodes() == [{**node, "generation": 1}], guest.nodes()
    assert guest.output("ivshmemctl read 0 4") == "kept"
    job = listen(guest, 0)
    ring(guest, own_id(guest), 0)
    heard(job, 0)


@guests(guest=BOTH)
def test_a_probe_says_one_line(guest):
    guest.output(f"rmmod {MODULE}; dmesg -c > /dev/null; modprobe {MODULE}")
    lines = [line for line in guest.output("dmesg").splitlines()
             if MODULE in line or "ivshmem" in line]
    assert len(lines) == 2, lines


@guests(guest=Machine(root_ports=1), fresh=True)
def test_a_device_without_room_for_bar2_is_refused(guest):
    guest.output("dmesg -c > /dev/null")
    plugs.plug_plain(guest, "large", "port0", 256 * MIB)
    plugs.wait_for_pci(guest, 1)
    guest.output("until dmesg | grep -q 'no shared memory'; do usleep 20000; done")
    lines = [line for line in guest.output("dmesg").splitlines()
             if MODULE in line]
    assert not guest.nodes()
    assert len(lines) == 1, lines   # what to do, and no "probe failed" besides
    assert "pref64-reserve" in lines[0], lines


@guests(guest=Machine(root_ports=1), fresh=True)
def test_a_bind_without_bar2_is_enodev(guest):
    plugs.plug_plain(guest, "large", "port0", 256 * MIB)
    plugs.wait_for_pci(guest, 1)
    status, output = guest.run(
        "for d in /sys/bus/pci/devices/*; do"
        " grep -q 0x1110 $d/device && a=$(basename $d); done;"
        f" echo $a > /sys/bus/pci/drivers/{MODULE}/bind")
    assert status != 0 and "No such device" in output, output
