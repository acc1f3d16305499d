#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ivshmemctl on the host, on a server's socket: each subcommand does what it does in
a guest, or says why it cannot; and memory that others can shrink is warned of."""
import json
import subprocess
import tempfile
from contextlib import closing

import hostpeer
import program
import server as server_module
import tree


def run(device, *words, given=b""):
    """(status, output, errors) of ivshmemctl."""
    done = subprocess.run([tree.built("tools/ivshmemctl"), "-d", device, *words],
                          input=given, capture_output=True, timeout=tree.limit(10))
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def served(*expected):
    """Run subcommands on a server, each (words, input, status, in its output)."""
    with closing(server_module.Server(vectors=2)) as server:
        for words, given, status, text in expected:
            found = run(hostpeer.device(server), *words.split(), given=given)
            assert found[0] == status and text in found[1] + found[2], (words, found)


def test_each_subcommand_that_has_a_device_works_on_a_servers_socket():
    served(("info --json", b"", 0, '"flavour": "doorbell"'),
           ("write 8", b"from the host", 0, ""),
           ("read 8 13", b"", 0, "from the host"),
           ("hexdump 8 16", b"", 0, "from the host"),
           ("peers --json", b"", 0, '"peers"'),
           ("wait 0 --timeout 0.01", b"", 3, "timed out"),
           ("channel format", b"", 0, ""),
           ("channel send kept", b"a message", 0, ""),
           ("channel recv kept", b"", 0, "a message"))


def test_what_only_a_guest_has_is_said_to_be_so():
    served(("stat", b"", 1, "only in a guest"),
           ("ring 9 0", b"", 1, "no such peer"))


def info_says(device):
    status, output, errors = run(device, "info", "--json")
    assert status == 0 and json.loads(output)["info"], (status, output, errors)
    return errors


def test_memory_that_others_can_shrink_is_warned_of():
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.truncate(tree.MIB)
        assert "others can shrink this memory" in info_says(f"file:{file.name}")


def test_sealed_memory_is_not_warned_of():
    with closing(server_module.Server(sealed=True)) as server:
        assert info_says(hostpeer.device(server)) == ""


program.main()
