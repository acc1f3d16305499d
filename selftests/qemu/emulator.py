# SPDX-License-Identifier: GPL-2.0-or-later
"""emulator: the QEMU that runs a guest: the host's, or a newer Debian's.

A newer one is unpacked into the cache with all that it depends on, the C library
too, and run by its own loader: nothing is installed.
"""
import tempfile
from pathlib import Path

import suites
import tree

NAME = "qemu-system-x86_64"
#: Name of a row: the suite that has it, and whose versions go first in it.
ROWS = {"11.1": ("trixie-and-backports", "trixie-backports")}
LIBRARIES = "usr/lib/x86_64-linux-gnu"
FIRMWARE = ("usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu")


def command(row="", host=NAME):
    """The words that start a QEMU, the host's if there is no row; SuiteError if
    it cannot be had."""
    if not row:
        return [host]
    place = tree.cache() / "roots" / f"qemu-{row}"
    with suites.locked(tree.cache() / "roots" / f"qemu-{row}.lock"):
        if not place.exists():
            _make(place, *ROWS[row])
    return [str(place / LIBRARIES / "ld-linux-x86-64.so.2"), "--library-path",
            str(place / LIBRARIES), str(place / "usr/bin" / NAME),
            *(word for path in FIRMWARE for word in ("-L", str(place / path)))]


def _make(place, suite, release):
    with tempfile.TemporaryDirectory(dir=place.parent) as temporary:
        debs, new = Path(temporary, "debs"), Path(temporary, "root")
        for path in (debs, new):
            path.mkdir()
        for package in suites.Suite(suite).download_all(["qemu-system-x86"], debs,
                                                        release):
            suites.unpack(package, new)
        new.rename(place)
