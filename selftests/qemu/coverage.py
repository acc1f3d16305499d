# SPDX-License-Identifier: GPL-2.0-or-later
"""coverage: which lines, branches and functions of the module ran, by gcov.

The kernel that finds bugs has the counters in debugfs, one file for each object;
those of several guests are added up.
"""
import base64
import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import tree

COUNTERS = "/sys/kernel/debug/gcov"


def take(guest, place):
    """Put the counters of the module in a guest into a directory; they begin anew."""
    # Files of debugfs have no size that tar could know.
    guest.output("mkdir -p /tmp/counters; cp"
                 f" $(find {COUNTERS} -path '*/kernels/*/kernel/*.gcda')"
                 f" /tmp/counters && echo 1 > {COUNTERS}/reset", 30)
    unpack(guest, "/tmp/counters", place)


def unpack(guest, source, place):
    """Move the counters below a directory of a guest into one of ours."""
    place.mkdir(parents=True)
    text = guest.output(f"cd {source} 2> /dev/null || exit 0;"
                        " tar cz $(find . -name '*.gcda') 2> /dev/null | base64;"
                        " find . -name '*.gcda' -exec rm {} +", 60)
    if text:
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(text))) as archive:
            archive.extractall(place)


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
    own = {path.name for path in (tree.TOP / source).glob("*.c")}
    found = {}
    for file in files(place):
        name = Path(file["file"]).name
        if name in own:
            _add(found.setdefault(name, ({}, {}, {})), file)
    return found


def missed(lines):
    """The numbers of those that did not run."""
    return [number for number, count in sorted(lines.items()) if not count]


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
