# SPDX-License-Identifier: GPL-2.0-or-later
"""guest: one virtual machine, from its command line to its end.

    guest = Guest(Machine(Plain()), stage, "one", logs)
    status, output = guest.run("ivshmemctl list")

A guest that panics, or whose QEMU ends, raises GuestError at the next call,
with the tail of its console.
"""
import base64
import os
import secrets
import signal
import socket
import subprocess

import accel
import child
import counted
import emulator
import process32
import python
import systemd
import tree
from channel import Channel, ChannelError
from console import Console
from job import Job
from machine import Plain
from qmp import Qmp, QmpError

APPEND = "panic=-1 oops=panic"
#: What ends a QEMU that has a bug.
CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT)

#: What a machine's `system` may be: busybox, the same with Python or with our
#: programs of 32 bits or as those that count, or Debian.
SYSTEMS = {"": lambda stage: stage.initrd, "python": python.initrd,
           "systemd": systemd.initrd, "i386": process32.initrd,
           "counted": counted.initrd}


class GuestError(Exception):
    """The guest died, or does not answer."""


class QemuCrash(GuestError):
    """QEMU itself crashed."""


class Guest:
    def __init__(self, machine, stage, name="guest", logs=None, servers=None):
        self.machine = machine
        self.arch = stage.kernel.arch
        self.name = name
        self.servers = servers or {}
        self.logs = logs or tree.LOGS
        self.logs.mkdir(parents=True, exist_ok=True)
        self.console = Console(self.logs / f"{name}.console")
        self.token = secrets.token_hex(8)
        self.process = None
        self._start(stage)

    def _start(self, stage):
        ours, theirs = zip(*(socket.socketpair() for _ in range(2)))
        self.command = [*emulator.command(self.machine.qemu, self.arch.qemu),
                        *(accel.ICOUNT if self.machine.icount else stage.accel),
                        *machine_arguments(self.machine, self.arch),
                        *boot_arguments(stage, self._append(),
                                        self.machine.system),
                        *self._serial(*(end.fileno() for end in theirs)),
                        *device_arguments(self.machine, self.servers)]
        self.log = open(self.logs / f"{self.name}.qemu", "wb")
        self.log.write((" ".join(self.command) + "\n").encode())
        self.log.flush()
        self.process = child.start(
            self.command, stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log, pass_fds=[end.fileno() for end in theirs])
        for end in theirs:
            end.close()
        self.channel = Channel(ours[0])
        try:
            self.qmp = Qmp(ours[1])     # answers when the devices are there
        except QmpError as error:
            self.fail(error)

    def _append(self):
        load = "ivshmem.load" if self.machine.load else ""
        return (f"{self.arch.console} {APPEND} ivshmem.name={self.name} "
                f"ivshmem.port={self.arch.commands} ivshmem.token={self.token} "
                f"{load} {self.machine.append}")

    def _serial(self, commands, qmp):
        return ["-serial", f"file:{self.console.path}",
                "-chardev", f"socket,id=commands,fd={commands}",
                *self.arch.port,
                "-chardev", f"socket,id=qmp,fd={qmp}",
                "-mon", "chardev=qmp,mode=control"]

    def wait_ready(self):
        """The guest has booted and takes commands."""
        try:
            self.channel.wait_ready(self.token, 15)
        except ChannelError as error:
            self.fail(error)
        return self

    def run(self, command, seconds=6):
        """Run a shell command: (exit status, what it printed)."""
        try:
            return self.channel.run(command, seconds)
        except (ChannelError, OSError) as error:
            self.fail(error)

    def output(self, command, seconds=6):
        """What a command that must succeed printed."""
        status, output = self.run(command, seconds)
        if status:
            raise AssertionError(f"{self.name}: {command}: status {status}:\n"
                                 + output)
        return output

    def start(self, command):
        """Start a command in the background: a Job."""
        return Job(self, command)

    def put(self, path, data):
        """Write bytes to a file in the guest."""
        self.output(f": > {path}")
        for at in range(0, len(data), 8192):
            text = base64.b64encode(data[at:at + 8192]).decode()
            self.output(f"echo {text} | base64 -d >> {path}")

    def nodes(self):
        """The devices that the driver shows, as dicts of their attributes."""
        text = self.output("cd /sys/class/ivshmem 2>/dev/null || exit 0;"
                           "for n in *; do [ -e $n/device ] || continue;"
                           "for a in own_id nr_vectors shmem_size revision"
                           " page_attr page_size struct_pages generation; do"
                           ' echo "$n $a $(cat $n/$a)"; done;'
                           'echo "$n address $(basename $(readlink -f'
                           ' $n/device))"; done')
        nodes = {}
        for line in text.splitlines():
            node, attribute, value = (line.split(" ", 2) + [""])[:3]
            nodes.setdefault(node, {"name": node, "path": f"/dev/{node}"})
            nodes[node][attribute] = int(value) if value.isdigit() else value
        return list(nodes.values())

    def node(self, vectors=None):
        """The only node, or the first with that many vectors."""
        nodes = [node for node in self.nodes()
                 if vectors is None or node["nr_vectors"] == vectors]
        assert nodes, f"{self.name} has no node with {vectors} vectors"
        return nodes[0]

    def splats(self):
        return self.console.splats()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def fail(self, why):
        """Raise GuestError, or QemuCrash, with all that is known."""
        try:
            self.process.wait(1)    # it may just be ending
        except subprocess.TimeoutExpired:
            self.kill()
        status = self.process.returncode
        qemu = (self.logs / f"{self.name}.qemu").read_text().split("\n", 1)[1]
        splats = "\n".join(self.console.splats()[:5])
        kind = QemuCrash if -status in CRASHES else GuestError
        raise kind(f"guest {self.name}: {why}, status {status}\n{qemu}\n"
                   f"console:\n{splats}\n...\n"
                   f"{self.console.tail(12)}") from None

    def kill(self):
        """End QEMU at once, as a host that loses power."""
        if self.alive():
            self.process.kill()
        self.process.wait()

    def close(self):
        self.kill()
        self.channel.sock.close()
        self.qmp.sock.close()
        self.log.close()


