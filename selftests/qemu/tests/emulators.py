# SPDX-License-Identifier: GPL-2.0-or-later
"""The newest QEMU that Debian has, beside the host's, on one server of ours.

Joins, leaves and unplugging are where a QEMU dies of what a server says.
"""
import os
from unittest.mock import patch

import plugs
from machine import Doorbell, Machine, Plain
from migration import move, moved
from rings import heard, listen, own_id, ring
from scenario import full, guests
from tree import MIB

QEMU = "11.1"
VECTORS = 64
#: Without the cache in which glibc looks no longer when a block was reused.
FREED_TWICE_IS_FATAL = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
OLD = Machine(Doorbell(vectors=VECTORS))
HOTPLUG = Machine(Doorbell(vectors=VECTORS, port="port0"), root_ports=1)
NEW = Machine(*HOTPLUG.devices, root_ports=1, qemu=QEMU)
MASTER = Machine(Doorbell(vectors=2, master=True), qemu=QEMU)


def check_together(a, b):
    """Rings go both ways on the first and the last vector, and memory is one."""
    for sender, receiver in ((a, b), (b, a)):
        for vector in (0, VECTORS - 1):
            job = listen(receiver, vector)
            ring(sender, own_id(receiver), vector)
            heard(job, vector)
        sender.output(f"printf 'from {sender.name}' | ivshmemctl write 8192")
        word = f"from {sender.name}"
        assert receiver.output(f"ivshmemctl read 8192 {len(word)}") == word


@guests(new=NEW, old=OLD)
def test_the_newest_qemu_and_the_hosts_ring_each_other_on_64_vectors(new, old):
    version = new.qmp("query-version")["qemu"]
    assert f"{version['major']}.{version['minor']}" == QEMU, version
    assert new.node()["nr_vectors"] == VECTORS
    check_together(new, old)


@guests(new=NEW, old=OLD)
def test_the_newest_qemu_outlives_a_join_and_a_leave(new, old, lab):
    more = lab.guest(NEW, "more", {"server": new.servers["server"]}).wait_ready()
    check_together(new, more)
    more.kill()
    check_together(new, old)


def check_unplug_after_a_leave(machine, lab):
    """A QEMU that hears of a leave frees twice when it unplugs, and dies of it."""
    servers = {"server": lab.server(vectors=VECTORS, announce_leave=False)}
    with patch.dict(os.environ, FREED_TWICE_IS_FATAL):
        stays, leaves = (lab.guest(machine, name, servers)
                         for name in ("stays", "leaves"))
    for guest in (stays, leaves):
        guest.wait_ready()
    check_together(stays, leaves)
    leaves.kill()
    job = listen(stays, 0)
    plugs.unplug(stays, "device0")
    status, output = job.wait()
    assert status == 1 and "the device is gone" in output, (status, output)
    stays.qmp("query-status")
    assert not stays.nodes()


def test_the_newest_qemu_unplugs_when_no_leave_was_announced(lab):
    check_unplug_after_a_leave(NEW, lab)


@full
def test_the_hosts_qemu_unplugs_when_no_leave_was_announced(lab):
    check_unplug_after_a_leave(HOTPLUG, lab)


@full
@guests(new=Machine(Plain(port="port0"), root_ports=1, qemu=QEMU), fresh=True)
def test_a_plain_device_comes_back_in_the_newest_qemu(new):
    plugs.unplug(new, "device0")
    plugs.wait_for_nodes(new, 0)
    plugs.plug_plain(new, "again", "port0", MIB)
    plugs.wait_for_nodes(new, 1)
    new.output("printf x | ivshmemctl write 0")


@full
@guests(here=MASTER, fresh=True)
def test_a_doorbell_master_moves_between_two_of_the_newest_qemu(here, lab):
    here.output("printf along | ivshmemctl write 4096")
    waiting = listen(here, 1)
    server = lab.server(size=MIB, vectors=2)
    there = move(here, lab, MASTER.devices, {"server": server})
    assert there.output("ivshmemctl read 4096 5") == "along"
    ring(there, 0, 1)
    heard(moved(waiting, there), 1)
