# SPDX-License-Identifier: GPL-2.0-or-later
"""hostpeer: programs of the host as peers on a server of the guests."""
import json
import os
import subprocess

import child
import tree


def device(server):
    """The name by which the library opens the server."""
    return f"unix:{server.socket}"


def command(server, *words):
    """ivshmemctl on the server's socket, for a shell of the host."""
    return [str(tree.built("tools/ivshmemctl")), "-d", device(server),
            *map(str, words)]


def run(server, *words, given=b""):
    """What ivshmemctl says."""
    done = subprocess.run(command(server, *words), input=given,
                          capture_output=True, env=_environment(),
                          timeout=tree.limit(10), check=False)
    assert done.returncode == 0, (words, done.returncode, done.stderr)
    return done.stdout.decode()


def start(words):
    """A program beside."""
    return child.start(words, env=_environment(), text=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE)


def finish(process):
    """What it said, when it has ended well."""
    said = child.finish(process, tree.limit(20))
    assert said is not None, "it did not end"
    assert process.returncode == 0, (process.returncode, said)
    return said[0]


def peers(server):
    """{ID: vectors} of all that are there."""
    table = json.loads(run(server, "peers", "--json"))
    return {row["peer"]: row["nr_vectors"] for row in table["peers"]}


def new_peer(server, before, process):
    """The ID of the one that was not there before, as long as it runs."""
    while process.poll() is None:
        new = set(peers(server)) - set(before)
        if new:
            return new.pop()
    raise AssertionError(process.communicate())


def ring_until_heard(ring, process):
    """A process joins, then binds: what is rung between is not heard."""
    while process.poll() is None:
        ring()
    return finish(process)


def _environment():
    return {**os.environ, "LD_LIBRARY_PATH": str(tree.BUILD / "lib")}
