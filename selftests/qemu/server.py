# SPDX-License-Identifier: GPL-2.0-or-later
"""server: an ivshmemd for the guests of a test.

The memory is a POSIX shared memory object of a random name, so that the test
can look at it from the host; or as users have it by default, sealed.
"""
import os
import secrets
import select
import signal
import subprocess
import time
from pathlib import Path

import child
import tree


class ServerError(Exception):
    """ivshmemd did not start."""


def program():
    """ivshmemd, or what $IVSHMEMD names instead."""
    named = os.environ.get("IVSHMEMD")
    return Path(named) if named else tree.built("server/ivshmemd")


class Server:
    def __init__(self, size=tree.MIB, vectors=1, log=None, hugetlb=None,
                 keeper=False, announce_leave=True, sealed=False):
        self.directory = tree.scratch()
        self.socket = self.directory / "server"
        named = not hugetlb and not sealed
        self.name = "ivshmem-" + secrets.token_hex(4) if named else None
        memory = ["-M", self.name] if named else ["-m", str(hugetlb)] if hugetlb else []
        self.command = [str(program()), "-F", "-S", str(self.socket),
                        "-l", str(size), "-n", str(vectors), *memory]
        if keeper:
            self.command.append("--keeper")
        if not announce_leave:
            self.command.append("--announce-leave=no")
        if size >= tree.GIB:
            self.command.append("--sparse")
        self.log = open(log or self.directory / "server.log", "wb")
        self.process = child.start(self.command, stdin=subprocess.DEVNULL,
                                   stdout=self.log, stderr=subprocess.STDOUT)
        self._wait_for_socket()

    def memory(self):
        """The shared memory as a file on the host, to be mapped."""
        return open(Path("/dev/shm") / self.name, "r+b")

    def _wait_for_socket(self):
        """The socket answers, or the server ended, or it takes too long."""
        end = time.monotonic() + tree.limit(2)
        death = os.pidfd_open(self.process.pid)
        try:
            while not _listens(self.socket):
                if select.select([death], [], [], 0.02)[0]:
                    raise ServerError("ivshmemd ended: " + self.output())
                if time.monotonic() > end:
                    raise ServerError("ivshmemd made no socket")
        finally:
            os.close(death)

    def kill_kept(self):
        """kill -9 the server of a keeper, and wait until another serves."""
        ready = self.output().count("goes on with")
        pid = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        os.kill(int(pid.read_text().split()[0]), signal.SIGKILL)
        end = time.monotonic() + tree.limit(2)
        while self.output().count("goes on with") == ready:
            if time.monotonic() > end:
                raise ServerError("no server came back: " + self.output())
            time.sleep(0.02)

    def output(self):
        """What the server has said."""
        return Path(self.log.name).read_text(errors="replace")

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(tree.limit(2))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        if self.name:
            (Path("/dev/shm") / self.name).unlink(missing_ok=True)
        tree.remove(self.directory)


def _listens(path):
    """Whether somebody accepts connections there: trying would be a peer."""
    accepting = "00010000"
    for line in Path("/proc/net/unix").read_text().splitlines():
        words = line.split()
        if words[-1] == str(path) and words[3] == accepting:
            return True
    return False
