#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/SECURITY.md: each thing that somebody cannot do names tests that are there.

A test is written `FILE NAME`, FILE below selftests/.
"""
import re

import program
import tree
from discover import has_test

TEXT = (tree.TOP / "docs/SECURITY.md").read_text()
#: What only reading the code can show says so.
READ = "read the code"


def promises():
    """(what cannot be done, how it is shown) of each row of the tables."""
    rows = re.findall(r"^\| (.+?) \| .+ \| (.+?) \|$", TEXT, re.M)
    return [row for row in rows if row[0] not in ("cannot", "---")]


def named(text):
    return re.findall(r"`(\S+\.(?:c|py)) (\w+)`", text)


def test_each_promise_names_tests_that_exist():
    rows = promises()
    assert rows, "no table was found"
    wrong = [f"{what}: {shown}" for what, shown in rows
             if READ not in shown and not named(shown)
             or any(not has_test(*test) for test in named(shown))]
    assert not wrong, "no such test:\n" + "\n".join(wrong)


def test_a_test_that_is_not_there_would_be_found():
    assert not has_test("guest/mmap.c", "is_a_free_lunch")
    assert has_test("guest/mmap.c", "executable_is_eperm")


program.main()
