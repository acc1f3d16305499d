# SPDX-License-Identifier: GPL-2.0-or-later
"""What the hot paths cost, in instructions: selftests/icount/cost.c."""
import tap
from machine import Doorbell, Machine
from scenario import COUNTED, guests

EXACT = Machine(Doorbell(vectors=4), icount=True,
                append="ivshmem_guest.map_registers=1")


@guests(guest=EXACT, fresh=True)
def test_instructions(guest, report):
    status, output = guest.run(f"cd /tests && IVSHMEM_NODE={guest.node()['path']}"
                               " ./cost 2>&1", 60)
    for result in tap.parse("cost", output, status):
        report(result.verdict, f"icount/{result.name}", result.reason)
    print("".join(f"# {line}\n" for line in output.splitlines()
                  if "instructions" in line), end="")
    return COUNTED
