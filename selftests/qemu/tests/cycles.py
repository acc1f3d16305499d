# SPDX-License-Identifier: GPL-2.0-or-later
"""A device that goes and comes back thousands of times: cycles.c and waiters.c for
longer.

On the distribution's kernel for volume, on the kernel that finds bugs for races.
In QEMU 11.1, since one before 8.1 crashes once in some hundred times that a guest
with two processors moves a BAR. The figures are in the program's output, cycles.tap
among the logs.
"""
import kmemleak
import kselftest
from machine import STANDARD, Machine, debug
from scenario import full, guests

STOCK = Machine(*STANDARD.devices, smp=2, qemu="11.1")
BUGS = debug(qemu="11.1")


def volume(program, variable, machine, count, seconds):
    @guests(guest=machine)
    def run(guest, lab, report):
        return kselftest.run(program, guest, lab, report, f"{count} {program}",
                             seconds, f"{variable}={count}")
    return run


def cycles_on_bugs(count, seconds):
    """It keeps what was freed, so that its memory says nothing: kmemleak does."""
    @guests(guest=BUGS, fresh=True)
    def run(guest, lab, report):
        kmemleak.forget(guest)
        done = kselftest.run("cycles", guest, lab, report, f"{count} cycles", seconds,
                             f"IVSHMEM_CYCLES={count}")
        kmemleak.tell(guest, report, f"{count} cycles")
        return done
    return run


test_thousands_of_lives = volume("cycles", "IVSHMEM_CYCLES", STOCK, 5000, 400)
test_lives_on_the_kernel_that_finds_bugs = cycles_on_bugs(300, 600)
test_a_hundred_thousand_lives = full(
    volume("cycles", "IVSHMEM_CYCLES", STOCK, 100000, 9000))
test_ten_thousand_lives_on_the_kernel_that_finds_bugs = full(
    cycles_on_bugs(10000, 18000))
test_ten_thousand_races_with_those_who_wait = full(
    volume("waiters", "IVSHMEM_RACES", STOCK, 10000, 600))
