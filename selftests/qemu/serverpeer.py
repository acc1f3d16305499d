# SPDX-License-Identifier: GPL-2.0-or-later
"""serverpeer: a peer on an ivshmemd's socket, for the programs of host/."""
import os
import socket
import struct

#: Seconds, for what is there at once.
LIMIT = 20


class Peer:
    """Reads messages as QEMU does: 8 bytes, and the fd that came with them."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT)
        self.sock.connect(str(path))

    def read(self):
        data, fds, _, _ = socket.recv_fds(self.sock, 8, 1)
        if len(data) != 8:
            raise EOFError(f"{len(data)} bytes")
        return struct.unpack("<q", data)[0], (fds or [None])[0]

    def value(self):
        value, fd = self.read()
        if fd is not None:
            os.close(fd)
        return value

    def values(self, number):
        return [self.value() for _ in range(number)]

    def is_quiet(self):
        self.sock.setblocking(False)
        try:
            return not self.sock.recv(8)
        except BlockingIOError:
            return True
        finally:
            self.sock.settimeout(LIMIT)
