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


def instructions(kind, program="channel"):
    """Of one message: the difference of two runs."""
    if not shutil.which("valgrind"):
        skip("no valgrind")
    if not tree.built(f"bench/{program}"):
        skip(f"bench/{program} is not built")
    few, many = (collected(program, kind, count) for count in (640, 6400))
    return (many - few) / (6400 - 640)


def collected(program, kind, count):
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         tree.BUILD / "bench" / program, "cost", kind, "64", str(count)],
        capture_output=True, text=True, timeout=tree.limit(30))
    assert not run.returncode, run.stderr
    return int(re.search(r"Collected : (\d+)", run.stderr)[1])


def test_a_message_in_a_slot_costs_at_most_60_instructions():
    found = instructions("slots")
    assert 0 < found <= 60, f"{found:.1f} instructions"


def test_a_message_as_a_record_costs_at_most_76_instructions():
    found = instructions("records")
    assert 0 < found <= 76, f"{found:.1f} instructions"


def test_checks_of_the_peer_cost_at_most_6_instructions_for_each_operation():
    """In place a message takes four: reserve, commit, peek, release."""
    for kind, operations in (("slots", 2), ("records", 2), ("place", 4)):
        more = instructions(kind) - instructions(kind, "channel-trusting")
        more /= operations
        assert -1 < more <= 6, f"{kind}: {more:.1f} instructions"


program.main()
