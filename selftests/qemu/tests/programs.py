# SPDX-License-Identifier: GPL-2.0-or-later
"""The kselftest programs of selftests/guest, each in a guest.

A new file there is a new test here. The guest has a doorbell device with 4
vectors (its node in $IVSHMEM_NODE) and a plain one ($IVSHMEM_PLAIN_NODE), 1 MiB
of memory each. Each TAP line of the program is counted.
"""
import tap
import tree
from machine import STANDARD
from scenario import COUNTED, guests


def generate():
    source = tree.TOP / "selftests" / "guest"
    for path in sorted([*source.glob("*.c"), *source.glob("*.sh")]):
        yield f"test_{path.stem}", _test(path)


def _test(path):
    program = path.stem if path.suffix == ".c" else path.name

    @guests(guest=STANDARD)
    def run(guest, lab, report):
        if path.suffix == ".c" and not tree.built(f"selftests/guest/{program}"):
            raise AssertionError(f"{path.name} is not built")
        doorbell, plain = guest.node(vectors=4), guest.node(vectors=0)
        status, output = guest.run(
            f"cd /tests && IVSHMEM_NODE={doorbell['path']}"
            f" IVSHMEM_PLAIN_NODE={plain['path']} ./{program} 2>&1", 30)
        (guest.logs / f"{program}.tap").write_text(output)
        results = tap.parse(path.stem, output, status)
        for result in results:
            report(result.verdict, f"guest/{result.name}", result.reason)
        if any(result.verdict == "failed" for result in results):
            lab.close()     # the next program gets a guest that is whole
        return COUNTED

    return run
