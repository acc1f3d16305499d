# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own mm/pfnmap selftest, on our node."""
import tap
import tree
from machine import Machine, Plain
from scenario import Skip, guests


@guests(guest=Machine(Plain()))
def test_the_kernels_own_test_of_such_mappings(guest, report):
    if not tree.built("selftests/guest/pfnmap"):
        raise Skip("scripts/kselftest-pfnmap could not build it, see above")
    node = guest.node()["path"]
    status, output = guest.run(f"cd /tests && ./pfnmap -- {node} 2>&1", 60)
    failed = 0
    for result in tap.parse("pfnmap", output, status):
        report(result.verdict, f"kernel/{result.name}", result.reason)
        failed += result.verdict != "passed"
    assert not failed, output
