#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""soak: four guests that talk, are killed, stopped, unplugged and come back, for
hours. `make soak HOURS=n SEED=n`; prints a line a minute and a summary at the end.

Every guest has a doorbell device of one server, by which a stream goes to the
next guest all the time, and a plain one that is unplugged and plugged again. The
events come in random order, but the same for the same --seed. At the first
thing that is wrong it ends with status 1: a file that does not arrive whole, a
stream that has not moved since the line before, a guest that does not answer, a
line of a kernel bug, a server that keeps memory or descriptors.
"""
import argparse
import collections
import random
import secrets
import sys
import time
from pathlib import Path

import plugs
import tree
from lab import Lab
from machine import Doorbell, Machine, Plain
from stage import Stage
from tree import MIB

NAMES = ("a", "b", "c", "d")
NEXT = dict(zip(NAMES, NAMES[1:] + NAMES[:1]))
#: QEMU before 8.1 crashes now and then when a BAR moves, so not the host's.
MACHINE = Machine(Doorbell(size=4 * MIB, vectors=4), Plain(port="port0"),
                  root_ports=2, smp=2, qemu="11.1")
CHANNEL = "--size 64K"
#: More than this at the end than after the first round is a leak, in KiB.
MOST_GROWTH = 1024


class Soak:
    def __init__(self, lab, seed):
        self.lab = lab
        self.random = random.Random(seed)
        self.counts = collections.Counter()
        self.plugged, self.tool, self.moved = {}, {}, {}
        self.guests = dict(lab.use({name: MACHINE for name in NAMES}))
        self.server = lab.servers["server"]
        for name in NAMES:
            self.prepare(name)

    def prepare(self, name):
        """The stream to the next guest, which begins anew whenever it ends; of the
        one that comes in /tmp/stream has a byte for each 64 KiB."""
        guest = self.guests[name]
        self.plugged[name] = "device1"      # the second of MACHINE
        self.tool[name] = f"ivshmemctl -d {guest.node(vectors=4)['path']}"
        self.moved[name] = 0
        guest.output(": > /tmp/stream")
        for command in ("(while head -c 65536 /dev/zero && echo; do usleep 300000; done) |"
                        f" {self.tool[name]} channel send to-{NEXT[name]} {CHANNEL}",
                        # recv would leave out the rest of what another began.
                        f"{self.tool[name]} channel cat to-{name} {CHANNEL} |"
                        " tr -cd '\\n' >> /tmp/stream"):
            guest.output(f"(while sleep 1; do {command}; done) > /dev/null 2>&1"
                         " < /dev/null &")

    def pair(self):
        return self.random.sample(NAMES, 2)

    # --- what happens

    def transfer(self, size=None):
        """A file arrives whole."""
        sender, receiver = self.pair()
        self.send(sender, receiver, size or self.random.randrange(1, 2 * MIB))

    def send(self, sender, receiver, size):
        a, b = self.guests[sender], self.guests[receiver]
        channel = f"file-{sender}{receiver}"
        receiving = b.start(f"sh -c '{self.tool[receiver]} channel recv {channel} {CHANNEL}"
                            " > /tmp/copy'")
        a.output(f"head -c {size} /dev/urandom > /tmp/original", 60)
        sending = a.start(f"sh -c '{self.tool[sender]} channel send {channel} {CHANNEL}"
                          " < /tmp/original'")
        ends = receiving.wait(120), sending.wait(120)
        assert ends == ((0, ""), (0, "")), f"{sender} to {receiver}: {ends}"
        sums = [guest.output(f"md5sum < {path}", 60)
                for guest, path in ((a, "/tmp/original"), (b, "/tmp/copy"))]
        assert sums[0] == sums[1], f"{sender} to {receiver}: not what was sent"
        self.counts["KiB"] += size // 1024

    def kill_sender(self):
        """The receiver says so, and the channel serves again."""
        sender, receiver = self.pair()
        a, b = self.guests[sender], self.guests[receiver]
        channel = f"file-{sender}{receiver}"
        b.output("rm -f /tmp/copy")
        receiving = b.start(f"sh -c '{self.tool[receiver]} channel recv {channel} {CHANNEL}"
                            " > /tmp/copy'")
        sending = a.start(f"{self.tool[sender]} channel send {channel} {CHANNEL}"
                          " < /dev/zero")
        b.output("until [ -s /tmp/copy ]; do usleep 50000; done", 60)
        sending.kill()
        status, output = receiving.wait(60)
        assert status == 1, f"{receiver} did not see {sender} killed: {output}"
        self.send(sender, receiver, 100000)

    def rebind(self):
        """The driver lets go of a device in use, and takes it again."""
        guest = self.guests[self.random.choice(NAMES)]
        node = guest.node(vectors=4)
        guest.output("cd /sys/bus/pci/drivers/ivshmem_guest &&"
                     " echo {address} > unbind && echo {address} > bind &&"
                     " until [ -e {path} ]; do usleep 20000; done".format(**node), 60)

    def replug(self):
        """The plain device goes, and comes with other memory."""
        name = self.random.choice(NAMES)
        guest = self.guests[name]
        plugs.unplug(guest, self.plugged[name])
        plugs.wait_for_nodes(guest, 1)
        self.plugged[name] = f"again{self.counts['replug']}"
        plugs.plug_plain(guest, self.plugged[name], "port0", MIB)
        plugs.wait_for_nodes(guest, 2)

    def kill_guest(self):
        """Its host loses power; another boots in its place."""
        name = self.random.choice(NAMES)
        self.guests[name].close()
        self.guests[name] = self.lab.guest(MACHINE, f"{name}-{secrets.token_hex(2)}")
        self.guests[name].wait_ready()
        self.prepare(name)

    def stop_guest(self):
        """It stands still for longer than others take for death, and goes on."""
        guest = self.guests[self.random.choice(NAMES)]
        guest.qmp("stop")
        time.sleep(self.random.uniform(0.1, 6))
        guest.qmp("cont")
        guest.output("true", 60)

    def storm(self):
        """Rings that nobody waits for."""
        name, other = self.pair()
        peer = self.guests[other].node(vectors=4)["own_id"]
        self.guests[name].output("for i in $(seq 100); do for vector in 0 1 2 3; do"
                                 f" {self.tool[name]} ring {peer} $vector || exit 1;"
                                 " done; done", 120)

    EVENTS = ((transfer, 8), (kill_sender, 2), (rebind, 2), (replug, 2),
              (kill_guest, 1), (stop_guest, 1), (storm, 1))

    def step(self):
        event, = self.random.choices([event for event, _ in self.EVENTS],
                                     [weight for _, weight in self.EVENTS])
        self.counts[event.__name__] += 1
        event(self)
        splats = self.lab.splats()
        assert not splats, "kernel log:\n" + "\n".join(splats)

    # --- what flows

    def flow(self):
        """Each stream has moved since the last call; who has just begun has time to."""
        end = time.monotonic() + tree.limit(3)
        for name in NAMES:
            while (now := self.arrived(name)) <= self.moved[name]:
                assert time.monotonic() < end, f"the stream to {name} stands at {now}"
                time.sleep(0.1)
            self.counts["stream KiB"] += 64 * (now - self.moved[name])
            self.moved[name] = now

    def arrived(self, name):
        return int(self.guests[name].output("wc -c < /tmp/stream"))

    # --- what is kept

    def kept(self):
        """KiB and descriptors of the server."""
        proc = Path(f"/proc/{self.server.process.pid}")
        words = (proc / "status").read_text().split()
        return (int(words[words.index("VmRSS:") + 1]), len(list((proc / "fd").iterdir())))

    def summary(self):
        return ", ".join(f"{count} {name.replace('_', ' ')}"
                         for name, count in sorted(self.counts.items()))


def options():
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__.split("\n")[0])
    parser.add_argument("--hours", type=float, default=1)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def run(soak, hours):
    begun, said = time.monotonic(), 0
    for name in NAMES:
        soak.send(name, NEXT[name], MIB)
    before = soak.kept()
    while time.monotonic() - begun < hours * 3600:
        soak.step()
        if time.monotonic() - said > 60:
            said = time.monotonic()
            soak.flow()
            print(f"{(said - begun) / 60:6.1f} min: {soak.summary()}; the server has"
                  f" {soak.kept()[0]} KiB and {soak.kept()[1]} descriptors", flush=True)
    for name in NAMES:
        for other in NAMES:
            if name != other:
                soak.send(name, other, 100000)
    soak.flow()
    after = soak.kept()
    print(f"{hours} h: {soak.summary()}; the server began with {before[0]} KiB and"
          f" {before[1]} descriptors and ended with {after[0]} and {after[1]}")
    assert after[1] == before[1], "the server keeps descriptors"
    assert after[0] - before[0] <= MOST_GROWTH, "the server keeps memory"


def main():
    chosen = options()
    print(f"seed {chosen.seed}", flush=True)
    lab = Lab(Stage(None, print), tree.LOGS / "soak")
    lab.logs.mkdir(parents=True, exist_ok=True)
    soak = None
    try:
        soak = Soak(lab, chosen.seed)
        run(soak, chosen.hours)
    except AssertionError as error:
        print(f"soak: after {soak.summary() if soak else 'nothing'}: {error}",
              file=sys.stderr)
        return 1
    finally:
        lab.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
