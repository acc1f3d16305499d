# SPDX-License-Identifier: GPL-2.0-or-later
"""A process of the host is a peer of the guests: rings and memory both ways."""
import json

import hostpeer
import tree
from machine import Doorbell, Machine
from rings import heard, listen, own_id, ring
from scenario import guests

VECTORS = 4
PEER = Machine(Doorbell(vectors=VECTORS))


@guests(a=PEER, b=PEER)
def test_the_host_sees_the_guests_as_peers(a, b):
    server = a.servers["server"]
    assert hostpeer.peers(server) == {own_id(a): VECTORS, own_id(b): VECTORS}
    info = json.loads(hostpeer.run(server, "info", "--json"))["info"][0]
    assert info["nr_vectors"] == VECTORS and info["flavour"] == "doorbell", info
    assert info["own_id"] not in (own_id(a), own_id(b)), info


@guests(a=PEER, b=PEER)
def test_the_host_and_a_guest_see_the_same_memory(a):
    server = a.servers["server"]
    hostpeer.run(server, "write", 5000, given=b"from the host")
    assert a.output("ivshmemctl read 5000 13") == "from the host"
    a.output("printf 'from a guest' | ivshmemctl write 6000")
    assert hostpeer.run(server, "read", 6000, 12) == "from a guest"
    assert "from a guest" in hostpeer.run(server, "hexdump", 6000, 16)


@guests(a=PEER, b=PEER)
def test_a_ring_of_the_host_wakes_a_guest_on_every_vector(a, b):
    for guest in (a, b):
        for vector in range(VECTORS):
            job = listen(guest, vector)
            hostpeer.run(guest.servers["server"], "ring", own_id(guest), vector)
            heard(job, vector)


@guests(a=PEER, b=PEER)
def test_a_ring_of_a_guest_wakes_the_host(a):
    server = a.servers["server"]
    before = hostpeer.peers(server)
    waiting = hostpeer.start(hostpeer.command(server, "wait", 2))
    new = hostpeer.new_peer(server, before, waiting)
    said = hostpeer.ring_until_heard(lambda: ring(a, new, 2), waiting)
    assert said.startswith("vector 2 fired "), said


@guests(a=PEER, b=PEER)
def test_stat_on_the_host_says_that_only_a_driver_counts(a):
    stat = hostpeer.start(hostpeer.command(a.servers["server"], "stat"))
    complaint = stat.communicate(timeout=tree.limit(5))[1]
    assert stat.returncode == 1 and "only in a guest" in complaint, complaint


@guests(a=PEER, b=PEER)
def test_a_megabyte_goes_to_a_guest_and_back(a):
    asker = hostpeer.start([str(tree.built("examples/megabyte")), "ask",
                            hostpeer.device(a.servers["server"]),
                            str(own_id(a))])
    answerer = a.start("megabyte answer")
    output = hostpeer.finish(asker)
    assert "1048576 bytes" in output and ", the same" in output, output
    assert answerer.wait()[0] == 0
