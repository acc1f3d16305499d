# SPDX-License-Identifier: GPL-2.0-or-later
"""debugkernel: the kernel that finds bugs, which scripts/debug-kernel builds.

It is asked for like those of rows.py: Machine(kernel="debug"). It is not built
here, since that takes longer than most tests together: what needs it is skipped
until somebody has run the script, as make check-full does.
"""
import subprocess
from pathlib import Path

import tree
from rows import Files
from suites import SuiteError

NAME = "debug"
DIRECTORY = tree.cache() / "debug-kernels"
#: The module records what of it ran: for its own fuzzer, and for gcov.
MAKE = ("KCOV_INSTRUMENT=y", "GCOV_PROFILE=y")


def cached(name):
    """The files of the kernel; SuiteError if it is not built."""
    run = subprocess.run([tree.TOP / "scripts/debug-kernel", "--cached"],
                         text=True, capture_output=True)
    if run.returncode:
        raise SuiteError(run.stderr[-2000:].strip())
    place = Path(run.stdout.strip())
    version = (place / "release").read_text().strip()
    return Files(version, place / "vmlinuz", place / "build")
