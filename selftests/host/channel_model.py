#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The models of channels (selftests/model) hold, and each mutant is caught."""
import shutil
import subprocess

import program
import tree
from scenario import skip

MODELS = tree.TOP / "selftests/model"


def errors(model, mutant):
    """How many errors spin finds in the whole state space, and its output."""
    place = tree.scratch()
    try:
        run(["spin", "-a", f"-DMUTANT={mutant}", MODELS / f"{model}.pml"], place)
        run(["gcc", "-O1", "-w", "-DSAFETY", "-o", "pan", "pan.c"], place)
        output = run(["./pan", "-m100000"], place)
    finally:
        tree.remove(place)
    assert "max search depth too small" not in output, output
    return int(output.split("errors: ")[1].split()[0]), output


def run(command, place):
    found = subprocess.run(command, cwd=place, capture_output=True, text=True,
                           timeout=tree.limit(60))
    assert not found.returncode, found.stdout + found.stderr
    return found.stdout


def check(model, mutants):
    if not shutil.which("spin"):
        skip("no spin")
    found, output = errors(model, 0)
    assert found == 0, output
    for mutant in range(1, mutants + 1):
        found, output = errors(model, mutant)
        assert found, f"mutant {mutant} of {model}.pml is not caught\n{output}"


def test_no_wake_up_is_lost_and_every_missing_fence_is_found():
    check("channel", 7)


def test_an_end_has_one_user_and_every_missing_swap_is_found():
    check("takeover", 3)


program.main()
