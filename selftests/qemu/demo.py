#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""demo: two guests talk over shared memory, explained line by line.

Started by scripts/demo, which has installed and built everything. The status is
0 only if every step gave what it should.
"""
import mmap
import shlex
import sys
import time

import hostpeer
import tree
from guest import Guest, GuestError
from kernel import KernelError
from machine import Doorbell, Machine
from server import Server, ServerError
from stage import Stage

START = time.monotonic()
ANSWER_AT = 4096


def step(number, text):
    print(f"\n[{number}/8] {text}  ({time.monotonic() - START:.1f} s)", flush=True)


def explain(text):
    for line in text.strip().splitlines():
        print("      " + line.strip(), flush=True)


def show_command(words):
    """A long command, an option a line."""
    text = " ".join(shlex.quote(str(word)) for word in words)
    print("      $ " + text.replace(" -", " \\\n            -"), flush=True)


def show(name, command, output=""):
    print(f"      {name}# {command}")
    for line in output.splitlines():
        print(f"         {line}")
    sys.stdout.flush()


def type_in(guest, command):
    """Run a command in a guest, shown as it would look there."""
    output = guest.output(command)
    show(guest.name, command, output)
    return output


def listen(guest, vector):
    command = f"ivshmemctl wait {vector}"
    job = guest.start(command)
    job.wait_asleep()
    show(guest.name, command + " &")
    return job


def report(job):
    status, output = job.wait()
    assert status == 0, output
    show(job.guest.name, "(the background command says)", output)


def boot(stage, server):
    machine = Machine(Doorbell(vectors=4), load=False)
    guests = []
    for name in ("a", "b"):
        guests.append(Guest(machine, stage, name, tree.LOGS / "demo",
                            {"server": server}))
        if name == "a":
            show_command(guests[0].command)
            explain("""and guest b with the same line. The device is the part
                       -device ivshmem-doorbell,...; the rest makes a small guest.""")
    for guest in guests:
        guest.wait_ready()
    return guests


def load_module(guests):
    for guest in guests:
        type_in(guest, "modprobe ivshmem_guest")
    type_in(guests[0], "ivshmemctl list")
    explain("""Each guest has a device node now. Its own ID is what others
               ring it by: a is peer 0, b is peer 1.""")


def talk(a, b, server):
    explain("b waits for a ring on vector 1:")
    bell = listen(b, 1)
    explain("a writes a message into the shared memory, and rings peer 1, vector 1:")
    type_in(a, "echo 'Hello b, this is a.' | ivshmemctl write 0")
    type_in(a, "ivshmemctl ring 1 1")
    explain("b wakes, and reads what is there:")
    report(bell)
    assert "Hello b" in type_in(b, "ivshmemctl read 0 20"), "the message is not there"
    explain(f"b answers, {ANSWER_AT} bytes further, with a ring on vector 2:")
    bell = listen(a, 2)
    type_in(b, f"echo 'Hello a, I heard you.' | ivshmemctl write {ANSWER_AT}")
    type_in(b, "ivshmemctl ring 0 2")
    report(bell)
    assert "I heard" in type_in(a, f"ivshmemctl read {ANSWER_AT} 21")
    look_on(server)
    talk_to_the_host(a, server)


def on_host(server, *words):
    """Run ivshmemctl on the host, shown as it would look in a shell."""
    output = hostpeer.run(server, *words)
    show("host", " ".join(["ivshmemctl -d", hostpeer.device(server),
                           *map(str, words)]), output)
    return output


def talk_to_the_host(a, server):
    explain("""A program of the host can be a peer too: the server's socket is its
               device, and all commands and library calls work there.""")
    before = hostpeer.peers(server)
    assert sorted(before) == [0, 1], before
    on_host(server, "peers")
    explain("The host rings a, which is peer 0:")
    bell = listen(a, 3)
    on_host(server, "ring", 0, 3)
    report(bell)
    explain("and a rings the host, which has got an ID of its own:")
    waiting = hostpeer.start(hostpeer.command(server, "wait", 1))
    show("host", f"ivshmemctl -d {hostpeer.device(server)} wait 1 &")
    peer = hostpeer.new_peer(server, before, waiting)
    command = f"ivshmemctl ring {peer} 1"
    show(a.name, command)
    said = hostpeer.ring_until_heard(lambda: a.output(command), waiting)
    show("host", "(the background command says)", said)
    assert said.startswith("vector 1 fired "), said


def look_on(server):
    explain("The host sees the same bytes, in the server's memory object:")
    with server.memory() as file, mmap.mmap(file.fileno(), 0) as memory:
        words = memory[:20].decode()
    show("host", f"head -c 20 /dev/shm/{server.name}", words)
    assert words == "Hello b, this is a.\n", words


def measure(a, b):
    explain("""examples/pingpong.c: a counts up in memory and rings; b sees it,
               counts up too and rings back. No polling: both sleep between.""")
    answerer = b.start("pingpong answer 0 1000")
    answerer.wait_for("ready")
    show("b", "pingpong answer 0 1000 &")
    output = type_in(a, "pingpong ask 1 1000")
    assert "1000 round trips" in output
    assert answerer.wait()[0] == 0


def main():
    things = []
    try:
        run(things)
    except (GuestError, KernelError, ServerError, AssertionError) as error:
        sys.exit(f"\nThe demo failed: {error}\nlogs: {tree.LOGS / 'demo'}")
    finally:
        for thing in reversed(things):
            thing.close()
    finish()


def run(things):
    step(3, "Build the module for the guests' kernel; see whether KVM works here")
    stage = Stage(say=explain, with_tests=False)
    if stage.problem:
        raise KernelError(stage.problem)
    step(4, "Start the server: it owns the memory and makes peers known to each other")
    server = Server(tree.MIB, 4, tree.BUILD / "demo-server.log")
    things.append(server)
    show_command(server.command)
    step(5, "Boot two guests, each with an ivshmem device on that server")
    a, b = boot(stage, server)
    things += [a, b]
    step(6, "Load the module in both (with udev it would load by itself)")
    load_module([a, b])
    step(7, "Let them talk")
    talk(a, b, server)
    step(8, "How long does it take? A ring to the other guest and back, 1000 times")
    measure(a, b)
    splats = a.splats() + b.splats()
    assert not splats, "kernel log: " + "\n".join(splats)


def finish():
    print(f"\nDone in {time.monotonic() - START:.0f} s.  Without KVM times are those"
          " of an emulated processor.\n\nWhat to try next:")
    explain("""scripts/guest          a guest with a device and a shell
               scripts/guest --help   other devices, and a second guest beside it
               examples/hello.c       the smallest program; cc hello.c -livshmem
               docs/host-peers.md     programs of the host as peers of guests
               make check-quick       the tests of one guest, in 3 minutes
               README.md              how to give your own guests a device""")


if __name__ == "__main__":
    main()
