# SPDX-License-Identifier: GPL-2.0-or-later
"""hugepages: reserve huge pages on the host for the tests that need them.

Only root can; what was reserved is given back at exit. missing() is for
@needs: a reason to skip, or None.
"""
import atexit
import os
import subprocess
from pathlib import Path

import tree

POOL = Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
WANTED = 16


def missing():
    """Why there are no 32 MiB of huge pages, or None."""
    if not POOL.exists():
        return "the host's kernel has no huge pages of 2 MiB"
    if _free() >= WANTED:
        return None
    number = POOL / "nr_hugepages"
    if not os.access(number, os.W_OK):
        return f"no free huge pages, and only root may write {number}"
    before = number.read_text()
    try:
        number.write_text(str(int(before) + WANTED))
    except OSError as error:
        return f"{number}: {error.strerror}"
    atexit.register(_give_back, number, before)
    if _free() < WANTED:
        return "the host has no room for 16 huge pages"
    return None


def _free():
    return int((POOL / "free_hugepages").read_text())


def _give_back(number, before):
    try:
        number.write_text(before)
    except OSError:
        pass


class Mounted:
    """A hugetlbfs, mounted while the block runs."""

    def __enter__(self):
        self.directory = tree.scratch()
        mount = subprocess.run(["mount", "-t", "hugetlbfs", "-o", "pagesize=2M",
                                "none", self.directory], capture_output=True,
                               text=True)
        if mount.returncode:
            from scenario import skip
            tree.remove(self.directory)
            skip("hugetlbfs cannot be mounted here: " + mount.stderr)
        return self.directory

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.directory], check=False)
        tree.remove(self.directory)
