#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ivshmemd under sanitizers: the programs that test it pass, and so it does when
any one of its calls fails; and all of them run at least 95 % of its lines."""
import concurrent.futures
import mmap
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

import checked
import program
import tree
from scenario import skip
from serverpeer import LIMIT, Peer

#: Those whose figures mean nothing under a sanitizer are not among them.
TESTS = ["server", "server_control", "server_daemon", "server_limits", "server_load",
         "server_memory", "server_options", "server_restart"]
LEAST_PERCENT = 95
NEVER = (1 << 31) - 1
#: More calls than a scenario makes: then something does not end.
MOST_CALLS = 600

#: Some who are killed leave it.
NAMED = Path(f"/dev/shm/ivshmem-checked-{os.getpid()}")

_builds = {}


def build(compiler):
    """One for all tests: what one leaves out another may run."""
    if not shutil.which(compiler):
        skip(f"no {compiler}")
    if compiler not in _builds:
        flags = f"-O0 {checked.SANITIZE}"
        gcc = compiler == "gcc"
        made = checked.Checked(compiler, f"{flags} --coverage" if gcc else flags)
        _builds[compiler] = made
        if gcc:
            made.let_calls_fail()
        made.build("server")
    return _builds[compiler]


def run_tests(compiler):
    server = build(compiler)
    built = tree.BUILD / "selftests/host"
    server.run([*(built / name for name in TESTS),
                tree.TOP / "selftests/host/systemd.py"],
               IVSHMEMD=str(server.place / "server/ivshmemd"))


def test_its_tests_pass_with_the_sanitizers_of_gcc():
    run_tests("gcc")


def test_its_tests_pass_with_the_sanitizers_of_clang():
    run_tests("clang")


class Trial:
    """A run of ivshmemd of whose calls the n-th fails, as faults.c says."""

    def __init__(self, number, variant):
        self.directory = tree.scratch()
        self.path = self.directory / "server"
        (self.directory / "faults").write_bytes(
            struct.pack("=II56s", number, variant, b""))
        with open(self.directory / "faults", "r+b") as file:
            self.faults = mmap.mmap(file.fileno(), 0)
        self.environment = {**build("gcc").environment(),
                            "FAULTS": str(self.directory / "faults")}
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.faults.close()
        tree.remove(self.directory)

    def left(self):
        return struct.unpack("=I", self.faults[:4])[0]

    def refused(self):
        """The name of the call that failed, or nothing."""
        return self.faults[8:].rstrip(b"\0").decode()

    def run(self, *words):
        """The server, or its subcommand; its whole output is kept."""
        self.log = self.directory / f"log{len(list(self.directory.iterdir()))}"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [build("gcc").place / "server/ivshmemd", *words, "-S", self.path],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True)

    def said(self):
        return self.log.read_text(errors="replace")

    def wait(self):
        return self.process.wait(LIMIT)

    def starts(self, *options):
        """Whether it serves; else it has ended, and said why."""
        self.run("-F", "-v", *options)
        if not self.says("listening on"):
            self.explained()
            return False
        return True

    def says(self, text):
        """Whether it says so, before it ends."""
        end = time.monotonic() + tree.limit(2)
        while text not in self.said():
            if self.process.poll() is not None:
                return text in self.said()
            assert time.monotonic() < end, f"not \"{text}\": {self.said()}"
            time.sleep(0.005)
        return True

    def explained(self):
        status = self.wait()
        said = self.said()
        assert status == 1 and said.startswith("ivshmemd: "), (status, said)

    def try_to_join(self):
        """What a peer is greeted with, and the peer; or that it was refused."""
        try:
            peer = Peer(self.path)
            peer.greeting = peer.values(1)
            if peer.greeting == [0]:
                peer.greeting += peer.values(4)
            return peer
        except (OSError, EOFError):
            return None

    def joined(self):
        """A peer with all its vectors; whoever is refused tries again."""
        end = time.monotonic() + LIMIT
        while True:
            peer = self.try_to_join()
            if peer and peer.greeting != [-1]:
                peer.own_id = peer.greeting[1]
                assert peer.greeting == [0, peer.own_id, -1] + 2 * [peer.own_id]
                return peer
            assert time.monotonic() < end, f"no peer can join: {self.said()}"

    def serves(self):
        """Two more peers join, and know of each other; but for the one failure."""
        for last in (False, True):
            first, second = self.joined(), self.joined()
            assert first.own_id != second.own_id
            try:
                while first.value() != second.own_id:
                    pass
                return
            except EOFError:
                assert not last and self.refused(), self.said()

    def ends(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.wait()
        assert status == 0, (status, self.said())

    def ends_in_the_background(self, pid):
        death = os.pidfd_open(pid)
        os.kill(pid, signal.SIGTERM)
        assert select.select([death], [], [], LIMIT)[0], "it does not end"
        os.close(death)

    def kill(self):
        if self.process:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()


def ask(trial, line):
    """Whatever the control socket answers."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(LIMIT)
        try:
            sock.connect(f"{trial.path}.control")
            sock.sendall(line)
            while sock.recv(4096):
                pass
        except OSError:
            pass


