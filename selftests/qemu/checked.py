# SPDX-License-Identifier: GPL-2.0-or-later
"""checked: build a part of the sources so that it watches itself, and run the
programs of host/ against it: sanitizers, coverage, calls that fail.

A report of a sanitizer goes to a file, whoever reads the program's stderr.
"""
import concurrent.futures
import os
import re
import subprocess
from pathlib import Path

import child
import coverage
import tap
import tree
from scenario import skip

SANITIZE = "-fsanitize=address,undefined -fno-sanitize-recover=undefined"
FAULTS = tree.TOP / "selftests/faults"


class Checked:
    """A build of some directories with their own flags."""

    def __init__(self, compiler, flags):
        self.place = tree.scratch()
        self.reports = self.place / "reports"
        self.reports.mkdir()
        self.compiler = compiler
        self.flags = flags
        self.linked = []
        if "--coverage" in flags:
            self.linked = [self._compile("exit.c"), "-Wl,--wrap=_exit"]

    def let_calls_fail(self):
        """What is built from now on, as faults.c says."""
        self.linked += [self._compile("faults.c"),
                        *(f"-Wl,--wrap={name}" for name in _wrapped())]

    def _compile(self, name):
        target = str(self.place / name.replace(".c", ".o"))
        _run([self.compiler, "-g", "-w", "-D_GNU_SOURCE", "-c", FAULTS / name, "-o",
              target])
        return target

    def build(self, directory, *targets):
        _run(["make", "-s", f"-j{os.cpu_count()}", "-C", tree.TOP / directory,
              f"O={self.place}", f"CC={self.compiler}", f"CFLAGS=-g {self.flags}",
              f"LDFLAGS={' '.join(self.linked)}",
              *(str(self.place / target) for target in targets)])
        # Some programs become another user.
        _run(["chmod", "-R", "a+rwX", self.place])

    def build_library(self):
        """It is linked into each program: what counts lines knows of no other."""
        self.build("lib", "lib/libivshmem.a")
        link = self.place / "lib/libivshmem.so"
        # What is linked depends on this file, and only on that it is there.
        (self.place / "lib/libivshmem.so.0").touch()
        link.write_text(f"INPUT({self.place}/lib/libivshmem.a)\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        tree.remove(self.place)

    def environment(self):
        log = f"log_path={self.reports}/report"
        return {**os.environ, "ASAN_OPTIONS": log, "TSAN_OPTIONS": log,
                "LSAN_OPTIONS": log, "UBSAN_OPTIONS": f"{log}:print_stacktrace=1"}

    def report(self):
        """What the sanitizers have said since the last time, or nothing."""
        files = sorted(self.reports.iterdir())
        text = "".join(file.read_text(errors="replace") for file in files[:1])
        for file in files:
            file.unlink()
        return text[:4000]

    def run(self, programs, **variables):
        """Run programs of host/ beside each other; no test of them may fail, and one
        of each must pass."""
        environment = {**self.environment(), **variables}

        def run_one(path):
            process = child.start([path], env=environment, cwd=tree.TOP,
                                  stdin=subprocess.DEVNULL, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  errors="replace")
            said = child.finish(process, tree.limit(30))
            return path.name, process.returncode, (said or ("no end",))[0]

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(run_one, programs))
        report = self.report()
        assert not report, report
        for name, status, said in results:
            verdicts = {result.verdict for result in tap.parse(name, said, status)}
            assert status == 0 and "failed" not in verdicts, \
                f"{name}: status {status}\n{_failed(said)}"
            if "passed" not in verdicts:
                skip(f"{name} skips all of its tests")

    def coverage(self, directory):
        """{file: (lines, [those that did not run])}."""
        found = coverage.read(self.place / directory, directory)
        return {name: (len(lines), coverage.missed(lines))
                for name, (lines, _, _) in found.items()}


def say_coverage(coverage, least):
    """Print what was missed, and fail if that is too much."""
    lines = sum(nr for nr, _ in coverage.values())
    missed = sum(len(numbers) for _, numbers in coverage.values())
    assert lines, "no line was counted"
    percent = 100 * (lines - missed) / lines
    for name, (_, numbers) in sorted(coverage.items()):
        if numbers:
            print(f"# {name}: {' '.join(map(str, numbers))}")
    print(f"# {percent:.1f} % of {lines} lines", flush=True)
    assert percent >= least, f"{percent:.1f} % of the lines ran, not {least}"


def _wrapped():
    text = (FAULTS / "faults.c").read_text()
    return sorted(set(re.findall(r"__wrap_(\w+)\(", text))
                  | set(re.findall(r"^FAULT\([^,]+, [^,]+, (\w+)", text, re.M)))


def _failed(said):
    lines = said.splitlines()
    return "\n".join(line for line in lines if not line.startswith("ok "))[-3000:]


def _run(words):
    """A make of its own, whatever make has started us."""
    done = subprocess.run(words, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          env={**os.environ, "MAKEFLAGS": "", "MFLAGS": ""})
    assert done.returncode == 0, done.stdout[-3000:]
