#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Channels between a program of this processor and one of another, which runs
under QEMU's emulation of a process: big-endian powerpc, and arm64. What either
leaves in the memory is the same, byte for byte."""
import functools
import os
import shutil
import subprocess
import tempfile

import program
import tree
from scenario import skip

PEERS = "selftests/host/channel_peers"
#: QEMU's name of a processor, and the compiler's.
PROCESSORS = {"ppc64": "powerpc64-linux-gnu-gcc", "aarch64": "aarch64-linux-gnu-gcc"}


@functools.lru_cache
def foreign(processor):
    """A script that runs the peer of another processor."""
    compiler, qemu = PROCESSORS[processor], f"qemu-{processor}-static"
    for word in (compiler, qemu):
        if not shutil.which(word):
            skip(f"no {word}")
    place = tree.BUILD / "foreign"
    place.mkdir(parents=True, exist_ok=True)
    peer, script = place / f"peers-{processor}", place / f"run-{processor}"
    subprocess.run([compiler, "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-static", "-w",
                    "-Iinclude/uapi", "-Ilib", "-isystem", tree.BUILD / "kselftest",
                    "-o", peer, f"{PEERS}.c", *(tree.TOP / "lib").glob("*.c"),
                    "-pthread"], cwd=tree.TOP, check=True)
    script.write_text(f'#!/bin/sh\nexec {qemu} {peer} "$@"\n')
    script.chmod(0o755)
    return script


def join(processor):
    """Both directions, of slots and of records, each way round who is first."""
    run = subprocess.run([tree.built(PEERS)], text=True, capture_output=True,
                         timeout=tree.limit(60), stdin=subprocess.DEVNULL,
                         env={**os.environ, "CHANNEL_PEER": str(foreign(processor))})
    assert run.returncode == 0 and "\nok 4 " in run.stdout, run.stdout + run.stderr


def left_by(peer, slot_size):
    """(the memory, what channel-dump says of it) after a producer has joined, sent
    ten messages and died."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm", prefix="ivshmem-") as file:
        file.truncate(4 * tree.MIB)
        subprocess.run([peer, "leave", file.name, str(slot_size)], check=True)
        dump = subprocess.run([tree.TOP / "scripts/channel-dump", file.name],
                              check=True, capture_output=True, text=True).stdout
        return file.read(), dump


def same(processor):
    for slot_size in (0, 256):
        ours, theirs = (left_by(peer, slot_size)
                        for peer in (tree.built(PEERS), foreign(processor)))
        assert '"stream"' in ours[1], ours[1]
        assert theirs[1] == ours[1], theirs[1]
        assert theirs[0] == ours[0], slot_size


def test_channels_join_a_big_endian_program_and_a_little_endian_one():
    join("ppc64")


def test_a_big_endian_program_leaves_the_same_bytes_in_the_memory():
    same("ppc64")


def test_channels_join_arm64_and_x86_64_programs():
    join("aarch64")


def test_an_arm64_program_leaves_the_same_bytes_in_the_memory():
    same("aarch64")


program.main()
