# SPDX-License-Identifier: GPL-2.0-or-later
"""lab: the guests and servers that stand ready for the current test.

One set of guests at a time: use() returns the ones that stand if they are of
the wanted machines and still whole, else closes them and boots others.
"""
import secrets
from pathlib import Path

import emulator
from guest import Guest
from kernel import KernelError
from machine import Doorbell, Plain
from server import Server, program
from scenario import Skip
from suites import SuiteError


class SharedFile:
    """Memory that plain devices of several guests share, and the host too."""

    def __init__(self, size):
        self.path = Path("/dev/shm") / ("ivshmem-" + secrets.token_hex(4))
        with open(self.path, "wb") as file:
            file.truncate(size)

    def memory(self):
        return open(self.path, "r+b")

    def close(self):
        self.path.unlink(missing_ok=True)


class Lab:
    def __init__(self, stage, logs):
        self.stage = stage
        self.logs = logs
        self.machines = {}
        self.guests = {}
        self.servers = {}
        self.extra = []

    def use(self, machines, fresh=False):
        """Booted guests for {name: Machine}."""
        if fresh or list(machines.items()) != list(self.machines.items()) \
                or not self.whole():
            self.close()
            self._boot(machines)
        return self.guests

    def whole(self):
        """Every guest answers and still has all its nodes."""
        for name, guest in self.guests.items():
            wanted = len(guest.machine.devices)
            if not guest.alive() or len(guest.nodes()) != wanted:
                return False
        return True

    def guest(self, machine, name="guest", servers=None):
        """One more guest, not yet ready; closed after the test."""
        known = {**self.servers, **(servers or {})}
        guest = Guest(machine, self._stage(machine), name, self.logs, known)
        self.extra.append(guest)
        return guest

    def server(self, **options):
        """One more server; closed after the test."""
        server = start_server(self.logs / f"server-{len(self.extra)}.log",
                              **options)
        self.extra.append(server)
        return server

    def _boot(self, machines):
        devices = [device for machine in machines.values()
                   for device in machine.devices]
        self._start_servers(devices)
        for name, machine in machines.items():
            self.guests[name] = Guest(machine, self._stage(machine), name,
                                      self.logs, self.servers)
        for guest in self.guests.values():
            guest.wait_ready()
        self.machines = dict(machines)

    def _stage(self, machine):
        """What the machine boots; no test without it."""
        try:
            emulator.command(machine.qemu)
            stage = self.stage.of(machine.kernel)
        except (KernelError, SuiteError) as error:
            raise Skip(str(error)) from None
        assert stage is self.stage or not stage.problem, stage.problem
        return stage

    def _start_servers(self, devices):
        """A server for each name in the doorbells, a file for each in the plain."""
        doorbells = [device for device in devices if isinstance(device, Doorbell)]
        for device in doorbells:
            same = [other for other in doorbells if other.server == device.server]
            if device.server not in self.servers:
                self.servers[device.server] = start_server(
                    self.logs / f"{device.server}.log", size=device.size,
                    vectors=max(other.vectors for other in same))
        for device in devices:
            if isinstance(device, Plain) and device.memory:
                if device.memory not in self.servers:
                    self.servers[device.memory] = SharedFile(device.size)

    def splats(self):
        """Lines that tell of kernel bugs, since the last call."""
        found = [*self.guests.values(), *self.extra]
        return [f"{guest.name}: {line}" for guest in found
                if isinstance(guest, Guest) for line in guest.splats()]

    def end_test(self):
        """Close what the test started by itself."""
        while self.extra:
            self.extra.pop().close()

    def close(self):
        self.end_test()
        for thing in [*self.guests.values(), *self.servers.values()]:
            thing.close()
        self.machines, self.guests, self.servers = {}, {}, {}


def start_server(log, **options):
    if not program():
        raise Skip("ivshmemd is not built")
    return Server(log=log, **options)
