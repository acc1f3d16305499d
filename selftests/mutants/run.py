#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Puts defects into a copy of the sources, one at a time, and runs their tests.

Started by scripts/mutants. A defect is caught if its tests fail, and counts for
nothing if it does not build. Before all, the tests must pass without a defect.
The status is 1 if fewer than 90 % of the defects are caught.
"""
import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "qemu"))
import tree
from defects import DEFECTS

PLACE = tree.BUILD / "mutants"
WANTED = 0.9


def check(pattern):
    """Build and run the tests: (verdict, the tests that failed)."""
    environment = {**os.environ, "O": str(PLACE / "build")}
    build = subprocess.run(["make", "-s", "-C", PLACE, "selftests"],
                           env=environment, text=True, capture_output=True)
    if build.returncode:
        return "does not build", build.stderr.splitlines()[-3:]
    run = subprocess.run([sys.executable, "selftests/qemu/check.py", "--full", "-k",
                          pattern], cwd=PLACE, env=environment, text=True,
                         capture_output=True)
    failed = re.findall(r"^not ok \d+ (.*(?:\n#   .*)?)", run.stdout, re.M)
    if any(line.startswith("kernel: the module builds") for line in failed):
        return "does not build", re.findall(r".*error:.*", run.stdout)[:3]
    if not re.search(r"^ok ", run.stdout, re.M) and not failed:
        return "ran no test", run.stderr.splitlines()[-3:]
    return ("caught" if failed else "survived"), failed


def put(defect):
    """Put the defect in; what the file was."""
    path = PLACE / defect.file
    text = path.read_text()
    assert text.count(defect.old) == 1, f"{defect.name}: not there, or twice"
    path.write_text(text.replace(defect.old, defect.new))
    return text


def run(defect):
    start = time.monotonic()
    text = put(defect)
    try:
        verdict, why = check(defect.tests)
    finally:
        (PLACE / defect.file).write_text(text)
    print(f"{verdict:15}{time.monotonic() - start:4.0f} s  {defect.file}:"
          f" {defect.name}", *why[:3], sep="\n    ", flush=True)
    return verdict


def main():
    parser = argparse.ArgumentParser(prog="scripts/mutants", description=__doc__)
    parser.add_argument("-k", metavar="PATTERN", default="",
                        help="only defects whose name or file matches")
    pattern = parser.parse_args().k
    chosen = [defect for defect in DEFECTS
              if re.search(pattern, f"{defect.file}: {defect.name}")]
    if not chosen:
        parser.error(f"no defect matches '{pattern}'")
    tree.remove(PLACE)
    tree.copy_source(PLACE)
    verdict, why = check("|".join(sorted({defect.tests for defect in chosen})))
    if verdict != "survived":
        sys.exit("without a defect: " + "\n".join([verdict, *why]))
    verdicts = [run(defect) for defect in chosen]
    caught = verdicts.count("caught")
    print(f"{caught} of {len(verdicts)} defects caught,"
          f" {verdicts.count('survived')} survived")
    return 0 if verdicts and caught >= WANTED * len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
