# SPDX-License-Identifier: GPL-2.0-or-later
"""kmemleak: memory that nobody points to any more, on the kernel that finds bugs."""
import re
from contextlib import contextmanager

FILE = "/sys/kernel/debug/kmemleak"


def lost(guest):
    """What it finds, or "": only what is older than five seconds is looked at."""
    guest.output(f"sleep 6; for i in 1 2; do echo scan > {FILE}; done", 60)
    return guest.output(f"cat {FILE}", 30).strip()


@contextmanager
def watched(guest, report, name, of_others=None):
    """Report as a test of its own whether something was lost in between, but for
    what the kernel itself loses: where the trace matches."""
    guest.output(f"echo clear > {FILE}", 60)
    yield
    objects = re.split("^(?=unreferenced object)", lost(guest), flags=re.M)
    found = "".join(one for one in objects
                    if not of_others or not re.search(of_others, one))
    report("failed" if found else "passed", f"{name}: nothing leaks", found[:3000])
