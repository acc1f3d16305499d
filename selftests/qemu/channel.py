# SPDX-License-Identifier: GPL-2.0-or-later
"""channel: commands to a guest's shell over a serial port of its own.

The guest's init reads lines "TOKEN BASE64", runs the decoded command, and
answers with its output and then a line "TOKEN STATUS". The token is random, so
nothing that a command prints can be taken for the end.
"""
import base64
import secrets
import select
import time

from tree import limit


class ChannelError(Exception):
    """The guest did not answer in time, or is gone."""


class Channel:
    def __init__(self, sock):
        self.sock = sock
        self.pending = b""

    def wait_ready(self, token, seconds):
        self._read_until(b"%s ready\r\n" % token.encode(), seconds)

    def run(self, command, seconds):
        """Run a shell command; (exit status, output)."""
        token = secrets.token_hex(8)
        line = base64.b64encode(command.encode()).decode()
        self.sock.sendall(f"{token} {line}\n".encode())
        output = self._read_until(b"\n%s " % token.encode(), seconds)
        status = self._read_until(b"\n", seconds)
        return int(status), output.decode(errors="replace")

    def resync(self, seconds):
        """After a sleep, in which the port lost bytes: until it answers again."""
        end = time.monotonic() + limit(seconds)
        line = base64.b64encode(b"true").decode()
        while True:
            token = secrets.token_hex(8)
            self.sock.sendall(f"\n{token} {line}\n".encode())
            try:
                self._read_until(f"\n{token} 0\n".encode(), 0.2)
                return
            except ChannelError:
                if time.monotonic() > end:
                    raise

    def _read_until(self, mark, seconds):
        end = time.monotonic() + limit(seconds)
        searched = 0
        while True:
            at = self.pending.find(mark, searched)
            if at >= 0:
                data = self.pending[:at]
                self.pending = self.pending[at + len(mark):]
                return data
            searched = max(0, len(self.pending) - len(mark))
            self._receive(end)

    def _receive(self, end):
        left = end - time.monotonic()
        if left <= 0 or not select.select([self.sock], [], [], left)[0]:
            raise ChannelError("the guest did not answer in time, after "
                               + repr(self.pending[-300:]))
        try:
            data = self.sock.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            raise ChannelError("QEMU ended")
        self.pending += data
