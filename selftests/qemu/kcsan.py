# SPDX-License-Identifier: GPL-2.0-or-later
"""kcsan: the reports of data races in the log of a kernel that finds them.

The kernel itself has many, on purpose or not. Only those count in which one of the
two who met was in our module, or in what it called.
"""
import re

OURS = "ivshmem_guest"
HEAD, END = "BUG: KCSAN:", "Reported by Kernel Concurrency Sanitizer"
REPORT = re.compile(f"{HEAD}.*?{END}", re.S)
#: Whoever signals an eventfd wakes those who poll it: a flag on the stack of poll()
#: itself, which it reads plainly and again after a barrier.
OF_POLL = re.compile(r"data-race in poll_schedule_timeout\S* / pollwake\n")


def concerns(report, module=OURS):
    return f"[{module}]" in report and not OF_POLL.search(report)


def reports(text, module=OURS):
    """Those that concern a module."""
    return [report for report in REPORT.findall(text) if concerns(report, module)]


def without_others(text):
    """A log without the reports that do not concern ours."""
    return REPORT.sub(lambda found: found[0] if concerns(found[0]) else "", text)


def unfinished(text):
    """Whether a report is just being written at the end of a log."""
    return text.rfind(END) < text.rfind(HEAD)
