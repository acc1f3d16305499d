# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests on one server, and guests that share a file: what one does, others see."""
import mmap

from machine import Doorbell, Machine, Plain
from rings import heard, listen, own_id, ring
from scenario import guests

VECTORS = 4
PEER = Machine(Doorbell(vectors=VECTORS))
SHARER = Machine(Plain(memory="file"))


@guests(a=PEER, b=PEER, c=PEER)
def test_each_peer_has_its_own_id(a, b, c):
    assert [own_id(guest) for guest in (a, b, c)] == [0, 1, 2]


@guests(a=PEER, b=PEER, c=PEER)
def test_rings_go_both_ways_on_every_vector(a, b):
    for vector in range(VECTORS):
        for sender, receiver in ((a, b), (b, a)):
            job = listen(receiver, vector)
            ring(sender, own_id(receiver), vector)
            heard(job, vector)


@guests(a=PEER, b=PEER, c=PEER)
def test_a_third_guest_hears_nothing(a, b, c):
    jobs = [listen(c, vector) for vector in range(VECTORS)]
    for vector in range(VECTORS):
        job = listen(b, vector)
        ring(a, own_id(b), vector)
        heard(job, vector)
    assert not any(job.ended() for job in jobs)
    for vector, job in enumerate(jobs):     # and yet it would have heard
        ring(a, own_id(c), vector)
        heard(job, vector)


@guests(a=PEER, b=PEER, c=PEER)
def test_a_ring_on_one_vector_leaves_the_others_silent(a, b):
    jobs = {vector: listen(b, vector) for vector in range(VECTORS)}
    for vector in (2, 0, 3, 1):
        ring(a, own_id(b), vector)
        heard(jobs.pop(vector), vector)
        assert not any(job.ended() for job in jobs.values()), vector


@guests(a=PEER, b=PEER, c=PEER)
def test_two_programs_hear_one_ring(a, b):
    jobs = [listen(b, 1), listen(b, 1)]
    ring(a, own_id(b), 1)
    for job in jobs:
        heard(job, 1)


@guests(a=PEER, b=PEER, c=PEER)
def test_a_ring_to_nobody_is_dropped(a, b):
    job = listen(b, 0)
    ring(a, 999, 0)
    ring(a, own_id(b), 200)
    assert not job.ended()
    ring(a, own_id(b), 0)
    heard(job, 0)


def check_seen_alike(guests_, memory):
    """What each guest and the host write, all of them read."""
    with memory, mmap.mmap(memory.fileno(), 0) as host:
        for number, writer in enumerate(guests_):
            word = f"from {writer.name}"
            offset = 4096 * number + 7
            writer.output(f"printf '{word}' | ivshmemctl write {offset}")
            assert host[offset:offset + len(word)] == word.encode()
            for reader in guests_:
                found = reader.output(f"ivshmemctl read {offset} {len(word)}")
                assert found == word, (reader.name, found)
        host[100:104] = b"host"
        for reader in guests_:
            assert reader.output("ivshmemctl read 100 4") == "host", reader.name


@guests(a=PEER, b=PEER, c=PEER)
def test_the_servers_memory_is_seen_alike_in_all_guests_and_on_the_host(a, b, c):
    check_seen_alike([a, b, c], a.servers["server"].memory())


@guests(a=PEER, b=PEER, c=PEER, fresh=True)
def test_a_killed_peer_leaves_the_others_working(a, b, c):
    a.output("printf kept | ivshmemctl write 0")
    b.kill()
    ring(a, 1, 0)               # nobody there: dropped
    for sender, receiver in ((a, c), (c, a)):
        job = listen(receiver, 1)
        ring(sender, own_id(receiver), 1)
        heard(job, 1)
    assert c.output("ivshmemctl read 0 4") == "kept"


@guests(a=PEER, b=PEER, fresh=True)
def test_a_killed_server_leaves_the_peers_working(a, b):
    a.servers["server"].process.kill()
    a.servers["server"].process.wait()
    job = listen(b, 0)
    ring(a, own_id(b), 0)
    heard(job, 0)
    a.output("printf alive | ivshmemctl write 0")
    assert b.output("ivshmemctl read 0 5") == "alive"


@guests(a=SHARER, b=SHARER)
def test_a_shared_file_is_seen_alike_in_both_guests_and_on_the_host(a, b):
    check_seen_alike([a, b], a.servers["file"].memory())


@guests(a=Machine(Plain(memory="file")),
        b=Machine(Plain(memory="file", share=False)))
def test_memory_without_share_is_not_shared(a, b):
    b.output("printf secret | ivshmemctl write 0")
    assert (seen := b.output("ivshmemctl read 0 6")) == "secret", repr(seen)
    assert a.run("ivshmemctl read 0 6 | grep -q secret")[0] == 1
