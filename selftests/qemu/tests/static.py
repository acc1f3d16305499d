# SPDX-License-Identifier: GPL-2.0-or-later
"""What reads the sources without running them finds nothing to complain of.

The module, on the headers of each kernel, under kbuild's extra warnings, gcc's
analyzer, sparse, clang and its analyzer; and under the kernel's semantic patches and
checkpatch. Library, tool and server under clang and gcc's analyzer; scripts under
shellcheck; spelling.
"""
import os
import re
import shutil
import subprocess

import analysis
import kernel
import tree
from scenario import COUNTED, full, kernels, needs, skip

#: What the analyzer of gcc 12 reports and is not so, each with the reason.
NOT_SO = {
    ("peers.c", "leak of 'eventfds'"): "the peer owns it, and is freed with it",
    ("keeper.c", "leak of 'names'"): "of a child that becomes the server or ends",
    ("keeper.c", "uninitialized value 'fds[i]'"): "the loop before has filled it",
    ("queue.c", "dereference of NULL '0'"): "the control buffer has room for one",
    ("vector.c", "uninitialized value '*binding.eventfd'"):
        "the head of a list is no entry of it",
    ("scatterlist.h", "dereference of NULL 'sg'"): "a table has what its count says",
}
#: What checkpatch --strict says and is meant so, by file or for all of them.
MEANT = {
    "UNCOMMENTED_DEFINITION": "the comment above a struct says what its locks are for",
    "LONG_LINE": "a text for users is not broken",
    "trace.h: OPEN_ENDED_LINE": "events are laid out so everywhere",
    "trace.h: PARENTHESIS_ALIGNMENT": "the same",
    "event.c: COMPLEX_MACRO": "a loop",
    "event.c: MACRO_ARG_REUSE": "its arguments are names of variables",
    "event.c: PARENTHESIS_ALIGNMENT": "the line would be too long",
    "ivshmem_drv.h: JIFFIES_COMPARISON": "any other tick is meant, not a later one",
    "regs.c: BIT_MACRO": "an offset",
    "compat.h: CAMELCASE": "the language's own name",
    "compat.h: LINE_SPACING": "the macro belongs to the function",
    "ivshmem_guest.h: LINE_SPACING": "it does not know __attribute__ behind a name",
}
#: The kernels on whose headers the module is read.
KERNELS = ("5.10", "7.3")
#: In make check-full.
REST = ("6.1", "6.12")
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


def read_module(name, report):
    """All who read the module, on one kernel's headers."""
    try:
        where = kernel.find(name)
    except kernel.KernelError as error:
        skip(str(error))
    place, status, text = analysis.build(where)
    try:
        assert status == 0, text[-3000:]
        verdict(report, f"W=1 and gcc's analyzer on {name}",
                new(kernel.warnings(text)))
        for reader, words in analysis.READERS.items():
            verdict(report, f"{reader} on {name}",
                    analysis.read(where, place, words))
    finally:
        tree.remove(place)
    return COUNTED


def verdict(report, name, found):
    report("failed" if found else "passed", f"static: the module, {name}",
           "\n".join(found))


def new(warnings):
    """Those that are so. A compiler with a language quotes in its own way."""
    return [line for line in warnings
            if not any(file in line and what in re.sub("[‘’]", "'", line)
                       for file, what in NOT_SO)]


def generate():
    for name in KERNELS:
        yield f"test_the_module_has_no_warning_on_{name}", _on(name)
    for name in REST:
        yield f"test_the_module_has_no_warning_on_{name}", full(_on(name))


def _on(name):
    @needs(installed("sparse"))
    @needs(installed("clang"))
    def run(report):
        return read_module(name, report)
    return run


def of_the_kernel(name):
    """One of its scripts, from that which finds bugs: it is built from source."""
    try:
        return kernel.find("debug").headers / "scripts" / name
    except kernel.KernelError as error:
        skip(str(error))


@needs(installed("spatch"))
@kernels("debug")
def test_coccicheck_finds_nothing_in_the_module():
    rules = of_the_kernel("coccinelle")
    assert not (found := analysis.semantic(rules, tree.TOP / "kernel")), found


@needs(installed("perl"))
@kernels("debug")
def test_checkpatch_has_nothing_to_say_of_the_module_but_what_is_meant_so():
    found = analysis.style(of_the_kernel("checkpatch.pl"), [
        name for name in sources()
        if re.match("(kernel|include|selftests/modules)/.*[.][ch]$", name)])
    wrong = [f"{name}: {kind}: {what}" for name, kind, what in found
             if not {kind, f"{os.path.basename(name)}: {kind}"} & set(MEANT)]
    assert found and not wrong, "\n".join(wrong)


@needs(installed("clang"))
def test_clang_has_no_warning_for_library_tool_and_server():
    assert not (found := build_programs("clang")), "\n".join(found)


def test_the_analyzer_of_gcc_finds_nothing():
    found = new(build_programs("gcc -fanalyzer"))
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
