# SPDX-License-Identifier: GPL-2.0-or-later
"""Channels between guests, and between a guest and the host."""
import subprocess

import tree
from machine import Doorbell, Machine, Plain
from scenario import guests

DOORBELL = Machine(Doorbell(vectors=2))
PLAIN = Machine(Plain(memory="file"))


def send(guest, name, size):
    """Start sending random bytes: the job and their checksum."""
    guest.output(f"head -c {size} /dev/urandom > /tmp/original")
    job = guest.start(f"sh -c 'ivshmemctl channel send {name} --size 64K"
                      " < /tmp/original'")
    return job, guest.output("md5sum < /tmp/original")


def arrives(sender, receiver, name, size=2 * tree.MIB):
    receiving = receiver.start(f"sh -c 'ivshmemctl channel recv {name}"
                               " --size 64K > /tmp/copy'")
    sending, checksum = send(sender, name, size)
    assert receiving.wait(20) == (0, "")
    assert sending.wait(20) == (0, "")
    assert receiver.output("md5sum < /tmp/copy") == checksum


@guests(a=DOORBELL, b=DOORBELL)
def test_a_file_goes_from_guest_to_guest_and_another_back(a, b):
    arrives(a, b, "there")
    arrives(b, a, "back")


@guests(a=PLAIN, b=PLAIN)
def test_without_a_doorbell_a_file_arrives_all_the_same(a, b):
    arrives(a, b, "polled")


@guests(a=PLAIN, b=PLAIN)
def test_a_file_goes_from_a_guest_to_the_host(a):
    sending, checksum = send(a, "up", tree.MIB)
    receiver = subprocess.run(
        [tree.BUILD / "tools/ivshmemctl", "-d", f"file:{a.servers['file'].path}",
         "channel", "recv", "up"], capture_output=True, timeout=tree.limit(20),
        env={"LD_LIBRARY_PATH": str(tree.BUILD / "lib")})
    assert receiver.returncode == 0, receiver.stderr
    copy = subprocess.run(["md5sum"], input=receiver.stdout, capture_output=True)
    assert copy.stdout.decode() == checksum
    assert sending.wait(20) == (0, "")


@guests(a=DOORBELL, b=DOORBELL, fresh=True)
def test_who_receives_and_who_sends_notice_that_the_others_guest_was_killed(a, b):
    jobs = [b.start("sh -c 'ivshmemctl channel recv cut > /tmp/copy'"),
            b.start("sh -c 'ivshmemctl channel send full < /dev/zero'")]
    a.start("sh -c '(echo begun; sleep 1000) | ivshmemctl channel send cut'")
    a.start("sh -c 'ivshmemctl channel recv full |"
            " { head -c 1 > /tmp/copy; sleep 1000; }'")
    for guest in (a, b):
        guest.output("until [ -s /tmp/copy ]; do usleep 10000; done")
    a.kill()
    for job, other in zip(jobs, ("sender", "receiver")):
        status, output = job.wait(20)
        assert status == 1, output
        assert f"the {other} has shown no sign of life" in output, output
