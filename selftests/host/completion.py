#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bash completes the words of ivshmemctl and of ivshmemd, and knows all that their
--help knows."""
import re
import shutil
import subprocess

import program
import tree
from scenario import skip

SCRIPT = """
. "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
"_$1"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(*words, tool="ivshmemctl"):
    """The proposals for the last of the words."""
    if not shutil.which("bash"):
        skip("no bash")
    run = subprocess.run(["bash", "-c", SCRIPT, "bash",
                          tree.TOP / "completion" / tool, tool, *words],
                         capture_output=True, text=True)
    assert run.returncode == 0 and not run.stderr, run.stderr
    return set(run.stdout.split())


def help_of(*words):
    return subprocess.run([tree.BUILD / "tools/ivshmemctl", *words, "--help"],
                          capture_output=True, text=True, check=True).stdout


def subcommands():
    part = help_of().split("Subcommands:")[1].split("Options:")[0]
    return set(re.findall(r"^  ([a-z]+) ", part, re.M))


def options(*words):
    """Long options in the usage line of a subcommand, or in the table."""
    text = help_of(*words)
    text = text.splitlines()[0] if words else text
    return set(re.findall(r"--[a-z][a-z0-9]*(?:-[a-z]+)*", text))


def test_an_empty_word_may_be_a_subcommand_or_an_option():
    assert complete("") == subcommands() | options()


def test_each_subcommand_has_the_options_of_its_help():
    for name in subcommands():
        proposed = complete(name, "--") - {"--device", "--help"}
        assert proposed == options(name), (name, proposed)


def test_what_was_begun_is_completed():
    assert complete("he") == {"hexdump"}
    assert complete("list", "--j") == {"--json"}


def test_a_subcommand_is_found_behind_the_device():
    assert complete("-d", "0", "wait", "--t") == {"--timeout"}


def test_a_number_is_left_to_the_user():
    assert complete("wait", "0", "--count", "") == set()
    assert complete("wait", "0", "--timeout", "") == set()


def server(*words):
    return complete(*words, tool="ivshmemd")


def test_ivshmemd_has_the_options_of_its_help_and_two_subcommands():
    text = subprocess.run([tree.BUILD / "server/ivshmemd", "--help"],
                          capture_output=True, text=True, check=True).stdout
    usage, table = text.split("\n\n", 1)
    assert server("") == (set(re.findall(r"^ .*?(--[a-z]+(?:-[a-z]+)*)", table, re.M))
                          | set(re.findall(r"ivshmemd ([a-z]+)", usage)))


def test_ivshmemds_subcommands_have_options_of_their_own():
    assert server("status", "--") == {"--json", "--socket"}
    assert server("kick", "3", "--") == {"--socket"}
    assert server("-F", "--announce-leave", "") == {"yes", "no"}
    assert server("-n", "") == set()


program.main()
