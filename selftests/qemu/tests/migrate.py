# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that move to another QEMU, on the same host."""

import plugs
from machine import Doorbell, Machine, Plain
from migration import move, moved
from qmp import QmpError
from rings import heard, listen, own_id, ring
from scenario import guests
from tree import MIB

HERE = Machine(Doorbell(vectors=2, port="port0"), root_ports=1)


@guests(guest=Machine(Plain()))
def test_a_peer_is_not_migrated(guest):
    try:
        guest.qmp("migrate", uri="exec:cat > /dev/null")
    except QmpError as error:
        assert "peer mode" in str(error), error
        return
    raise AssertionError("QEMU migrates a peer: device-facts have changed")


@guests(here=Machine(Plain(master=True)), fresh=True)
def test_a_master_takes_its_memory_and_mappings_along(here, lab):
    here.output("printf 1111 | ivshmemctl write 0;"
                " printf along | ivshmemctl write 4096")
    before = here.nodes()
    watching = here.start("survive")
    watching.wait_for(word("1111"))
    there = move(here, lab, plain_devices(here))
    assert there.nodes() == before
    assert there.output("ivshmemctl read 4096 5") == "along"
    there.output("printf 2222 | ivshmemctl write 0")
    moved(watching, there).wait_for(word("2222"))
    assert not watching.ended()


def word(text):
    """The number that survive prints for four characters."""
    return int.from_bytes(text.encode(), "little")


@guests(here=HERE, other=HERE, fresh=True)
def test_detach_migrate_attach_gives_a_working_device(here, other, lab):
    """The documented way; the device comes back with another ID."""
    listen(other, 1)
    plugs.unplug(here, "device0")
    here.qmp("chardev-remove", id="server0")
    there = move(here, lab, plain_devices(here))
    there.qmp("chardev-add", id="server1", backend=socket_backend(here))
    there.qmp("device_add", driver="ivshmem-doorbell", id="back", bus="port0",
              chardev="server1", vectors=2)
    plugs.wait_for_nodes(there, 1)
    assert own_id(there) not in (0, own_id(other)), own_id(there)
    there.output("printf moved | ivshmemctl write 0")
    assert other.output("ivshmemctl read 0 5") == "moved"
    for sender, receiver in ((there, other), (other, there)):
        job = listen(receiver, 0)
        ring(sender, own_id(receiver), 0)
        heard(job, 0)


def socket_backend(guest):
    path = str(guest.servers["server"].socket)
    return {"type": "socket", "data": {
        "addr": {"type": "unix", "data": {"path": path}}, "server": False}}


def plain_devices(guest):
    return [device for device in guest.machine.devices
            if isinstance(device, Plain)]


MASTER = Machine(Doorbell(vectors=2, master=True))


@guests(here=MASTER, fresh=True)
def test_a_doorbell_master_moves_with_its_waiters_and_mappings(here, lab):
    """To a server of its own, as peer 0, as it was here."""
    before = here.nodes()
    here.output("printf along | ivshmemctl write 4096")
    waiting = listen(here, 1)
    counting = here.start("comeback")
    counting.wait_for("my own ID is 0")
    ring(here, 0, 0)
    counting.wait_for("ring 1")
    server = lab.server(size=MIB, vectors=2)
    there = move(here, lab, MASTER.devices, {"server": server})
    assert there.nodes() == before
    assert there.output("ivshmemctl read 4096 5") == "along"
    ring(there, 0, 1)
    heard(moved(waiting, there), 1)
    ring(there, 0, 0)
    moved(counting, there).wait_for("ring 2")
    assert not counting.ended()


@guests(here=HERE, other=HERE, fresh=True)
def test_a_program_goes_on_after_detach_migrate_attach(here, other, lab):
    """It learns of both from the kernel, and nobody starts it again."""
    counting = here.start("comeback")
    counting.wait_for("my own ID is 0")
    ring(other, 0, 0)
    counting.wait_for("ring 1")
    plugs.unplug(here, "device0")
    counting.wait_for("the device is gone")
    here.qmp("chardev-remove", id="server0")
    there = move(here, lab, plain_devices(here))
    moved(counting, there)
    there.qmp("chardev-add", id="server1", backend=socket_backend(here))
    there.qmp("device_add", driver="ivshmem-doorbell", id="back", bus="port0",
              chardev="server1", vectors=2)
    counting.wait_for("my own ID is 2")
    ring(other, 2, 0)
    counting.wait_for("ring 2")
    assert not counting.ended(), counting.output()
