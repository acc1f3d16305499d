# SPDX-License-Identifier: GPL-2.0-or-later
"""kmemleak: memory that nobody points to any more, on the kernel that finds bugs."""

FILE = "/sys/kernel/debug/kmemleak"


def forget(guest):
    """What is lost already is not told again."""
    guest.output(f"echo clear > {FILE}", 60)


def lost(guest):
    """What it finds, or "": only what is older than five seconds is looked at."""
    guest.output(f"sleep 6; for i in 1 2; do echo scan > {FILE}; done", 60)
    return guest.output(f"cat {FILE}", 30).strip()


def tell(guest, report, name):
    """The same, as a test of its own."""
    found = lost(guest)
    report("failed" if found else "passed", f"{name}: nothing leaks", found[:3000])
