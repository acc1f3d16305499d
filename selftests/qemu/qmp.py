# SPDX-License-Identifier: GPL-2.0-or-later
"""qmp: QEMU's machine protocol: one JSON object a line, events in between.

Guest owns one Qmp. Tests call guest.qmp("device_del", id="plain0") and
guest.qmp.wait("DEVICE_DELETED", device="plain0").
"""
import json

from tree import limit


class QmpError(Exception):
    """QEMU refused a command, or is gone."""


class Qmp:
    def __init__(self, sock):
        self.sock = sock
        self.file = sock.makefile("rb")
        self.events = []
        self._read()        # the greeting
        self("qmp_capabilities")

    def __call__(self, command, fds=(), **arguments):
        """Run a command; its answer, or QmpError with QEMU's words."""
        message = {"execute": command}
        if arguments:
            message["arguments"] = {key.replace("_", "-"): value
                                    for key, value in arguments.items()}
        self.sock.sendall(json.dumps(message).encode() + b"\n")
        while True:
            answer = self._read()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise QmpError(answer["error"]["desc"])
            self.events.append(answer)

    def wait(self, event, seconds=10, **data):
        """Wait for an event whose data holds all of data; forget it."""
        while True:
            for candidate in self.events:
                if _matches(candidate, event, data):
                    self.events.remove(candidate)
                    return candidate
            self.events.append(self._read(seconds))

    def _read(self, seconds=10):
        self.sock.settimeout(limit(seconds))
        try:
            line = self.file.readline()
        except OSError as error:
            raise QmpError(f"no answer: {error}") from error
        if not line:
            raise QmpError("QEMU closed the connection")
        return json.loads(line)


def _matches(candidate, event, data):
    return (candidate.get("event") == event
            and data.items() <= candidate.get("data", {}).items())
