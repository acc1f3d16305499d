# SPDX-License-Identifier: GPL-2.0-or-later
"""The kselftest programs of selftests/guest, each in a guest.

A new file there is a new test here. The guest has a doorbell device with 4
vectors (its node in $IVSHMEM_NODE) and a plain one ($IVSHMEM_PLAIN_NODE), 1 MiB
of memory each. Each TAP line of the program is counted.

Some run in a guest whose registers can be mapped, last: registers.c, which is
about them, and once more those that ring through the library or take the device
away. failures.c and loading.c need another kernel: failures.py.
"""
import kselftest
from machine import MAPPED, STANDARD
from scenario import guests


def generate():
    source = kselftest.SOURCE
    for path in sorted([*source.glob("*.c"), *source.glob("*.sh")]):
        if path.stem not in ("registers", "failures", "loading"):
            yield f"test_{path.stem}", _test(path, STANDARD, "guest")
    for name in ("library", "libvector", "registers", "remove"):
        yield (f"test_{name}_with_mapped_registers",
               _test(source / f"{name}.c", MAPPED, "mapped"))


def _test(path, machine, prefix):
    name = path.stem if path.suffix == ".c" else path.name

    @guests(guest=machine)
    def run(guest, lab, report):
        return kselftest.run(name, guest, lab, report, prefix)

    return run
