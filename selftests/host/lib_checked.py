#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libivshmem and ivshmemctl under sanitizers: the programs that test them without a
device pass. What of the library needs none of a device runs nearly whole."""
import os
import shutil

import checked
import program
import tree
from scenario import skip

TESTS = ["channel_directory", "channel_fuzz", "channel_ring", "channel_wait", "ctl",
         "ctl_list", "lib", "peer", "peer_protocol"]
#: Those that have threads; and the tool, which has one. Not channel_fuzz, whose thread
#: races on purpose.
THREADS = ["channel_wait", "peer", "peer_protocol", "server_restart", "ctl", "ctl_list"]
SCRIPTS = [tree.TOP / "selftests/host" / name for name in
           ("ctl_channel.py", "ctl_host.py")]
#: The rest of lib/ talks to the driver, in guests, where nobody counts lines.
WITHOUT_DEVICE = ["batch.c", "channel.c", "directory.c", "entry.c", "event.c", "memory.c",
                  "message.c", "peers.c", "ring.c", "server.c", "wait.c", "wakeup.c"]
LEAST_PERCENT = 95

_builds = {}


def build(compiler, sanitize, tests):
    if not shutil.which(compiler):
        skip(f"no {compiler}")
    if (compiler, sanitize) not in _builds:
        made = checked.Checked(compiler, f"-O0 {sanitize}")
        _builds[compiler, sanitize] = made
        made.build_library()
        made.build("tools")
        made.build("selftests", *(f"selftests/host/{name}" for name in tests))
    return _builds[compiler, sanitize]


def run_tests(made, tests, *more):
    server = tree.built("server/ivshmemd")
    # What takes longest begins first.
    made.run([*more, *(made.place / "selftests/host" / name for name in tests)],
             O=str(made.place), IVSHMEMD=str(server))


def with_addresses(compiler, *more):
    made = build(compiler, f"{checked.SANITIZE} {' '.join(more)}", TESTS)
    run_tests(made, TESTS, *SCRIPTS)
    return made


def test_its_tests_pass_with_the_address_sanitizer_of_gcc():
    with_addresses("gcc", "--coverage")


def test_its_tests_pass_with_the_address_sanitizer_of_clang():
    with_addresses("clang")


def test_its_tests_pass_with_the_thread_sanitizer():
    made = build("gcc", "-fsanitize=thread -Wno-tsan", THREADS)
    run_tests(made, THREADS, *SCRIPTS)


def test_95_percent_of_what_needs_no_device_run():
    made = build("gcc", f"{checked.SANITIZE} --coverage", TESTS)
    found = made.coverage("lib")
    checked.say_coverage({name: found[name] for name in WITHOUT_DEVICE}, LEAST_PERCENT)


try:
    program.main()
finally:
    for made_ in _builds.values():
        made_.close()
