# SPDX-License-Identifier: GPL-2.0-or-later
"""tap: read what a kselftest program prints, and count results.

A program passes only if it printed a plan and as many results as it planned,
and ended with a status that fits them. What is missing is a failure.
"""
import re
from dataclasses import dataclass, field

RESULT = re.compile(r"^(ok|not ok)\s+(\d+)\s*(?:- )?(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)(?:\s*#\s*(.*))?$")
KSFT_SKIP = 4
#: What the harness itself says of each test, and of all.
HARNESS = re.compile(r"#\s+(RUN|OK)\s|# (Starting|PASSED|FAILED|Totals)\b")


@dataclass
class Result:
    verdict: str            # "passed", "failed", "skipped"
    name: str
    reason: str = ""        # of what passed: what it says, its figures


@dataclass
class Totals:
    results: list = field(default_factory=list)

    def count(self, verdict):
        return sum(result.verdict == verdict for result in self.results)

    def __str__(self):
        return ", ".join(f"{self.count(verdict)} {verdict}"
                         for verdict in ("passed", "failed", "skipped"))


def parse(program, text, status):
    """The results in the output of a program that ended with status."""
    results, notes, plan = [], [], None
    for line in text.replace("\r", "").splitlines():
        found = PLAN.match(line)
        if found:
            plan = int(found[1])
            if plan == 0:
                return [Result("skipped", program, found[2] or "no tests")]
            continue
        found = RESULT.match(line)
        if found:
            results.append(_result(program, found, notes))
            notes = []
        elif line.startswith("#"):
            notes.append(line)
    return results + _missing(program, plan, results, text, status)


def others(text):
    """The lines that are no TAP: what a sanitizer says, or a program that dies."""
    return "\n".join(line for line in text.splitlines()
                     if not re.match(r"#|TAP version", line)
                     and not RESULT.match(line) and not PLAN.match(line))


def _result(program, found, notes):
    name, _, directive = found[3].partition("#")
    # Of what is skipped the harness says no name.
    name = f"{program}: {name.strip() or _begun(notes)}"
    skip = directive.strip().upper().startswith("SKIP")
    if found[1] == "not ok":
        return Result("failed", name, "\n".join(notes[-15:]))
    if skip:
        return Result("skipped", name, directive.strip()[4:].strip() or "no reason")
    return Result("passed", name, "\n".join(note[1:].strip() for note in notes
                                            if not HARNESS.match(note)))


def _begun(notes):
    """The test that the harness said to begin."""
    names = re.findall(r"^#\s+RUN\s+(\S+) \.\.\.$", "\n".join(notes), re.M)
    return names[-1] if names else ""


def _missing(program, plan, results, text, status):
    """One failure for what the program should have said and did not."""
    failed = any(result.verdict == "failed" for result in results)
    if status == KSFT_SKIP and not results:
        return [Result("skipped", program, text.strip()[-300:])]
    if plan is None:
        why = f"printed no plan, status {status}:\n{text[-800:]}"
    elif len(results) != plan:
        why = f"planned {plan} tests, reported {len(results)}, status {status}"
    elif status not in (0, KSFT_SKIP) and not failed:
        why = f"all tests passed, but the status is {status}"
    else:
        return []
    return [Result("failed", f"{program}: ran to its end", why)]
