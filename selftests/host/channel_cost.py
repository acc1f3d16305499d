#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a message costs in instructions, counted exactly by callgrind: a send and
a receive of 64 bytes in batches of 64, and all that the benchmark does around."""
import re
import shutil
import subprocess

import program
import tree
from scenario import skip


def instructions(kind):
    """Of one message: the difference of two runs."""
    if not shutil.which("valgrind"):
        skip("no valgrind")
    if not tree.built("bench/channel"):
        skip("bench/channel is not built")
    few, many = (collected(kind, count) for count in (640, 6400))
    return (many - few) / (6400 - 640)


def collected(kind, count):
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         tree.BUILD / "bench/channel", "cost", kind, "64", str(count)],
        capture_output=True, text=True, timeout=tree.limit(30))
    assert not run.returncode, run.stderr
    return int(re.search(r"Collected : (\d+)", run.stderr)[1])


def test_a_message_in_a_slot_costs_at_most_130_instructions():
    found = instructions("slots")
    assert 0 < found <= 130, f"{found:.1f} instructions"


def test_a_message_as_a_record_costs_at_most_170_instructions():
    found = instructions("records")
    assert 0 < found <= 170, f"{found:.1f} instructions"


program.main()
