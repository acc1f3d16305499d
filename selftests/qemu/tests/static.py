# SPDX-License-Identifier: GPL-2.0-or-later
"""What reads the sources without running them finds nothing to complain of.

The module under the kernel's own extra warnings and sparse; library, tool and
server under clang and gcc's analyzer; scripts under shellcheck; spelling.
"""
import os
import re
import shutil
import subprocess

import kernel
import tree
from scenario import needs

#: What the analyzer of gcc 12 reports and is not so, each with the reason.
NOT_SO = {
    ("peers.c", "leak of ‘eventfds’"): "the peer owns it, and is freed with it",
    ("keeper.c", "leak of ‘names’"): "of a child that becomes the server or ends",
    ("keeper.c", "uninitialized value ‘fds[i]’"): "the loop before has filled it",
    ("queue.c", "dereference of NULL ‘0’"): "the control buffer has room for one",
}
#: Words that are right: names of the kernel, of Debian, of syzkaller, of IDs in tests.
WORDS = "fro,iput,nknown,buildd,inout"
NOT_PROSE = re.compile(r"LICENSES/|.*\.(abi|svg)$")


def installed(program):
    return lambda: None if shutil.which(program) else f"no {program}"


def output(words, directory=tree.TOP):
    """(status, what a command printed), with none of our caller's make."""
    run = subprocess.run(words, cwd=directory, text=True, errors="replace",
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         env={**os.environ, "MAKEFLAGS": "", "MFLAGS": "",
                              "LC_ALL": "C.UTF-8"})
    return run.returncode, run.stdout


def sources():
    """The files that git knows, but for those that do not exist here."""
    names = output(["git", "-c", "safe.directory=*", "ls-files"])[1].splitlines()
    return [name for name in names if (tree.TOP / name).is_file()]


def build_module(*options):
    """What make says of a module that is built from scratch."""
    place = tree.scratch()
    try:
        for name in ("kernel", "include"):
            shutil.copytree(tree.TOP / name, place / name,
                            ignore=shutil.ignore_patterns("*.o", "*.ko", ".*"))
        return output(["make", "-s", f"-j{os.cpu_count()}", *options,
                       f"KDIR={kernel.find().headers}", "modules"],
                      place / "kernel")
    finally:
        tree.remove(place)


def build_programs(compiler):
    """The warnings of a compiler for library, tool and server."""
    place = tree.scratch()
    try:
        status, text = output(["make", "-s", f"-j{os.cpu_count()}",
                               f"CC={compiler}", f"O={place}",
                               "lib", "tools", "server"])
    finally:
        tree.remove(place)
    assert status == 0, text[-3000:]
    return [line for line in text.splitlines() if "warning:" in line]


@needs(installed("sparse"))
def test_the_module_has_no_warning_with_W_1_and_sparse():
    status, text = build_module("W=1", "C=1")
    assert status == 0 and not kernel.warnings(text), text[-3000:]


@needs(installed("clang"))
def test_clang_has_no_warning_for_library_tool_and_server():
    assert not (found := build_programs("clang")), "\n".join(found)


def test_the_analyzer_of_gcc_finds_nothing():
    found = [line for line in build_programs("gcc -fanalyzer")
             if not any(file in line and what in line
                         for file, what in NOT_SO)]
    assert not found, "\n".join(found)


@needs(installed("shellcheck"))
def test_shellcheck_finds_nothing_in_the_scripts():
    scripts = [name for name in sources()
               if re.match(r"#!/bin/(ba)?sh", first_line(name))]
    # SC3044 takes a function for bash's builtin; SC1091 is a guest's path.
    status, text = output(["shellcheck", "-x", "-e", "SC3044,SC1091", *scripts])
    assert scripts and status == 0, text[-3000:]


def first_line(name):
    with open(tree.TOP / name, errors="replace") as file:
        return file.readline()


@needs(installed("codespell"))
def test_no_word_is_misspelt():
    prose = [name for name in sources() if not NOT_PROSE.match(name)]
    status, text = output(["codespell", "-L", WORDS, *prose])
    assert prose and status == 0, text[-3000:]
