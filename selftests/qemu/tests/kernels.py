# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver on the kernels of Debian's suites, from 5.10 to the newest.

For each row of rows.py the module is built without a warning, and the programs
of the uAPI, of mappings, vectors and removal run in a guest. make check has the
rows of SHARE beside 6.1, on which all other tests run; make kernels has all, and
writes what it found for the table in README.md (kernels_table.py).
"""
import kernels_table
import kselftest
import rows
from machine import STANDARD, Machine
from scenario import COUNTED, full

SHARE = ("5.10", "6.12", "7.3")
#: QEMU 7.2 leaves an operand of cmpxchg16b in the flags; the memory allocator of
#: this kernel uses it, and dies of a double fault.
OPTIONS = {"6.12-cloud": ("-cpu", "max,-erms,-fsrm,-cx16")}
PROGRAMS = ("access", "event", "mmap", "remap", "remove", "uapi", "vector")


def generate():
    for name in rows.ROWS:
        test = _test(name)
        yield f"test_{name}_runs_the_programs", test if name in SHARE else full(test)


def _test(name):
    machine = Machine(*STANDARD.devices, smp=STANDARD.smp, kernel=name,
                      options=OPTIONS.get(name, ()))

    def run(lab, report):
        verdicts = []

        def counted(verdict, *rest):
            verdicts.append(verdict)
            report(verdict, *rest)

        for program in PROGRAMS:
            guest = lab.use({"guest": machine})["guest"]
            release = guest.output("uname -r").strip()
            kselftest.run(program, guest, lab, counted, prefix=name, seconds=60)
        kernels_table.keep(name, release, verdicts)
        return COUNTED

    return run


def test_the_table_in_the_readme_is_the_one_that_is_generated():
    found = kernels_table.shown_rows()
    assert [row["name"] for row in found] == list(rows.ROWS), found
    assert kernels_table.table(found) == kernels_table.shown()
    failed = [row for row in found if row["release"] != "not run"
              and (row["failed"] != "0" or int(row["passed"]) == 0)]
    assert not failed, failed
