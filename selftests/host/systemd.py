#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ivshmemd as a service: its units, socket activation, and the store of fds.

A small service manager stands in for systemd: a socket for sd_notify(3), and a
dict of what was stored there. It gives the fds back in another order.
"""
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys

import program
import server as server_module
import tree
from scenario import skip
from serverpeer import LIMIT, Peer

UNITS = tree.TOP / "systemd"
#: Of 100; what systemd calls SAFE ends at 20.
EXPOSURE = 15
#: Bytes of a peer in the server's state.
SLOT = 8312


class Manager:
    """What systemd does for a service with Type=notify and a store."""

    def __init__(self, *options, listener=True, control=False):
        self.directory = tree.scratch()
        self.path = self.directory / "server"
        self.store = []         # (name, fd)
        self.options = options
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.directory / "notify"))
        self.notify.settimeout(LIMIT)
        self.listener = self.listen("server") if listener else None
        self.control = self.listen("server.control") if control else None
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for _, fd in self.store:
            os.close(fd)
        tree.remove(self.directory)

    def listen(self, name):
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(self.directory / name))
        sock.listen()
        return sock

    def status(self):
        run = subprocess.run([server_module.program(), "status", "--json", "-S",
                              self.path], capture_output=True, text=True,
                             timeout=LIMIT)
        assert run.returncode == 0 and not run.stderr, run
        return json.loads(run.stdout)

    def start(self):
        kept = list(reversed(self.store))
        if self.control:
            kept.append(("control", self.control.fileno()))
        if self.listener:
            kept.append(("ivshmemd@test.socket", self.listener.fileno()))
        kept = [(name, os.dup(fd)) for name, fd in kept]

        def hand_down():
            high = max([3 + len(kept), *(fd + 1 for _, fd in kept)])
            for number, (_, fd) in enumerate(kept):
                os.dup2(fd, high + number)
            for number in range(len(kept)):
                os.dup2(high + number, 3 + number)

        environment = dict(os.environ, NOTIFY_SOCKET=str(self.directory / "notify"),
                           LISTEN_FDS=str(len(kept)),
                           LISTEN_FDNAMES=":".join(name for name, _ in kept))
        if not kept:
            del environment["LISTEN_FDS"]
        self.process = subprocess.Popen(
            ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh",
             server_module.program(), "-F", "-S", self.path, "-n", "2",
             *self.options], env=environment, close_fds=False,
            preexec_fn=hand_down)
        for _, fd in kept:
            os.close(fd)
        self.take_until("READY=1")

    def take_until(self, word):
        """Obey messages until one has this line."""
        while True:
            data, fds, _, _ = socket.recv_fds(self.notify, 4096, 8)
            lines = data.decode().splitlines()
            name = dict(line.split("=", 1) for line in lines).get("FDNAME")
            if "FDSTORE=1" in lines:
                assert len(fds) == 1 and "FDPOLL=0" in lines, lines
                self.store.append((name, fds[0]))
            if "FDSTOREREMOVE=1" in lines:
                self.store = [(other, fd) for other, fd in self.store
                              if other != name or os.close(fd)]
            if word in lines:
                return

    def end(self, number):
        """End the server, and take what it had sent."""
        self.process.send_signal(number)
        status = self.process.wait(LIMIT)
        self.notify.setblocking(False)
        try:
            self.take_until("")
        except BlockingIOError:
            pass
        self.notify.settimeout(LIMIT)
        return status


def test_the_service_is_graded_safe():
    if not shutil.which("systemd-analyze"):
        skip("no systemd-analyze here: the units are not graded")
    run = subprocess.run(["systemd-analyze", "security", "--offline=yes",
                          f"--threshold={EXPOSURE}", "--no-pager",
                          str(UNITS / "ivshmemd@.service")],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True)
    if "nknown option" in run.stdout or "nrecognized option" in run.stdout:
        skip("this systemd-analyze cannot grade offline")
    assert run.returncode == 0, run.stdout[-600:]


def test_a_socket_that_systemd_made_is_served_and_left():
    with Manager() as manager:
        assert Peer(manager.path).values(3) == [0, 0, -1]
        assert manager.end(signal.SIGTERM) == 0
        assert manager.path.exists()
        assert not (manager.directory / "server.lock").exists()


def test_a_server_without_a_manager_for_sockets_makes_its_own():
    with Manager(listener=False) as manager:
        assert Peer(manager.path).values(3) == [0, 0, -1]
        assert {"listener", "lock", "memory", "state"} <= \
            {name for name, _ in manager.store}


def test_a_control_socket_that_systemd_made_is_answered_and_left():
    with Manager(control=True) as manager:
        peer = Peer(manager.path)
        assert peer.values(5) == [0, 0, -1, 0, 0]
        status = manager.status()
        assert status["server"]["pid"] == manager.process.pid, status
        assert [other["pid"] for other in status["peers"]] == [os.getpid()], status
        assert manager.end(signal.SIGKILL) == -signal.SIGKILL
        manager.start()
        assert manager.status()["server"]["restarts"] == 1
        assert manager.end(signal.SIGTERM) == 0
        assert (manager.directory / "server.control").exists()


def test_without_a_control_socket_of_systemd_there_is_none():
    with Manager() as manager:
        assert Peer(manager.path).values(3) == [0, 0, -1]
        assert not (manager.directory / "server.control").exists()


def test_the_status_is_json_whatever_a_program_is_called():
    with Manager(listener=False) as manager:
        script = ("import socket, sys; open('/proc/self/comm', 'wb').write("
                  "b'\\xff\\x01\"}\\\\'); s = socket.socket(socket.AF_UNIX);"
                  " s.connect(sys.argv[1]); s.recv(8); print(); sys.stdin.read()")
        peer = subprocess.Popen([sys.executable, "-c", script, manager.path],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        peer.stdout.readline()
        status = manager.status()
        peer.communicate()
        assert status["peers"][0]["program"] == '??"}\\', status


def killed_and_resumed(listener):
    with Manager(listener=listener) as manager:
        first, second = Peer(manager.path), Peer(manager.path)
        vectors = [first.read() for _ in range(5)][3:]
        assert first.values(2) == [1, 1]
        assert second.values(7) == [0, 1, -1, 1, 1, 0, 0]
        assert manager.end(signal.SIGKILL) == -signal.SIGKILL
        manager.start()
        third = Peer(manager.path)
        assert third.values(5) == [0, 2, -1, 2, 2]
        others = [third.read() for _ in range(4)]
        assert [value for value, _ in others] == [0, 0, 1, 1], others
        os.write(others[1][1], struct.pack("=Q", 3))
        assert os.read(vectors[1][1], 8) == struct.pack("=Q", 3)
        assert first.values(2) == [2, 2] and second.values(2) == [2, 2]
        assert first.is_quiet() and second.is_quiet() and third.is_quiet()


def test_a_killed_server_is_resumed_from_the_store():
    killed_and_resumed(listener=False)


def test_a_killed_server_is_resumed_with_a_socket_of_systemd():
    killed_and_resumed(listener=True)


def test_a_leave_empties_the_store_of_the_peer():
    with Manager() as manager:
        peer = Peer(manager.path)
        assert peer.values(5) == [0, 0, -1, 0, 0]
        before = len(manager.store)
        peer.sock.close()
        other = Peer(manager.path)
        assert other.values(5) == [0, 1, -1, 1, 1]
        manager.end(signal.SIGKILL)
        names = [name for name, _ in manager.store]
        assert len([name for name in names if name.startswith("p1")]) == 3, names
        assert not [name for name in names if name.startswith("p0")], names
        assert before == 2


def test_sighup_hands_over_with_status_0():
    with Manager() as manager:
        peer = Peer(manager.path)
        assert peer.values(5) == [0, 0, -1, 0, 0]
        assert manager.end(signal.SIGHUP) == 0
        manager.start()
        assert Peer(manager.path).values(3) == [0, 1, -1]
        assert peer.values(2) == [1, 1]


def test_memory_without_a_state_is_not_kept():
    with Manager(listener=False) as manager:
        manager.end(signal.SIGKILL)
        manager.store = [(name, fd) for name, fd in manager.store if name != "state"]
        manager.start()
        names = [name for name, _ in manager.store]
        assert names.count("memory") == names.count("state") == 1, names


def test_peers_that_left_in_between_are_announced():
    with Manager() as manager:
        stays, leaves = Peer(manager.path), Peer(manager.path)
        assert stays.values(7) == [0, 0, -1, 0, 0, 1, 1]
        assert manager.end(signal.SIGKILL) == -signal.SIGKILL
        leaves.sock.close()
        manager.start()
        assert stays.read() == (1, None)


def set_joining(state):
    """Of the first peer: killed when all was kept, and before it was a peer."""
    nr_slots, = struct.unpack("=I", os.pread(state, 4, 20))
    os.pwrite(state, struct.pack("=I", 1), os.stat(state).st_size - nr_slots * SLOT)


def test_a_peer_that_was_just_kept_is_not_kept_twice():
    with Manager() as manager:
        peer = Peer(manager.path)
        assert peer.values(5) == [0, 0, -1, 0, 0]
        manager.end(signal.SIGKILL)
        set_joining(dict(manager.store)["state"])
        for _ in range(2):
            manager.start()
            manager.end(signal.SIGKILL)
            names = [name for name, _ in manager.store]
            assert len(names) == len(set(names)) and "p0" in names, names
        manager.start()
        assert Peer(manager.path).values(3) == [0, 1, -1]
        assert peer.values(2) == [1, 1]


def damaged(change, words):
    """A server that is given a state changed so says why it will not start."""
    with Manager() as manager:
        manager.end(signal.SIGKILL)
        state = dict(manager.store)["state"]
        change(state)
        memory = dict(manager.store)["memory"]
        environment = dict(os.environ, NOTIFY_SOCKET="/nowhere",
                           LISTEN_FDS="2", LISTEN_FDNAMES="state:memory")

        def hand_down():
            os.dup2(state, 500)
            os.dup2(memory, 501)
            os.dup2(500, 3)
            os.dup2(501, 4)

        run = subprocess.run(
            ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", server_module.program(),
             "-F", "-S", manager.directory / "other"], env=environment,
            close_fds=False, preexec_fn=hand_down, timeout=LIMIT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert run.returncode == 1 and words in run.stdout, run


def test_a_state_of_another_format_is_refused():
    damaged(lambda fd: os.pwrite(fd, struct.pack("=I", 77), 16),
            "state: of format 77, and this ivshmemd knows 1")


def test_a_state_that_is_none_is_refused():
    damaged(lambda fd: os.pwrite(fd, b"something", 0),
            "state: not that of an ivshmemd")


def test_a_damaged_state_is_refused():
    damaged(lambda fd: os.pwrite(fd, struct.pack("=I", 1 << 30), 24),
            "state: damaged")


program.main()
