# SPDX-License-Identifier: GPL-2.0-or-later
"""Each allocation of each call fails in turn: failures.c on a kernel that injects.

Memory, pages, and copies from and to the user. Nothing may leak, and what was
hit in the driver is printed: where it called what failed.
"""
import re

import kmemleak
import kselftest
from machine import debug
from scenario import full, guests

#: All caches are marked for failslab but one: the kernel itself, 6.1, dies when a
#: node of a radix tree cannot be had while it makes a mapping of interrupts.
MACHINE = debug(append="slub_debug=A;-,radix_tree_node")
INJECT = """
cd /sys/kernel/debug
for kind in failslab fail_page_alloc; do
    echo N > $kind/ignore-gfp-wait
    echo 2 > $kind/verbose
done
echo 0 > fail_page_alloc/min-order
echo 2 > fail_usercopy/verbose
echo Y > failslab/cache-filter
"""


def sites(text):
    """{where in the driver: how often} of the failures that the log tells of."""
    found = {}
    for report in text.split("FAULT_INJECTION: forcing a failure")[1:]:
        trace = report.split("</TASK>")[0]
        frames = re.findall(r"(\w+)\+0x[0-9a-f]+/0x[0-9a-f]+ \[ivshmem_guest\]",
                            trace)
        site = frames[0] if frames else "elsewhere in the kernel"
        found[site] = found.get(site, 0) + 1
    return found


@full
@guests(guest=MACHINE, fresh=True)
def test_of_each_allocation_leave_each_call_usable(guest, lab, report):
    guest.output(INJECT)
    # The kernel removes files of /proc/irq that it could not make.
    guest.console.expected.append("at remove_proc_entry+")
    with kmemleak.watched(guest, report, "failures"):
        done = kselftest.run("failures", guest, lab, report, "failures", 3000)
    found = sites(guest.console.text())
    for site, count in sorted(found.items()):
        print(f"# {count:4} failed below {site}")
    assert len(found) > 1, "nothing failed in the driver"
    return done
