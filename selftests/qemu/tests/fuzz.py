# SPDX-License-Identifier: GPL-2.0-or-later
"""The node's fuzzer, fuzz.c, where KCOV guides it: the kernel that finds bugs.

programs.py runs it without, on the distribution's kernel.
"""
import re

import kmemleak
import kselftest
from machine import ALL, DEBUG, OFFER_ALL, debug
from scenario import full, guests


def fuzz(guest, lab, report, calls, seconds):
    return kselftest.run("fuzz", guest, lab, report, f"{calls} calls", seconds,
                         f"IVSHMEM_GUIDED=1 IVSHMEM_CALLS={calls}")


def places(guest):
    """{fuzzer: how many places it knew after each tenth of its calls}"""
    found = {}
    for line in re.findall("# fuzzer .*", (guest.logs / "fuzz.tap").read_text()):
        number, count = re.match(r"# fuzzer (\d+): \d+ calls, (\d+) ", line).groups()
        found.setdefault(number, []).append(int(count))
    return found


def guided(machine, name, calls):
    @guests(guest=machine, fresh=True)
    def run(guest, lab, report):
        with kmemleak.watched(guest, report, name):
            done = fuzz(guest, lab, report, calls, 300)
        assert places(guest)
        return done
    return run


test_guided_calls_harm_nobody = guided(DEBUG, "fuzz", 100000)
test_guided_calls_of_all_that_a_device_can_have_harm_nobody = guided(
    debug(*ALL, append=OFFER_ALL), "fuzz of all", 30000)


@full
@guests(guest=debug(append="kmemleak=off"), fresh=True)
def test_ten_million_guided_calls_harm_nobody(guest, lab, report):
    """Without kmemleak, which would take half of the time. The last tenth of the calls
    finds no new place: each fuzzer is on its plateau."""
    done = fuzz(guest, lab, report, 10000000, 7200)
    found = places(guest)
    assert len(found) == 2, found
    assert all(known[-1] == known[-2] for known in found.values()), found
    return done
