#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The library as i386 has it: its tests pass, and channels between a 32-bit and a
64-bit program are as those between equals. tests/process32.py is the same for what
needs a device."""
import concurrent.futures
import os
import subprocess
import tempfile

import program
import tree
from arch import I386
from scenario import skip

TESTS = ["channel_directory", "channel_fuzz", "channel_ring", "channel_steps",
         "channel_wait", "layout", "lib", "peer", "peer_protocol"]
PEERS = "selftests/host/channel_peers"

_problem = []


def built(name):
    """The program for i386; all are built by the first call."""
    if not _problem:
        _problem.append(I386.problem() or build())
    if _problem[0]:
        skip(_problem[0])
    return I386.build / name


def build():
    """Why this machine cannot run them, or nothing."""
    said = I386.make("lib", I386.build / "lib/libivshmem.a") or \
        I386.make("selftests", *(I386.build / "selftests/host" / name
                                 for name in TESTS), I386.build / PEERS)
    assert not said, said
    try:
        subprocess.run([I386.build / "selftests/host/layout", "-l"],
                       check=True, capture_output=True)
    except OSError as error:
        return f"this kernel runs no 32-bit program: {error}"
    return None


def run(path, **variables):
    done = subprocess.run([path], text=True, cwd=tree.TOP, errors="replace",
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=tree.limit(30),
                          env={**os.environ, **variables})
    passed = [line for line in done.stdout.splitlines() if line.startswith("ok ")]
    assert done.returncode == 0 and passed, f"{path}:\n{done.stdout[-3000:]}"
    return len(passed)


def test_its_tests_pass_in_32_bit_processes():
    paths = [built(f"selftests/host/{name}") for name in TESTS]
    server = str(tree.built("server/ivshmemd"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        passed = pool.map(lambda path: run(path, O=str(I386.build), IVSHMEMD=server,
                                           CC=f"{I386.cross}gcc"), paths)
    print(f"# {sum(passed)} tests")


def test_channels_join_32_and_64_bit_programs():
    narrow, wide = built(PEERS), tree.built(PEERS)
    run(narrow, CHANNEL_PEER=str(wide))
    run(wide, CHANNEL_PEER=str(narrow))


def left_by(path, slot_size):
    """The memory after a producer has joined, sent ten messages and died."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm", prefix="ivshmem-") as file:
        file.truncate(4 * tree.MIB)
        subprocess.run([path, "leave", file.name, str(slot_size)], check=True)
        return file.read()


def test_both_leave_the_same_bytes_in_the_memory():
    for slot_size in (0, 256):
        wide = left_by(tree.built(PEERS), slot_size)
        assert wide.count(0) < len(wide), "nothing was written"
        assert left_by(built(PEERS), slot_size) == wide, slot_size


program.main()
