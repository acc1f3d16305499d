# SPDX-License-Identifier: GPL-2.0-or-later
"""Many senders and one receiver (examples/gather.c), each in a guest of its own,
when one of them is killed, or stopped and continued."""
import os
import signal

from machine import Doorbell, Machine
from scenario import full, guests

GUEST = Machine(Doorbell())
#: Lines with numbers; in between the sender waits for input, not in the library.
COUNTING = ("sh -c 'i=0; while [ ! -e /tmp/enough ]; do echo $i; i=$((i + 1));"
            " usleep 20000; done | {}'")


def receive(guest, *names):
    return guest.start(f"gather receive {' '.join(names)}")


def lines_of(output, name):
    """The numbers that a sender's lines have."""
    return [int(line.split()[1]) for line in output.splitlines()
            if line.startswith(f"{name}: ")]


def whole(numbers):
    return numbers == list(range(len(numbers)))


@guests(a=GUEST, b=GUEST, c=GUEST, fresh=True)
def test_when_a_sender_is_killed_the_others_lines_go_on(a, b, c):
    job = receive(c, "from-a", "from-b")
    a.start(COUNTING.format("gather send from-a"))
    sending = b.start(COUNTING.format("gather send from-b"))
    job.wait_for("^from-a: 20$")
    a.kill()
    job.wait_for("from-a is silent")
    before = len(lines_of(job.output(), "from-b"))
    job.wait_for(f"^from-b: {before + 20}$")
    b.output("touch /tmp/enough")
    status, output = sending.wait()
    assert status == 0, output
    status, output = job.wait()
    assert status == 0 and "from-b has ended" in output, output
    for name in ("from-a", "from-b"):
        assert whole(lines_of(output, name)), output


def resumed_after_a_successor(stop, go_on, a, b, c):
    """A sender stands still, another takes over, and the first goes on."""
    job = receive(b, "lines")
    stopped = a.start(COUNTING.format("gather send lines"))
    job.wait_for("^lines: 20$")
    stop(a)
    successor = c.start("sh -c 'seq 1000 1199 |"
                        " gather take-over lines'")
    job.wait_for("^lines: 1199$")
    go_on(a)
    status, output = stopped.wait(20)
    assert "Stale file handle" in output, output
    assert successor.wait()[0] == 0
    status, output = job.wait(20)
    numbers = lines_of(output, "lines")
    assert status == 0 and "lines has ended" in output, output
    assert whole(numbers[:-200]) and len(numbers) > 220, numbers
    assert numbers[-200:] == list(range(1000, 1200)), numbers


@guests(a=GUEST, b=GUEST, c=GUEST, fresh=True)
def test_a_sender_that_was_paused_and_succeeded_is_refused_when_it_resumes(a, b, c):
    resumed_after_a_successor(lambda guest: guest.qmp("stop"),
                              lambda guest: guest.qmp("cont"), a, b, c)


@full
@guests(a=GUEST, b=GUEST, c=GUEST, fresh=True)
def test_a_sender_whose_qemu_was_stopped_is_refused_when_it_goes_on(a, b, c):
    resumed_after_a_successor(
        lambda guest: os.kill(guest.process.pid, signal.SIGSTOP),
        lambda guest: os.kill(guest.process.pid, signal.SIGCONT), a, b, c)
