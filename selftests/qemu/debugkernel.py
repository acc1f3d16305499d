# SPDX-License-Identifier: GPL-2.0-or-later
"""debugkernel: the kernels that find bugs, which scripts/debug-kernel builds.

They are asked for like those of rows.py: Machine(kernel="debug"), or "kcsan". To
build one takes longer than most tests together. So build() starts with the first
test, beside the others and yielding to them, the tests that need one come last, and
only those wait for it.
"""
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import child
import tree
from rows import Files
from suites import SuiteError

#: In the order in which they are built.
NAMES = ("debug", "kcsan")
DIRECTORY = tree.cache() / "debug-kernels"
#: Where the kernel can, the module is checked by UBSAN, and records what of it ran,
#: for its own fuzzer and for gcov. It has the lines of its sources: failures.py.
MAKE = ("UBSAN_SANITIZE=y", "KCOV_INSTRUMENT=y", "GCOV_PROFILE=y", "KCFLAGS=-g")
SCRIPT = tree.TOP / "scripts/debug-kernel"
#: What the script says of a configuration that was refused, or make of an error.
BROKEN = r"the configuration does not give|\*\*\* .* Error"
#: Seconds that one may take on a busy machine.
LIMIT = 3600
#: Of a build, while it runs.
_building = {}


def needed(test):
    """The names of those that a test needs."""
    return test.kernels & set(NAMES)


def place_in_run(test):
    """To sort tests by: those that need none, then in the order of building."""
    return max((NAMES.index(name) + 1 for name in needed(test)), default=0)


def build(names):
    """Start to build those that are not in the cache, one after the other."""
    missing = [name for name in NAMES if name in names and not _place(name)[0]]
    if not missing:
        return
    log = open(_log(), "w")
    commands = "; ".join(f"{SCRIPT} {name}" for name in missing)
    process = child.start(["nice", "-n", "19", "sh", "-c", commands],
                          stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    _building.update(dict.fromkeys(missing, process))


def cached(name):
    """The files of the kernel, once it is built; SuiteError if it is not."""
    _wait(name)
    place, problem = _place(name)
    if not place:
        log = _log().read_text() if name in _building else problem
        # What cannot be had here is one thing, sources that do not build another.
        assert not re.search(BROKEN, log), log[-2000:]
        raise SuiteError(log[-2000:])
    version = (place / "release").read_text().strip()
    return Files(version, place / "vmlinuz", place / "build")


def stop():
    """Whoever leaves early leaves no compilers behind."""
    for process in set(_building.values()):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)


def _place(name):
    """(where it is, why it is nowhere)"""
    run = subprocess.run([SCRIPT, "--cached", name], text=True, capture_output=True)
    return (None, run.stderr[-2000:].strip()) if run.returncode \
        else (Path(run.stdout.strip()), "")


def _log():
    tree.LOGS.mkdir(parents=True, exist_ok=True)
    return tree.LOGS / "debug-kernel.log"


def _wait(name):
    """Until it is built, or cannot be; says how far it is."""
    process, end = _building.get(name), time.monotonic() + LIMIT
    while process and process.poll() is None and not _place(name)[0]:
        if time.monotonic() > end:
            raise SuiteError(f"{name} was not built within {LIMIT} s")
        print("# waits:", *_log().read_text().splitlines()[-1:], flush=True)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            pass