def machine_arguments(machine, arch):
    arguments = ["-M", machine.machine or arch.machine, "-m", str(machine.memory),
                 "-smp", str(machine.smp), *machine.options]
    for port in range(machine.root_ports):
        arguments += ["-device", f"pcie-root-port,id=port{port},"
                                 f"chassis={port + 1},slot={port + 1}"]
    return arguments


def boot_arguments(stage, append, system=""):
    initrd = SYSTEMS[system](stage)
    return ["-nodefaults", "-display", "none", "-no-reboot",
            "-kernel", str(stage.kernel.image),
            "-initrd", str(initrd), "-append", append]


def device_arguments(machine, servers):
    arguments = []
    for number, device in enumerate(machine.devices):
        bus = f",bus={device.port}" if device.port else ""
        if isinstance(device, Plain):
            arguments += [
                "-object", memory_object(f"memory{number}", device, servers),
                "-device", f"ivshmem-plain,id=device{number},"
                           f"memdev=memory{number}{bus}"
                           + (",master=on" if device.master else "")]
        else:
            path = servers[device.server].socket
            arguments += [
                "-chardev", f"socket,id=server{number},path={path}",
                "-device", f"ivshmem-doorbell,id=device{number},"
                           f"chardev=server{number},vectors={device.vectors}"
                           f"{bus}" + (",master=on" if device.master else "")]
    return arguments


def memory_object(name, device, files):
    """The -object words for the memory of a plain device."""
    share = "on" if device.share else "off"
    tail = f"id={name},size={device.size},share={share}"
    if device.memory:
        return f"memory-backend-file,{tail},mem-path={files[device.memory].path}"
    if device.backend == "hugetlb":
        return f"memory-backend-memfd,{tail},hugetlb=on"
    return f"memory-backend-memfd,{tail}"
