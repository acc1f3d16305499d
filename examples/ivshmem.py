#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ivshmem.py: the other examples in Python, with its standard library alone.

    ivshmem.py hello            write a text to the shared memory
    ivshmem.py wake             say the own ID, wait for a ring of vector 0
    ivshmem.py wake PEER        ring vector 0 of that peer
    ivshmem.py loop             an event loop; ends when the device goes
    ivshmem.py survive          follow the first word of the memory, likewise

The functions on top may be copied into a program. Numbers and structs are those
of <linux/ivshmem_guest.h>.
"""
import errno
import fcntl
import mmap
import os
import select
import struct
import sys
import time

NODE = os.environ.get("IVSHMEM_NODE", "/dev/ivshmem0")

#: _IO('x', 0) and so on, with their structs: size and flags come first.
INFO, INFO_STRUCT = 0x7800, struct.Struct("=II QQQ IIII")
RING, RING_STRUCT = 0x7801, struct.Struct("=II II")
EVENT_STRUCT = struct.Struct("=II Q")


def open_device(flags=os.O_RDWR):
    return os.open(NODE, flags | os.O_CLOEXEC | os.O_NONBLOCK)


def info(device):
    """What the device is, as a dict."""
    data = bytearray(INFO_STRUCT.size)
    INFO_STRUCT.pack_into(data, 0, len(data), *[0] * 8)
    fcntl.ioctl(device, INFO, data)
    names = ("size", "flags", "features", "shmem_size", "generation", "own_id",
             "nr_vectors", "revision", "page_attr")
    return dict(zip(names, INFO_STRUCT.unpack(data)))


def memory(device, access=mmap.ACCESS_WRITE):
    """The shared memory as an mmap object."""
    return mmap.mmap(device, info(device)["shmem_size"], access=access)


def ring(device, peer, vector):
    fcntl.ioctl(device, RING, RING_STRUCT.pack(RING_STRUCT.size, 0, peer, vector))


def fired(device):
    """Vectors that fired since the last call: [(vector, interrupts)]."""
    try:
        data = os.read(device, 256 * EVENT_STRUCT.size)
    except BlockingIOError:
        return []
    return [(vector, count) for vector, _, count in EVENT_STRUCT.iter_unpack(data)]


def safe_read(shared, offset, length):
    """Up to 64 KiB of the memory, or OSError (EFAULT) when the device is gone.

    Python cannot go on after SIGBUS. The kernel can: a system call that copies
    from memory which is gone fails with EFAULT. So let it copy, through a pipe.
    """
    with memoryview(shared) as view, view[offset:offset + length] as part:
        reader, writer = os.pipe()
        try:
            return os.read(reader, os.write(writer, part))
        finally:
            os.close(reader)
            os.close(writer)


def hello():
    text = b"hello from a guest\n"
    with memory(open_device()) as shared:
        shared[:len(text)] = text


def wake(peer=None):
    device = open_device()
    if peer is not None:
        ring(device, int(peer), 0)
        return
    # What fires from the open on is kept for us.
    print("my own ID is", info(device)["own_id"], flush=True)
    while 0 not in dict(fired(device)):
        select.select([device], [], [])
    print("woken")


def loop():
    device = open_device()
    poll = select.epoll()
    poll.register(device, select.EPOLLIN)
    print("waiting on", info(device)["nr_vectors"], "vectors", flush=True)
    while True:
        for _, events in poll.poll():
            if events & select.EPOLLHUP:
                print("the device is gone")
                return
            for vector, _ in fired(device):
                print("vector", vector, "fired", flush=True)


def survive():
    shared = memory(open_device(os.O_RDONLY), mmap.ACCESS_READ)
    last = 0
    while True:
        try:
            value, = struct.unpack("=I", safe_read(shared, 0, 4))
        except OSError as error:
            if error.errno != errno.EFAULT:
                raise
            print("the device is gone")
            return
        if value != last:
            print(value, flush=True)
        last = value
        time.sleep(0.001)


if __name__ == "__main__":
    examples = {"hello": hello, "wake": wake, "loop": loop, "survive": survive}
    if len(sys.argv) < 2 or sys.argv[1] not in examples:
        sys.exit(__doc__)
    examples[sys.argv[1]](*sys.argv[2:])
