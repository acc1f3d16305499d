# SPDX-License-Identifier: GPL-2.0-or-later
"""A server that is killed under real QEMUs, and is started again by its keeper."""
from machine import Doorbell, Machine
from rings import heard, listen, own_id, ring

PEER = Machine(Doorbell(vectors=2))


def check_rings(guests_):
    """Everybody rings everybody, on each vector."""
    for sender in guests_:
        for receiver in guests_:
            for vector in range(2):
                job = listen(receiver, vector)
                ring(sender, own_id(receiver), vector)
                heard(job, vector)


def test_guests_do_not_notice_that_the_server_was_killed(lab):
    server = lab.server(vectors=2, keeper=True)
    first, second = (lab.guest(PEER, name, {"server": server})
                     for name in ("first", "second"))
    first.wait_ready()
    second.wait_ready()
    first.output("printf kept | ivshmemctl write 0")
    server.kill_kept()
    check_rings([first, second])
    third = lab.guest(PEER, "third", {"server": server}).wait_ready()
    assert own_id(third) == 2
    check_rings([first, second, third])
    assert third.output("ivshmemctl read 0 4") == "kept"
    second.kill()
    server.kill_kept()
    fourth = lab.guest(PEER, "fourth", {"server": server}).wait_ready()
    assert own_id(fourth) == 3
    check_rings([first, third, fourth])
