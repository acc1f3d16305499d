# SPDX-License-Identifier: GPL-2.0-or-later
"""The node's fuzzer, fuzz.c, where KCOV guides it: the kernel that finds bugs.

programs.py runs it without, on the distribution's kernel. Its figures are in
fuzz.tap among the logs.
"""
import kselftest
from machine import DEBUG
from scenario import full, guests


def fuzz(calls, seconds):
    @guests(guest=DEBUG, fresh=True)
    def run(guest, lab, report):
        return kselftest.run("fuzz", guest, lab, report, f"{calls} calls", seconds,
                             f"IVSHMEM_CALLS={calls}")
    return run


test_guided_calls_harm_nobody = fuzz(100000, 300)
test_ten_million_guided_calls_harm_nobody = full(fuzz(10000000, 7200))
