# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel that finds bugs finds them: else that it finds none in ours says nothing.

The module ivshmem_wrong does one thing that is wrong each time it is loaded.
"""
import kmemleak
from machine import DEBUG
from scenario import guests

#: What it does, and the kernel's words for it. After a report of KASAN or of
#: lockdep there is none of lockdep any more.
DEFECTS = {
    "sleep": "BUG: sleeping function called from invalid context",
    "shift": "UBSAN: shift-out-of-bounds",
    "timer": "ODEBUG: free active",
    "rcu": "WARNING: suspicious RCU usage",
    "locks": "possible circular locking dependency detected",
    "free": "BUG: KASAN: use-after-free",
}


def reported(guest, defect):
    """The lines that a test would fail with, once the defect was there."""
    guest.output(f"modprobe ivshmem_wrong defect={defect} && rmmod ivshmem_wrong"
                 f" && echo end of {defect} > /dev/kmsg")
    guest.console.wait_for(f"end of {defect}")
    return guest.splats()


@guests(guest=DEBUG, fresh=True)
def test_what_is_wrong_is_reported(guest, lab):
    kinds = {defect: reported(guest, defect) for defect in DEFECTS}
    missing = [defect for defect, words in DEFECTS.items()
               if not any(words in line for line in kinds[defect])]
    lab.close()
    assert not missing, (missing, kinds)


@guests(guest=DEBUG, fresh=True)
def test_memory_that_is_lost_is_reported(guest, lab):
    results = []
    with kmemleak.watched(guest, lambda *result: results.append(result), "controls"):
        guest.output("modprobe ivshmem_wrong defect=leak")
    lab.close()
    (verdict, _, found), = results
    assert verdict == "failed" and "size 1024" in found, found
    assert found.count("unreferenced object") == 1, found
