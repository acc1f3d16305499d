# SPDX-License-Identifier: GPL-2.0-or-later
"""kmemleak: memory that nobody points to any more, on the kernel that finds bugs."""
from contextlib import contextmanager

FILE = "/sys/kernel/debug/kmemleak"


def lost(guest):
    """What it finds, or "": only what is older than five seconds is looked at."""
    guest.output(f"sleep 6; for i in 1 2; do echo scan > {FILE}; done", 60)
    return guest.output(f"cat {FILE}", 30).strip()


@contextmanager
def watched(guest, report, name):
    """Report as a test of its own whether something was lost in between."""
    guest.output(f"echo clear > {FILE}", 60)
    yield
    found = lost(guest)
    report("failed" if found else "passed", f"{name}: nothing leaks", found[:3000])
