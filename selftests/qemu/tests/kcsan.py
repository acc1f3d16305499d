# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel that finds data races: KCSAN, strict, on two processors.

The programs that race most run on it. A report that concerns the module fails the
test like every other line of the log that tells of a bug; none is suppressed.
"""
import kcsan
import kselftest
from machine import KCSAN
from scenario import full, guests

#: Programs of selftests/guest, and more of their environment.
PROGRAMS = {
    "uapi": "", "mmap": "", "remap": "", "vector": "", "event": "", "wait": "",
    "mask": "", "remove": "IVSHMEM_CYCLES=5", "waiters": "IVSHMEM_RACES=50",
    "cycles": "IVSHMEM_CYCLES=20", "fuzz": "IVSHMEM_CALLS=5000",
}


def generate():
    for name, words in PROGRAMS.items():
        yield f"test_{name}", _test(name, words)


def _test(name, words):
    @full
    @guests(guest=KCSAN)
    def run(guest, lab, report):
        return kselftest.run(name, guest, lab, report, "kcsan", 120, words)
    return run


@full
@guests(guest=KCSAN)
def test_a_module_that_races_is_reported(guest):
    """And so would ours be: it is built in the same way, against the same kernel."""
    cpus = guest.output("grep -c ^processor /proc/cpuinfo")
    assert int(cpus) >= 2, cpus
    calls = guest.output("grep -c __tsan_ /lib/modules/*/ivshmem_guest.ko")
    assert int(calls) > 0, "the module is not instrumented"
    before = len(guest.console.text())
    guest.output("modprobe ivshmem_racer")
    guest.console.wait_for("[ivshmem_racer]", 2, 30)
    guest.output("rmmod ivshmem_racer")
    found = kcsan.reports(guest.console.text()[before:], "ivshmem_racer")
    assert found and "racer_run" in found[0], found
