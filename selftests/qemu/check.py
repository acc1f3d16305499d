#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""check: run the tests of all layers and print TAP and one total.

Started by scripts/check, which has built everything before. The last line is
"N passed, N failed, N skipped"; the status is 1 if anything failed.
"""
import argparse
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import child
import debugkernel
import discover
import rows
import tap
import tree
from guest import GuestError, QemuCrash
from lab import Lab
from scenario import COUNTED, Skip
from stage import Stage


class Runner:
    def __init__(self):
        self.totals = tap.Totals()
        self.start = time.monotonic()
        self.steps = []         # [(seconds, what began then)]

    def seconds(self):
        return time.monotonic() - self.start

    def begin(self, text):
        self.steps.append((self.seconds(), text))
        self.say(text)

    def say(self, text):
        print(f"# [{self.seconds():6.1f} s] {text}", flush=True)

    def longest(self, least):
        """[(seconds, what)] of what took so many seconds, the longest first."""
        ends = [begin for begin, _ in self.steps[1:]] + [self.seconds()]
        took = [(end - begin, text) for end, (begin, text) in zip(ends, self.steps)]
        return sorted((step for step in took if step[0] >= least), reverse=True)

    def add(self, verdict, name, reason=""):
        self.totals.results.append(tap.Result(verdict, name, reason))
        word = "not ok" if verdict == "failed" else "ok"
        skip = " # SKIP " + " ".join(reason.split()) if verdict == "skipped" else ""
        print(f"{word} {len(self.totals.results)} {name}{skip}", flush=True)
        if verdict != "skipped":
            for line in reason.splitlines():
                print(f"#   {line}", flush=True)

    def run_host_program(self, path):
        self.begin(f"host: {path.name}")
        logs = _log_directory("host")
        environment = {**os.environ, "O": str(tree.BUILD), "IVSHMEM_TOP": str(tree.TOP),
                       "PYTHONPATH": str(Path(__file__).parent),
                       "LD_LIBRARY_PATH": str(tree.BUILD / "lib")}
        status, output = run_limited(path, environment)
        (logs / path.name).write_text(output)
        tail = tap.others(output)[-1500:]
        for result in tap.parse(path.stem, output, status):
            reason = result.reason
            if result.verdict == "failed" and tail:
                reason, tail = f"{reason}\n{tail}", ""
            self.add(result.verdict, result.name, reason)

    def run_test(self, test, lab):
        self.begin(test.name.replace("_", " "))
        lab.logs = _log_directory(re.sub(r"[^a-z0-9]+", "-", test.name.lower()))
        try:
            verdict, reason = self._try(test, lab)
        except QemuCrash as error:
            verdict, reason = self._once_more(test, lab, error)
        splats = lab.splats()
        if splats:
            verdict, reason = "failed", "\n".join([reason, "kernel log:", *splats])
        if verdict == "failed":
            reason += _log_tails(lab.logs)
            lab.close()
        lab.end_test()
        if verdict != COUNTED:
            self.add(verdict, test.name.replace("_", " "), reason)

    def _once_more(self, test, lab, crash):
        """QEMU before 8.1 with two processors crashes now and then while a guest
        moves a BAR: the other one looks into a memory map that is gone."""
        self.say(f"QEMU crashed, and the test begins anew:"
                 f" {str(crash).splitlines()[0]}")
        lab.close()
        try:
            return self._try(test, lab)
        except QemuCrash as again:
            return "failed", f"QEMU crashed twice: {again}"

    def _try(self, test, lab):
        """(verdict, reason) of a test; QemuCrash."""
        try:
            test.ask()
            given = {"lab": lab, "report": self.add}
            if test.machines:
                given.update(lab.use(test.machines, test.fresh))
            done = test.function(**{name: given[name]
                                    for name in test.parameters})
        except Skip as reason:
            return "skipped", str(reason)
        except QemuCrash:
            raise
        except GuestError as error:
            return "failed", str(error)
        except Exception:
            return "failed", traceback.format_exc(limit=-4)
        return done or "passed", ""


def run_limited(path, environment):
    """(status, output) of a program that may hang or not start."""
    try:
        process = child.start([path], env=environment, cwd=tree.TOP, text=True,
                              errors="replace", stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except (OSError, subprocess.SubprocessError) as error:
        return -1, str(error)
    said = child.finish(process, tree.limit(60))
    if said is None:
        return -1, f"{path.name} did not end in time"
    return process.returncode, said[0]


def _log_directory(name):
    path = tree.LOGS / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def _log_tails(logs):
    """The ends of the consoles, which say more than the assertion."""
    text = f"\nlogs: {os.path.relpath(logs)}"
    for path in sorted(logs.glob("*.console")):
        lines = path.read_text(errors="replace").splitlines()[-8:]
        text += "\n".join([f"\n{path.stem}:", *lines])
    return text


def options():
    parser = argparse.ArgumentParser(prog="scripts/check", description=__doc__)
    parser.add_argument("-k", metavar="PATTERN", default="",
                        help="only tests whose name matches this expression")
    parser.add_argument("--list", action="store_true", help="only name them")
    parser.add_argument("--quick", action="store_true",
                        help="layer 1 and one guest")
    parser.add_argument("--full", action="store_true",
                        help="also what takes minutes")
    parser.add_argument("--kernel", metavar="VERSION",
                        help="another kernel: " + ", ".join(rows.ROWS)
                        + ", or one whose headers are installed")
    return parser.parse_args()


def main():
    chosen = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))

    def wanted(name):
        return re.search(chosen.k, name.replace("_", " ")) is not None

    programs = [path for path in discover.host_programs(chosen.quick)
                if wanted(f"host: {path.stem}")]
    tests = [test for test in discover.tests(chosen.quick, chosen.full) if wanted(test.name)]
    if chosen.list:
        print("\n".join([f"host: {path.stem}" for path in programs]
                        + [test.name.replace("_", " ") for test in tests]))
        return 0
    runner = Runner()
    print("TAP version 13")
    debugkernel.build(set().union(*map(debugkernel.needed, tests)))
    try:
        for path in programs:
            runner.run_host_program(path)
        if tests:
            run_guest_tests(runner, tests, chosen.kernel)
    finally:
        debugkernel.stop()
    print(f"1..{len(runner.totals.results)}")
    summary(runner)
    return 1 if runner.totals.count("failed") or not runner.totals.results else 0


def run_guest_tests(runner, tests, version):
    try:
        stage = Stage(version, runner.say)
    except Exception as error:
        runner.add("failed", "guests: can be booted", str(error))
        return
    if stage.problem:
        runner.add("failed", "kernel: the module builds", stage.problem)
    lab = Lab(stage, tree.LOGS)
    try:
        for test in tests:
            runner.run_test(test, lab)
    finally:
        lab.close()


def summary(runner):
    """What failed and what was skipped, once more, and the total."""
    for result in runner.totals.results:
        if result.verdict != "passed":
            first = (result.reason.strip().splitlines() or [""])[0]
            print(f"# {result.verdict}: {result.name}: {first}")
    for seconds, text in runner.longest(20):
        print(f"# {seconds:.0f} s: {text}")
    print(f"# took {runner.seconds():.0f} s,"
          f" logs in {os.path.relpath(tree.LOGS)}")
    if not runner.totals.results:
        print("# no test matches: scripts/check --list")
    tree.LOGS.mkdir(parents=True, exist_ok=True)
    (tree.LOGS / "total").write_text(f"{runner.totals}\n")
    print(runner.totals, flush=True)


if __name__ == "__main__":
    sys.exit(main())
