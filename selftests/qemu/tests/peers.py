# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests on one server, and guests that share a file: what one does, others see."""
import mmap
import time

from machine import Doorbell, Machine, Plain, debug
from rings import heard, listen, own_id, ring, stat
from scenario import full, guests

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


#: Takes what another machine gives, and writes how often it was woken.
TAKER = """
seen=0
for turn in 1 2 3 4 5 6 7 8 9 10; do
    set -- $(ivshmemctl wait 0 --after $seen) || exit
    seen=$((seen + $4))
    ivshmemctl ring 0 1
done
"""
GIVER = """
seen=0
for turn in 1 2 3 4 5 6 7 8 9 10; do
    ivshmemctl ring 1 0
    set -- $(ivshmemctl wait 1 --after $seen) || exit
    seen=$((seen + $4))
done
"""


@guests(a=PEER, b=PEER, fresh=True)
def test_ring_and_wait_are_a_semaphore_for_shell_scripts(a, b):
    """Neither script is always waiting when the other rings."""
    for guest, script in ((a, GIVER), (b, TAKER)):
        guest.put("/tmp/script", script.encode())
    jobs = [guest.start("sh /tmp/script") for guest in (a, b)]
    for job in jobs:
        status, output = job.wait(30)
        assert status == 0, output


def storm(a, b):
    """A million rings; the shell of the other answers all the while, each time within
    the 6 s of output()."""
    job = a.start("ivshmemctl ring 1 0 --count 1000000")
    answers, slowest = 0, 0.0
    while not job.ended():
        start = time.monotonic()
        b.output("true")
        slowest = max(slowest, time.monotonic() - start)
        answers += 1
    print(f"# {answers} answers meanwhile, the slowest after {slowest * 1000:.0f} ms")
    assert job.wait()[0] == 0 and answers > 2, answers
    before = stat(b, 0)
    ring(a, own_id(b), 0)
    b.output(f"ivshmemctl wait 0 --after {before}")


@guests(a=PEER, b=PEER, fresh=True)
def test_a_million_rings_leave_a_shell_responsive(a, b):
    storm(a, b)
    assert 0 < stat(b, 0) <= 1000001, stat(b, 0)


@full
@guests(a=PEER, b=debug(Doorbell(vectors=VECTORS)), fresh=True)
def test_a_million_rings_harm_nobody_on_the_kernel_that_finds_bugs(a, b):
    storm(a, b)


@guests(a=PEER, b=PEER)
def test_a_million_rings_are_throttled_to_the_rate(a, b):
    rate = "/sys/module/ivshmem_guest/parameters/max_rate"
    b.output(f"echo 1000 > {rate}")
    before, start = stat(b, 0), uptime(b)
    storm(a, b)
    fired, seconds = stat(b, 0) - before, uptime(b) - start
    b.output(f"echo 100000 > {rate}")
    assert stat(b, 0, "backoffs") > 0
    assert fired <= 1000 * seconds + 10, (fired, seconds)


def uptime(guest):
    return float(guest.output("cat /proc/uptime").split()[0])
