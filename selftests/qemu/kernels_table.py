# SPDX-License-Identifier: GPL-2.0-or-later
"""kernels_table: what `make kernels` found, as the table in README.md.

keep() is called by tests/kernels.py for each row that ran to its end. Run as a
program it prints the table of the last run and writes it into README.md, between
the markers. A row that did not run says so.
"""
import json
import re

import rows
import tree

RUNS = tree.LOGS / "kernels"
README = tree.TOP / "README.md"
BEGIN = "<!-- written by make kernels -->\n"
END = "<!-- end -->\n"
HEAD = ("| kernel | version | from | tests passed | failed | skipped |\n"
        "| --- | --- | --- | --- | --- | --- |\n")
LINE = "| {name} | {release} | {suite} | {passed} | {failed} | {skipped} |\n"
CELLS = r"^\| (\S+) \| (\S+|not run) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \|$"
FIELDS = ("name", "release", "suite", "passed", "failed", "skipped")


def keep(name, release, verdicts):
    """Remember one row: the kernel's release and its tests' verdicts."""
    counts = {word: verdicts.count(word) for word in ("passed", "failed", "skipped")}
    RUNS.mkdir(parents=True, exist_ok=True)
    _path(name).write_text(json.dumps(dict(release=release, **counts)))


def _path(name):
    return RUNS / f"{name}.json"


def last_run():
    """The rows, each a dict of FIELDS."""
    found = []
    for name, row in rows.ROWS.items():
        what = dict.fromkeys(FIELDS, "-") | {"release": "not run"}
        if _path(name).exists():
            what |= json.loads(_path(name).read_text())
        found.append(what | {"name": name, "suite": row.suite})
    return found


def table(found):
    return HEAD + "".join(LINE.format(**row) for row in found)


def shown():
    """The table that README.md shows."""
    return README.read_text().split(BEGIN)[1].split(END)[0]


def shown_rows():
    return [dict(zip(FIELDS, cells)) for cells in re.findall(CELLS, shown(), re.M)
            if not cells[0].startswith(("kernel", "---"))]


def main():
    new = table(last_run())
    print(new, end="")
    README.write_text(README.read_text().replace(BEGIN + shown(), BEGIN + new))


if __name__ == "__main__":
    main()
