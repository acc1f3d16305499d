# SPDX-License-Identifier: GPL-2.0-or-later
"""coverage: which lines, branches and functions of the module ran, by gcov.

The kernel that finds bugs has the counters in debugfs, one file for each object;
those of several guests are added up.
"""
import base64
import gzip
import json
import shutil
import subprocess
from pathlib import Path

import tree

COUNTERS = "/sys/kernel/debug/gcov"


def reset(guest):
    guest.output(f"echo 1 > {COUNTERS}/reset")


def fetch(guest, place):
    """Put the counters of the module in a guest into a new directory."""
    names = guest.output(f"find {COUNTERS} -path '*/kernels/*/kernel/*.gcda'").split()
    assert names, "the module has no counters"
    for name in names:
        data = guest.output(f"gzip -c < {name} | base64", 30)
        path = place / Path(name).name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.decompress(base64.b64decode(data)))


def add_up(places, objects, result):
    """Merge directories of counters into one, beside the notes of the compiler."""
    shutil.rmtree(result, ignore_errors=True)
    shutil.copytree(places[0], result)
    for place in places[1:]:
        merged = result.with_suffix(".new")
        subprocess.run(["gcov-tool", "merge", "-o", merged, result, place],
                       check=True, capture_output=True)
        shutil.rmtree(result)
        merged.rename(result)
    for notes in objects.glob("*.gcno"):
        shutil.copy(notes, result)
    return result


def files(place):
    """What gcov says of each source file of each object in a directory."""
    for counters in sorted(place.glob("*.gcda")):
        run = subprocess.run(["gcov", "--json-format", "--stdout", "-b", counters],
                             cwd=place, capture_output=True, check=True)
        yield from json.loads(run.stdout)["files"]


def read(place, source):
    """{file: (lines, branches, functions)} of the sources in a directory; each is
    {where: times that it ran}."""
    found = {}
    for file in files(place):
        path = Path(file["file"])
        if path.parent.name == source and path.suffix == ".c":
            _add(found.setdefault(path.name, ({}, {}, {})), file)
    return found


def _add(totals, file):
    lines, branches, functions = totals
    for line in file["lines"]:
        number = line["line_number"]
        lines[number] = lines.get(number, 0) + line["count"]
        for index, branch in enumerate(line["branches"]):
            key = number, index
            branches[key] = branches.get(key, 0) + branch["count"]
    for function in file["functions"]:
        name = function["demangled_name"]
        functions[name] = functions.get(name, 0) + function["execution_count"]


def share(counts):
    """Of how many in a hundred ran."""
    return 100 * sum(1 for count in counts if count) / len(counts)


def objects(guest):
    """Where the compiler's notes on the module in a guest are."""
    release = guest.output("uname -r").strip()
    return tree.BUILD / "kernels" / release / "kernel"
