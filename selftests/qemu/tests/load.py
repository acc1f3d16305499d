# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU on whose server tens of thousands of others come and go."""
import socket
import struct

from machine import Doorbell, Machine
from rings import heard, listen, own_id, ring
from scenario import full

PEER = Machine(Doorbell(vectors=2))
NR_IDS = 65536


def version_told(path):
    """What a peer is greeted with that leaves at once: 0, or -1 if it is refused."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(60)
        peer.connect(str(path))
        return struct.unpack("<q", peer.recv(8))[0]


def come_and_go(lab, number):
    """So many connects; the guest then rings and hears as before.

    Returns how many were refused."""
    server = lab.server(vectors=2)
    guest = lab.guest(PEER, "guest", {"server": server}).wait_ready()
    refused = sum(version_told(server.socket) == -1 for _ in range(number))
    job = listen(guest, 1)
    ring(guest, own_id(guest), 1)
    heard(job, 1)
    assert own_id(guest) == 0 and server.process.poll() is None
    return refused


def test_a_guest_does_not_notice_2000_that_connect_and_leave(lab):
    assert come_and_go(lab, 2000) == 0


@full
def test_a_guest_does_not_notice_70000_and_those_beyond_65536_are_refused(lab):
    assert come_and_go(lab, 70000) == 70000 - (NR_IDS - 1)
