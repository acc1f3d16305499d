# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs in examples/, in C and in Python, do what they say.

Both have the same modes and print the same, so each test is run for both.
"""
import tree
from machine import Doorbell, Machine
from scenario import guests

GUEST = Machine(Doorbell(vectors=4), system="python")
DRIVER = "/sys/bus/pci/drivers/ivshmem_guest"


def generate():
    for program, command in (("c", "{}"), ("python", "python3 -I /bin/ivshmem.py {}")):
        for name, test in TESTS.items():
            yield f"test_{program}_{name}", test(command.format)


def unbind(guest):
    """Take the device away, and give it back for the next test."""
    address = guest.nodes()[0]["address"]
    guest.output(f"echo {address} > {DRIVER}/unbind")
    return lambda: guest.output(f"echo {address} > {DRIVER}/bind")


def hello(command):
    @guests(guest=GUEST)
    def run(guest):
        guest.output("printf '%64s' | ivshmemctl write 0")
        guest.output(command("hello"))
        assert guest.output("ivshmemctl read 0 19") == "hello from a guest\n"
    return run


def wake(command):
    @guests(guest=GUEST)
    def run(guest):
        job = guest.start(command("wake"))
        job.wait_for("my own ID is 0")
        guest.output(command("wake 0"))
        status, output = job.wait()
        assert (status, output) == (0, "my own ID is 0\nwoken\n"), output
    return run


def wake_of_an_absent_device(command):
    @guests(guest=GUEST)
    def run(guest):
        bind = unbind(guest)
        status, output = guest.run(command("wake"))
        bind()
        assert status == 1 and "No such file or directory" in output, output
    return run


def loop(command):
    @guests(guest=GUEST)
    def run(guest):
        job = guest.start(command("loop"))
        job.wait_for("waiting on 4 vectors")
        for vector in (3, 0):
            guest.output(f"ivshmemctl ring 0 {vector}")
            job.wait_for(f"vector {vector} fired")
        bind = unbind(guest)
        status, output = job.wait()
        bind()
        assert status == 0, output
        assert output == ("waiting on 4 vectors\nvector 3 fired\nvector 0 fired\n"
                          "the device is gone\n"), output
    return run


def survive(command):
    @guests(guest=GUEST)
    def run(guest):
        guest.output("printf '\\0\\0\\0\\0' | ivshmemctl write 0")
        job = guest.start(command("survive"))
        for text, number in (("\\1\\0\\0\\0", "1"), ("\\0\\1\\0\\0", "256")):
            guest.output(f"printf '{text}' | ivshmemctl write 0")
            job.wait_for(f"^{number}$")
        bind = unbind(guest)
        status, output = job.wait()
        bind()
        assert (status, output) == (0, "1\n256\nthe device is gone\n"), output
    return run


TESTS = {
    "hello_writes_a_greeting": hello,
    "wake_wakes_and_is_woken": wake,
    "wake_fails_without_a_device": wake_of_an_absent_device,
    "loop_sees_every_vector_and_the_end": loop,
    "survive_outlives_its_device": survive,
}


def test_every_example_is_built():
    for path in sorted((tree.TOP / "examples").glob("*.c")):
        assert tree.built(f"examples/{path.stem}"), path.name
