# SPDX-License-Identifier: GPL-2.0-or-later
"""A device that goes and comes back thousands of times: cycles.c and waiters.c for
longer.

On the distribution's kernel for volume, on the kernel that finds bugs for races.
In QEMU 11.1, since one before 8.1 crashes once in some hundred times that a guest
with two processors moves a BAR. Both programs say their figures.
"""
from contextlib import nullcontext

import kmemleak
import kselftest
from machine import ALL, OFFER_ALL, STANDARD, Machine, debug
from scenario import full, guests

STOCK = Machine(*STANDARD.devices, smp=2, qemu="11.1")
BUGS = debug(qemu="11.1")
#: The same, whose devices offer all calls. dma-debug wants no page mapped twice, but
#: dma-bufs are for many devices.
STOCK_ALL = Machine(*ALL, smp=2, memory=512, qemu="11.1", append=OFFER_ALL)
BUGS_ALL = debug(*ALL, qemu="11.1", append=f"{OFFER_ALL} dma_debug=off")


def volume(program, variable, machine, count, seconds):
    @guests(guest=machine)
    def run(guest, lab, report):
        # Its memory says nothing, since it keeps what was freed: kmemleak does.
        watch = kmemleak.watched(guest, report, f"{count} {program}") \
            if machine.kernel == "debug" else nullcontext()
        with watch:
            done = kselftest.run(program, guest, lab, report, f"{count} {program}",
                                 seconds, f"{variable}={count}")
        text = (guest.logs / f"{program}.tap").read_text()
        assert OFFER_ALL not in machine.append or " left out" not in text, text
        return done
    return run


def cycles(machine, count, seconds):
    return volume("cycles", "IVSHMEM_CYCLES", machine, count, seconds)


test_thousands_of_lives = cycles(STOCK, 5000, 400)
test_lives_in_all_calls = cycles(STOCK_ALL, 100, 200)
test_lives_on_the_kernel_that_finds_bugs = cycles(BUGS, 300, 600)
test_races_on_the_kernel_that_finds_bugs = full(
    volume("waiters", "IVSHMEM_RACES", BUGS, 200, 900))
test_lives_in_all_calls_on_the_kernel_that_finds_bugs = full(
    cycles(BUGS_ALL, 300, 900))
test_a_hundred_thousand_lives = full(cycles(STOCK, 100000, 9000))
test_ten_thousand_lives_on_the_kernel_that_finds_bugs = full(
    cycles(BUGS, 10000, 18000))
test_ten_thousand_races_with_those_who_wait = full(
    volume("waiters", "IVSHMEM_RACES", STOCK, 10000, 1200))
