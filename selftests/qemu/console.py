# SPDX-License-Identifier: GPL-2.0-or-later
"""console: the kernel log of a guest, and what must never be in it.

QEMU writes the guest's first serial port to a file. Guest.check() reads what
is new in it after each test and fails on the patterns below.
"""
import re
import time

import kcsan
from tree import limit

SPLAT = re.compile(
    r"BUG:|WARNING:|KASAN|KCSAN|UBSAN|INFO: possible|INFO: task|Oops"
    r"|general protection|unreferenced object|sleeping function"
    r"|scheduling while atomic|DMA-API: (?!preallocated|debugging)"
    r"|refcount_t:|ODEBUG:|Kernel panic|rcu: INFO|soft lockup|Call Trace")


class Console:
    def __init__(self, path):
        self.path = path
        self.checked = 0
        #: In lines that would else be splats.
        self.expected = ["FAULT_INJECTION: forcing a failure"]

    def text(self):
        try:
            return self.path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def tail(self, lines=25):
        return "\n".join(self.text().splitlines()[-lines:])

    def wait_for(self, words, times=1, seconds=6):
        """Until the log has the words that often."""
        end = time.monotonic() + limit(seconds)
        while self.text().count(words) < times:
            assert time.monotonic() < end, (words, times, self.tail())
            time.sleep(0.02)

    def splats(self):
        """The lines since the last call that tell of a kernel bug."""
        new = self._new()
        self.checked += len(new)
        new = kcsan.without_others(new)
        return [line for line in self._without_expected(new.splitlines())
                if SPLAT.search(line)]

    def _new(self):
        """What came since the last call, and the rest of a report that is just being
        written; one that is never finished counts as it is."""
        end = time.monotonic() + limit(0.1)
        while kcsan.unfinished(new := self.text()[self.checked:]) \
                and time.monotonic() < end:
            time.sleep(0.02)
        return new

    def _without_expected(self, lines):
        """Without what is expected, and the head of the trace below it."""
        trace = False
        for line in lines:
            if any(words in line for words in self.expected):
                trace = True
            elif trace and "Call Trace" in line:
                trace = False
            else:
                yield line
