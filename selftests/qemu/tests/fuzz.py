# SPDX-License-Identifier: GPL-2.0-or-later
"""The node's fuzzer, fuzz.c, where KCOV guides it: the kernel that finds bugs.

programs.py runs it without, on the distribution's kernel. Its figures are in
fuzz.tap among the logs.
"""
import re

import kmemleak
import kselftest
from machine import DEBUG, debug
from scenario import full, guests


def fuzz(guest, lab, report, calls, seconds):
    done = kselftest.run("fuzz", guest, lab, report, f"{calls} calls", seconds,
                         f"IVSHMEM_GUIDED=1 IVSHMEM_CALLS={calls}")
    print(*re.findall("# fuzzer .*", (guest.logs / "fuzz.tap").read_text()), sep="\n")
    return done


@guests(guest=DEBUG, fresh=True)
def test_guided_calls_harm_nobody(guest, lab, report):
    kmemleak.forget(guest)
    done = fuzz(guest, lab, report, 100000, 300)
    kmemleak.tell(guest, report, "fuzz")
    return done


@full
@guests(guest=debug(append="kmemleak=off"), fresh=True)
def test_ten_million_guided_calls_harm_nobody(guest, lab, report):
    """Without kmemleak, which would take half of the time. The last tenth of the calls
    finds no new place: each fuzzer is on its plateau."""
    done = fuzz(guest, lab, report, 10000000, 7200)
    text = (guest.logs / "fuzz.tap").read_text()
    for number in range(2):
        places = re.findall(rf"# fuzzer {number}: .* (\d+) places", text)
        assert places[-1] == places[-2], places
    return done