def peers_come_and_go(trial):
    if not trial.starts("-n", "2", "-l", "1M", "--allow-uid", str(os.getuid())):
        return
    stays, leaves = trial.joined(), trial.joined()
    ask(trial, b"status --json\n")
    ask(trial, b"kick 0\n")
    leaves.sock.close()
    trial.serves()
    stays.sock.close()
    trial.ends()


def a_keeper_starts_it_again(trial):
    if not trial.starts("-n", "2", "-l", "1M", "--keeper"):
        return
    stays = trial.joined()
    if "peers will not survive a restart" not in trial.said():
        trial.process.send_signal(signal.SIGHUP)
        assert trial.says("goes on with"), trial.said()
    trial.serves()
    stays.sock.close()
    trial.ends()


def it_goes_to_the_background(trial):
    pid_file = trial.directory / "pid"
    trial.run("-n", "2", "-p", str(pid_file))
    if trial.wait():
        trial.explained()
        return
    trial.serves()
    trial.ends_in_the_background(int(pid_file.read_text()))


def with_memory(*options):
    def memory(trial):
        NAMED.unlink(missing_ok=True)
        if trial.starts("-n", "2", *options):
            trial.serves()
            trial.ends()
    return memory


def asked(*words):
    """The server is whole; the call that fails is one of who asks it."""
    def subcommand(trial):
        count = trial.faults[:4]
        trial.faults[:4] = struct.pack("=I", 0)
        assert trial.starts("-n", "2")
        peer, server = trial.joined(), trial.process
        trial.faults[:4] = count
        trial.run(*words)
        if trial.wait():
            trial.explained()
        trial.faults[:4] = bytes(4) if trial.refused() else trial.faults[:4]
        trial.process = server
        peer.sock.close()
    return subcommand


SCENARIOS = {
    "peers come and go": peers_come_and_go,
    "a keeper starts it again": a_keeper_starts_it_again,
    "it goes to the background": it_goes_to_the_background,
    "memory with a name": with_memory("-M", NAMED.name),
    "memory in a directory": with_memory("-m", "/tmp"),
    "memory of huge pages": with_memory("--hugetlb", "--sparse", "-l", "2M"),
    "status": asked("status"),
    "kick": asked("kick", "0"),
}


def attempt(scenario, number, variant):
    """The name of the call that failed, or nothing: there are fewer calls."""
    with Trial(number, variant) as trial:
        try:
            SCENARIOS[scenario](trial)
        except Exception as error:
            raise AssertionError(f"{scenario}: {trial.refused()}, call {number},"
                                 f" variant {variant}: {error!r}") from error
        return trial.refused()


def sweep(scenario):
    """{name of a call: how often it failed}, of one scenario."""
    refused = {}
    for variant in range(2):
        for number in range(1, MOST_CALLS):
            name = attempt(scenario, number, variant)
            if not name:
                break
            refused[name] = refused.get(name, 0) + 1
        else:
            raise AssertionError(f"{scenario}: no end of calls")
    return refused


def test_each_call_fails_once_and_it_goes_on_or_says_why_not():
    build("gcc")
    failed = {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for refused in pool.map(sweep, SCENARIOS):
            for name, number in refused.items():
                failed[name] = failed.get(name, 0) + number
    report = build("gcc").report()
    assert not report, report
    print("# " + ", ".join(f"{name} {number}" for name, number in sorted(failed.items())))
    for name in ("accept4", "calloc", "epoll_ctl", "eventfd", "memfd_create",
                 "sendmmsg", "socket"):
        assert failed.get(name), f"{name} has never failed"


def test_95_percent_of_its_lines_run():
    checked.say_coverage(build("gcc").coverage("server"), LEAST_PERCENT)


try:
    program.main()
finally:
    NAMED.unlink(missing_ok=True)
    for made in _builds.values():
        made.close()
