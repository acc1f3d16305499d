# SPDX-License-Identifier: GPL-2.0-or-later
"""guests_report: what bench/guests measured, as goals and as a part of the report.

The results are in PREFIX-guests.jsonl; bench/run, which writes the page, asks for
goals() and part().
"""
import json
import statistics
from pathlib import Path

import plot

CHANNELS = ("channel", "channel-poll")
OTHERS = ("tcp", "tcp-batch", "serial", "serial-batch")
SIZES = (64, 256, 1024, 4096, 65536)
TITLE = "## Between two guests"


class Results:
    """Medians over rounds, and ratios within each round."""

    def __init__(self, lines):
        self.lines = lines
        self.by_key = {}
        for line in lines:
            key = (line["case"].removeprefix("guests-"), line["kind"], line["size"])
            self.by_key.setdefault(key, []).append(line)

    def median(self, key, field="p50_ns"):
        return statistics.median(line[field] for line in self.by_key[key])

    def better(self, key, other):
        """How many times better than the other, in each round."""
        return [line["p50_ns"] / own["p50_ns"]
                for own, line in zip(self.by_key[key], self.by_key[other])]


def read(prefix):
    """The results of the last run, or None."""
    path = Path(f"{prefix}-guests.jsonl")
    if not path.exists():
        return None
    return Results([json.loads(line) for line in path.read_text().splitlines()])


#: Goals in instructions: the test of selftests/icount/cost.c, and the most.
EXACT_GOALS = (("P2", "a ring by a store", "of_a_ring_by_a_store", 12),
               ("P3", "an interrupt until read() returns",
                "of_an_interrupt_until_read_returns", 1450),
               ("P3", "an interrupt until an eventfd returns",
                "of_an_interrupt_until_an_eventfd_returns", 1450))


def exact_goals(results):
    for line in results.by_key.get(("map", "map_touch", 256 << 20), ()):
        yield ("P1", "faults to touch 256 MiB", "130", line["faults"],
               line["faults"] <= 130)
    for number, what, kind, most in EXACT_GOALS:
        for line in results.by_key.get(("exact", kind, 0), ())[-1:]:
            yield (number, f"instructions of {what}", str(most),
                   line["instructions"], line["instructions"] <= most)


def goals(results):
    """(number, what, wanted, found, whether it is met), as bench/run's."""
    yield from exact_goals(results)
    for kind, least in (("channel-poll", 300), ("channel-sleep", 1.5)):
        found = statistics.median(results.better(("latency", kind, 8),
                                                 ("latency", "tcp", 8)))
        yield ("P9", f"round trip between guests, {kind}: times better than TCP",
               str(least), found, found >= least)
    for kind, least in (("tcp", 20), ("tcp-batch", 20), ("serial", 8),
                        ("serial-batch", 8)):
        found, size = min(
            (statistics.median(results.better(("stream", "channel", size),
                                              ("stream", kind, size))), size)
            for size in SIZES)
        yield ("P9", f"streams between guests: times faster than {kind}, at worst"
               f" ({size} bytes)", str(least), found, found >= least)


def shown(ratios):
    return f"{statistics.median(ratios):.3g} ({min(ratios):.3g} to {max(ratios):.3g})"


def latency_table(results):
    yield "| round trip, 8 bytes | p05 µs | p50 µs | mean µs | TCP's p50 to it |"
    yield "| --- | --- | --- | --- | --- |"
    for case, kind, size in results.by_key:
        if case == "latency":
            key = (case, kind, size)
            to = results.better(key, ("latency", "tcp", 8))
            yield f"| {kind} | " + " | ".join(
                f"{results.median(key, field) / 1000:.3g}"
                for field in ("p05_ns", "p50_ns", "mean_ns")) + f" | {shown(to)} |"


def stream_table(results):
    yield "| bytes | stream | p50 ns | mean ns | MB/s | channel against it, p50 |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for size in SIZES:
        for kind in (*CHANNELS, *OTHERS):
            key = ("stream", kind, size)
            p50 = results.median(key)
            yield (f"| {size} | {kind} | {p50:.4g} | {results.median(key, 'mean_ns'):.4g}"
                   f" | {1000 * size / p50:.4g}"
                   f" | {shown(results.better(('stream', 'channel', size), key))} |")


def exact_table(results):
    yield ("In a guest whose clock counts instructions, so the same on any machine;"
           " `make check` has the same limits (`cost`, `instructions`):\n")
    yield "| instructions of | found | at most |"
    yield "| --- | --- | --- |"
    lines = [line for line in results.lines if line["case"] == "guests-exact"]
    for line, after in zip(lines, [*lines[1:], {"kind": ""}]):
        # Two of a name are what it takes to the handler's end, and in all.
        part_of = ", its handler alone" if line["kind"] == after["kind"] else ""
        yield (f"| {line['kind'].removeprefix('of_').replace('_', ' ')}{part_of}"
               f" | {line['instructions']} | {line['limit']} |")
    for line in results.lines:
        if line["case"] == "guests-map":
            pages = line["size"] // 4096
            yield (f"\nMapping {line['size'] >> 20} MiB and touching each page:"
                   f" {line['faults']} faults, {line['instructions'] / pages:.1f}"
                   " instructions a page.")


def part(results, name):
    """The lines of the page; name is what its files begin with."""
    about = results.lines[0]
    rounds = max(line["round"] for line in results.lines)
    yield TITLE + "\n"
    yield (f"Written by `make bench-guests`, {rounds} rounds, {about['accel']}, kernel"
           f" {about['kernel']}, one processor for each guest, {about['seconds']} s in"
           " all. One server of doorbells; the network is virtio-net, the QEMUs of the"
           " two connected by a UNIX socket (packets of 1500 bytes), the serial port"
           " likewise. Each message is checked at its ends and in each KiB. Chunks are of"
           " 256 KiB, or 16 messages; p50 is over them. Messages go 64 at a time, at most"
           " 256 KiB: channel by one call, tcp-batch and serial-batch by one writev(),"
           " tcp and serial by a write each. Nagle's algorithm is off for round trips"
           " only. channel waits as by default, which with one processor is to sleep.\n")
    yield f"![nanoseconds a message between guests]({name}-guests.svg)\n"
    yield from latency_table(results)
    yield ""
    yield from stream_table(results)
    yield ""
    yield from exact_table(results)


def draw(results, prefix):
    groups = [(f"{size} B", [(kind, results.median(("stream", kind, size)))
                             for kind in (*CHANNELS, *OTHERS)]) for size in SIZES]
    Path(f"{prefix}-guests.svg").write_text(
        plot.bars("ns a message between guests (p50)", groups))
