#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of defects that scripts/mutants puts in is as long and as fresh as it
must be: a defect that cannot be put in any more tests nothing."""
import re
import sys

import discover
import program
import tree

sys.path.insert(0, str(tree.TOP / "selftests/mutants"))
from defects import DEFECTS


def test_there_are_at_least_forty():
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS) >= 40


def test_each_can_be_put_in_at_one_place():
    wrong = [defect.name for defect in DEFECTS
             if (tree.TOP / defect.file).read_text().count(defect.old) != 1
             or defect.old == defect.new]
    assert not wrong, wrong


def test_each_names_tests_that_there_are():
    names = [f"host: {path.stem}" for path in discover.host_programs()]
    names += [test.name for test in discover.tests(full=True)]
    wrong = [defect.name for defect in DEFECTS
             if not any(re.search(defect.tests, name.replace("_", " "))
                        for name in names)]
    assert not wrong, wrong


program.main()
