#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ivshmemctl channel between two processes of the host, on a shared file, and
its dump compared with scripts/channel-dump."""
import json
import mmap
import os
import random
import signal
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import program
import server as server_module
import tree

CTL = tree.BUILD / "tools/ivshmemctl"


class Memory:
    """A file to share, 1 MiB unless said, and ivshmemctl channel on it."""

    def __init__(self, size=tree.MIB):
        self.file = tempfile.NamedTemporaryFile(dir="/dev/shm", prefix="ivshmem-")
        self.file.truncate(size)

    def command(self, *arguments):
        return [CTL, "-d", f"file:{self.file.name}", "channel", *arguments]

    def start(self, *arguments, stdin=subprocess.PIPE):
        return subprocess.Popen(self.command(*arguments), stdin=stdin,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *arguments, data=b""):
        return subprocess.run(self.command(*arguments), input=data,
                              capture_output=True, timeout=tree.limit(20))


def finish(process, data=None):
    output, errors = process.communicate(data, timeout=tree.limit(20))
    return process.returncode, output, errors.decode()


def test_a_file_arrives_as_it_was_sent():
    memory = Memory()
    data = random.Random(1).randbytes(10_000_000)
    with tempfile.TemporaryFile() as source:
        source.write(data)
        source.seek(0)
        sender = memory.start("send", "file", "--size", "64K", stdin=source)
        receiver = memory.start("recv", "file", "--size", "64K")
        assert finish(receiver) == (0, data, "")
        assert finish(sender) == (0, b"", "")


def test_a_sender_may_have_ended_before_the_receiver_comes():
    memory = Memory()
    assert memory.run("send", "a", data=b"kept").returncode == 0
    assert memory.run("recv", "a").stdout == b"kept"
    sender = memory.start("send", "a")
    receiver = memory.start("recv", "a")
    assert finish(sender, b"again")[0] == 0
    assert finish(receiver)[:2] == (0, b"again")


def test_a_sender_waits_for_another_receiver_when_the_last_has_gone():
    memory = Memory()
    assert memory.run("send", "a", "--size", "64K", data=b"first").returncode == 0
    assert memory.run("recv", "a").stdout == b"first"
    with tempfile.TemporaryFile() as source:
        source.truncate(tree.MIB)
        sender = memory.start("send", "a", stdin=source)
        while entry(memory, "a")["producer"] != "open":
            assert sender.poll() is None, finish(sender)
        # Each look takes a second, in which the sender tries many times.
        assert [used(memory, "a") for _ in range(3)] == 3 * [0]
        receiver = memory.start("recv", "a")
        assert finish(receiver) == (0, bytes(tree.MIB), "")
        assert finish(sender) == (0, b"", "")


def chat(place):
    """Lines come as they are typed, and both ends end well."""
    reader = place.start("cat", "chat")
    writer = place.start("send", "chat")
    for word in (b"hello\n", b"how are you?\n"):
        writer.stdin.write(word)
        writer.stdin.flush()
        assert reader.stdout.readline() == word
    assert finish(writer, b"")[0] == 0
    reader.send_signal(signal.SIGINT)
    assert finish(reader) == (0, b"", "")


def test_lines_of_a_chat_come_as_they_are_typed():
    chat(Memory())


class Served:
    """The same, as two peers of a server: who sleeps is woken by a ring."""

    def __init__(self):
        self.server = server_module.Server()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()

    def start(self, *arguments):
        return subprocess.Popen(
            [CTL, "-d", f"unix:{self.server.socket}", "channel", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_peers_of_a_server_wake_each_other():
    with Served() as served:
        chat(served)


def half_sent():
    """A sender that has more to send, and what has received of it."""
    memory = Memory()
    receiver = memory.start("recv", "a")
    sender = memory.start("send", "a")
    sender.stdin.write(b"half")
    sender.stdin.flush()
    assert receiver.stdout.read(4) == b"half"
    return memory, sender, receiver


def test_a_killed_sender_is_noticed_and_another_takes_its_place():
    memory, sender, receiver = half_sent()
    sender.kill()
    sender.wait()
    assert memory.run("send", "a", data=b"whole").returncode == 0
    status, output, errors = finish(receiver)
    assert (status, output) == (1, b"")
    assert errors == "ivshmemctl: a: the sender began again before the end\n"


def test_the_transfer_after_a_killed_senders_is_received_whole():
    memory = Memory()
    killed = memory.start("send", "a")
    killed.stdin.write(b"old")
    killed.stdin.flush()
    while not used(memory, "a") >= 16 + 16:     # its start, and its data
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    assert memory.run("send", "a", data=b"new").returncode == 0
    first, second = memory.run("recv", "a"), memory.run("recv", "a")
    assert (first.returncode, first.stdout) == (1, b"old"), first
    assert b"the sender began again before the end" in first.stderr, first
    assert (second.returncode, second.stdout, second.stderr) == (0, b"new", b"")


def test_the_transfer_after_one_whose_receiver_was_killed_is_received_whole():
    memory, sender, receiver = pouring()
    receiver.kill()
    receiver.wait()
    receiver = memory.start("recv", "a", "--size", "64K")
    assert finish(sender)[0] == 0
    assert memory.run("send", "a", "--size", "64K", data=b"new").returncode == 0
    status, output, errors = finish(receiver)
    assert (status, output) == (0, b"new"), (status, output[:100], errors)
    assert "messages of a transfer whose start is gone" in errors


def entry(memory, name):
    """What list shows of a name; nothing before somebody has made it."""
    listed = memory.run("list", "--json")
    if b"nobody has made a channel" in listed.stderr:
        return {}
    shown = json.loads(listed.stdout)["entries"]
    return next((entry for entry in shown if entry["name"] == name), {})


def used(memory, name):
    """Bytes that lie in a channel."""
    return entry(memory, name).get("used", 0)


def pouring():
    """A sender with more to send than the receiver, whom nobody reads, takes."""
    memory = Memory()
    source = tempfile.TemporaryFile()
    source.truncate(tree.MIB)
    sender = memory.start("send", "a", "--size", "64K", stdin=source)
    receiver = memory.start("recv", "a", "--size", "64K")
    assert os.read(receiver.stdout.fileno(), 1) == b"\0"
    return memory, sender, receiver


def test_a_killed_sender_and_a_killed_receiver_are_noticed():
    _memory, sender, receives = half_sent()
    _other, sends, receiver = pouring()
    for killed in (sender, receiver):
        killed.kill()
        killed.wait()
    for left, name in ((receives, "sender"), (sends, "receiver")):
        assert finish(left) == (1, b"", f"ivshmemctl: a: the {name} has shown no"
                                " sign of life for 10 seconds\n")


def stuck(memory):
    """What list shows when the channel is full and stays so."""
    used = None
    while True:
        shown = json.loads(memory.run("list", "--json").stdout)["entries"]
        entries = {entry["name"]: entry for entry in shown}
        if used == entries["a"]["used"] and used > 32 * 1024:
            return entries
        used = entries["a"]["used"]


def test_a_receiver_whose_output_nobody_reads_is_alive():
    memory, sender, receiver = pouring()
    stuck(memory)
    room = 8192         # for a part of the next message
    assert len(os.read(receiver.stdout.fileno(), room)) == room
    entries = stuck(memory)
    assert entries["recv.a"]["state"] == "alive", entries
    assert len(finish(receiver)[1]) == tree.MIB - 1 - room
    assert finish(sender)[0] == 0


def test_a_sender_that_ends_before_the_end_is_status_1():
    _memory, sender, receiver = half_sent()
    sender.send_signal(signal.SIGTERM)
    assert finish(sender)[0] == 1
    assert finish(receiver) == (
        1, b"", "ivshmemctl: a: the sender has gone before the end\n")


def test_a_changed_byte_is_status_1():
    memory = Memory()
    assert memory.run("send", "a", data=b"payload").returncode == 0
    content = Path(memory.file.name).read_bytes()
    at = content.index(b"payload")
    with open(memory.file.name, "r+b") as file:
        file.seek(at)
        file.write(b"P")
    found = memory.run("recv", "a")
    assert found.returncode == 1
    assert found.stderr.startswith(b"ivshmemctl: a: what came is not what was sent")


def test_a_second_sender_is_refused_while_the_first_lives():
    memory = Memory()
    reader = memory.start("cat", "a")
    sender = memory.start("send", "a")
    sender.stdin.write(b"x")
    sender.stdin.flush()
    assert reader.stdout.read(1) == b"x"
    found = memory.run("send", "a")
    assert found.returncode == 1
    assert b"another one uses this end, and is alive" in found.stderr, found
    assert memory.run("send", "a", "--take-over", data=b"y").returncode == 0
    assert reader.stdout.read(1) == b"y"
    assert finish(sender, b"z")[0] == 1
    reader.kill()
    reader.wait()


class Hostile:
    """Writes the words of the only channel in a memory: docs/channel-format.md."""

    def __init__(self, memory):
        self.shared = mmap.mmap(memory.file.fileno(), tree.MIB)
        shown = json.loads(memory.run("dump", "--json").stdout)["entries"]
        channel = next(entry for entry in shown if entry["kind"] == "channel")
        self.at, self.capacity = channel["offset"], channel["capacity"]
        self.data = self.at + 4096

    def fill(self, record):
        self.shared[self.data:self.data + self.capacity] = (
            record * (self.capacity // len(record)))

    def pour(self, process):
        """As much as fits, again and again, until the process ends."""
        words = memoryview(self.shared).cast("Q")   # each is written at once
        head, tail = (self.at + 0x80) // 8, (self.at + 0x200) // 8
        generation = words[head] & 0xffff
        while process.poll() is None:
            for _ in range(1000):
                position = (words[tail] >> 16) + self.capacity
                words[head] = position << 16 | generation


def test_a_receiver_of_messages_without_end_can_be_interrupted():
    memory = Memory()
    receiver = memory.start("recv", "a", "--size", "64K")
    sender = memory.start("send", "a", "--size", "64K")
    sender.stdin.write(b"x")
    sender.stdin.flush()
    assert receiver.stdout.read(1) == b"x"
    sender.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, sender.pid, os.WSTOPPED)
    hostile = Hostile(memory)
    hostile.fill(struct.pack("<Q8s", 1, b"D"))
    pouring = threading.Thread(target=hostile.pour, args=(receiver,))
    pouring.start()
    while used(memory, "a") < 16384:
        pass
    receiver.send_signal(signal.SIGINT)
    try:
        assert finish(receiver) == (1, b"", "ivshmemctl: a: interrupted\n")
    finally:
        receiver.kill()
        sender.kill()
        pouring.join()
        sender.wait()


def test_memory_with_something_else_is_named_and_formatted():
    memory = Memory()
    Path(memory.file.name).write_bytes(b"x" * tree.MIB)
    found = memory.run("list")
    assert found.returncode == 1
    assert b"'ivshmemctl channel format' makes it new" in found.stderr, found
    assert memory.run("format").returncode == 0
    assert memory.run("send", "a").returncode == 0


def test_memory_that_is_empty_or_small_is_status_1():
    found = Memory().run("list")
    assert found.returncode == 1 and b"nobody has made" in found.stderr
    for action in (("send", "a"), ("list",), ("format",)):
        found = Memory(4096).run(*action)
        assert found.returncode == 1 and b"32K are the least" in found.stderr, found


def test_memory_with_128_names_says_that_it_is_full():
    memory = Memory()
    assert memory.run("send", "a").returncode == 0
    memory.file.seek(0x400 + 2 * 8)
    memory.file.write(b"".join(struct.pack("<Q", number << 26 | 1 << 24)
                               for number in range(1, 127)))
    memory.file.flush()
    found = memory.run("send", "b")
    assert found.returncode == 1 and b"it has 128 names" in found.stderr, found
    assert memory.run("send", "a", data=b"x").returncode == 0


def test_memory_that_says_it_is_larger_is_named_and_formatted():
    memory = Memory()
    assert memory.run("send", "a", data=b"x").returncode == 0
    memory.file.seek(16)            # the size word of docs/channel-format.md
    memory.file.write((1 << 40).to_bytes(8, "little"))
    memory.file.flush()
    found = memory.run("list")
    assert found.returncode == 1, found
    assert b"says that it is larger than its 1048576 bytes" in found.stderr, found
    assert memory.run("format").returncode == 0
    assert memory.run("send", "a", data=b"x").returncode == 0


def test_usage_errors_are_status_2_and_say_what_is_right():
    memory = Memory()
    for arguments, words in (
            ((), "needs ACTION"), (("frob",), "no such action, there are list"),
            (("send",), "needs NAME"), (("list", "a"), "unexpected argument"),
            (("send", "a", "b"), "unexpected argument"),
            (("send", "a/b"), "not 1 to 26 of the characters"),
            (("send", "a" * 27), "not 1 to 26 of the characters"),
            (("send", "a", "--size", "5000"), "power of two from 4K to 1G"),
            (("send", "a", "--vector", "256"), "--vector")):
        found = memory.run(*arguments)
        assert found.returncode == 2 and words in found.stderr.decode(), found


def test_list_shows_who_is_alive_silent_and_left():
    memory = Memory()
    reader = memory.start("cat", "a")
    writer = memory.start("send", "a")
    writer.stdin.write(b"x")
    writer.stdin.flush()
    assert reader.stdout.read(1) == b"x"
    assert memory.run("send", "b").returncode == 0
    writer.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, writer.pid, os.WSTOPPED)
    shown = json.loads(memory.run("list", "--json").stdout)["entries"]
    states = {entry["name"]: entry["state"] for entry in shown
              if entry["kind"] == "peer"}
    assert states == {"recv.a": "alive", "send.a": "silent", "send.b": "left"}
    for process in (reader, writer):
        process.kill()
        process.wait()


def dump_by_the_document(memory):
    return subprocess.run([tree.TOP / "scripts/channel-dump", memory.file.name],
                          capture_output=True, text=True)


def test_entries_and_names_that_no_peer_makes_are_shown_as_such():
    memory = Memory()
    assert memory.run("send", "a").returncode == 0
    name = b"\x1b[31m\x07\xff"
    for at, content in ((0x400 + 16, struct.pack("<QQ", 1 << 26, 3 << 24 | 1 << 26)),
                        (0x1000 + 128, name)):      # kind 0; a channel of no pages
        memory.file.seek(at)
        memory.file.write(content)
        memory.file.flush()
    shown = memory.run("list")
    assert (shown.returncode, shown.stderr) == (0, b""), shown
    assert b"?[31m??" in shown.stdout and b"\x1b" not in shown.stdout, shown
    shown = json.loads(memory.run("dump", "--json").stdout)["entries"]
    kinds = [entry["kind"] for entry in shown]
    assert kinds == ["peer", "channel", "unknown", "channel"], shown
    reader = dump_by_the_document(memory)
    assert "has another hash" in reader.stderr and "Traceback" not in reader.stderr
    memory.file.seek(0x1000 + 128)
    memory.file.write(bytes(len(name)))
    memory.file.flush()
    theirs = json.loads(dump_by_the_document(memory).stdout)["entries"]
    assert [entry["kind"] for entry in theirs] == kinds, theirs


def test_dump_is_that_of_the_reader_made_from_the_document():
    memory = Memory()
    for name, size in (("a", "4K"), ("b", "64K"), ("c", "8K")):
        assert memory.run("send", name, "--size", size, data=b"1234567" * 100
                          ).returncode == 0
    assert memory.run("recv", "b").returncode == 0
    shown = json.loads(memory.run("dump", "--json").stdout)["entries"]
    reader = dump_by_the_document(memory)
    ours = [{key: value for key, value in entry.items() if value is not None}
            for entry in shown]
    theirs = [{key: value for key, value in entry.items() if value is not None}
              for entry in json.loads(reader.stdout)["entries"]]
    assert len(ours) == 3 + 3 + 1 and ours == theirs, (ours, theirs)


program.main()
