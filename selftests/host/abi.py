#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The binary interface of libivshmem: a program that was linked with the last
release runs with this library. What that release had stands in lib/abi/, written
by "make -C lib abi"; functions may be added, and nothing may change or go."""
import shutil
import subprocess

import program
import tree
from scenario import skip

STORED = tree.TOP / "lib/abi/libivshmem.so.0.abi"


def compare(stored):
    """(whether the library fits, what abidiff says)."""
    if not shutil.which("abidiff"):
        skip("no abidiff (abigail-tools)")
    run = subprocess.run(
        ["abidiff", "--no-added-syms", "--drop-private-types",
         "--hf2", tree.TOP / "lib/ivshmem.h", stored,
         tree.BUILD / "lib/libivshmem.so.0"], capture_output=True, text=True)
    return run.returncode == 0, run.stdout + run.stderr


def compare_with(change):
    """The same with another release, whose ABI was the changed text."""
    place = tree.scratch()
    try:
        text = STORED.read_text()
        assert change(text) != text
        (place / "changed.abi").write_text(change(text))
        return compare(place / "changed.abi")
    finally:
        tree.remove(place)


def test_what_the_last_release_had_is_unchanged():
    fits, output = compare(STORED)
    assert fits, output


def test_another_value_of_a_constant_is_found():
    fits, output = compare_with(lambda text: text.replace(
        "'IVSH_PAGE_ATTR_WC' value='2'", "'IVSH_PAGE_ATTR_WC' value='4'"))
    assert not fits and "IVSH_PAGE_ATTR_WC" in output, output


def test_a_function_that_went_is_found():
    fits, output = compare_with(lambda text: text.replace(
        "ivsh_region_size", "ivsh_region_length"))
    assert not fits and "ivsh_region_length" in output, output


program.main()
