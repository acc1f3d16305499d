# SPDX-License-Identifier: GPL-2.0-or-later
"""The kselftest programs of selftests/guest, each in a guest.

A new file there is a new test here. The guest has a doorbell device with 4
vectors (its node in $IVSHMEM_NODE) and a plain one ($IVSHMEM_PLAIN_NODE), 1 MiB
of memory each. Each TAP line of the program is counted.
"""
import kselftest
from machine import STANDARD
from scenario import guests


def generate():
    source = kselftest.SOURCE
    for path in sorted([*source.glob("*.c"), *source.glob("*.sh")]):
        yield f"test_{path.stem}", _test(path)


def _test(path):
    name = path.stem if path.suffix == ".c" else path.name

    @guests(guest=STANDARD)
    def run(guest, lab, report):
        return kselftest.run(name, guest, lab, report)

    return run
