# SPDX-License-Identifier: GPL-2.0-or-later
"""How much of the module the programs of selftests/guest reach.

All of them run on the kernel that finds bugs, with the module built for gcov, in
each mode that changes which code runs.
"""
import coverage
import kselftest
from machine import DEBUG, Doorbell, Plain, debug
from scenario import full, kernels
from tree import BUILD, MIB, TOP

LARGE = (Doorbell(4 * MIB, vectors=4), Plain(4 * MIB))


#: Where they run, and which: None for all.
RUNS = {
    "default": (DEBUG, None),
    "mapped registers": (debug(append="ivshmem_guest.map_registers=1"),
                         ("registers", "library", "libvector")),
    "struct pages": (debug(*LARGE, append="ivshmem_guest.struct_pages=1"),
                     ("pages", "pins", "dmabuf", "libdmabuf", "remove")),
    "wc": (debug(append="ivshmem_guest.cache=wc"), ("mmap",)),
    "uc": (debug(append="ivshmem_guest.cache=uc"), ("mmap",)),
}
#: They look for what this kernel is slow in, or are nothing but load.
LEFT_OUT = ("cycles", "failures", "registers")
#: Measured: 84.5 and 72.8. The goals are 95 and 85. What is missing is loading and
#: unloading (counters are reset after the first), debugfs, sleep, large entries
#: (6.12), and what only failures.py reaches.
LINES, BRANCHES = 84, 72


def programs():
    return [path.stem for path in sorted((TOP / "selftests/guest").glob("*.c"))
            if path.stem not in LEFT_OUT]


def run_all(lab, report, name, where, chosen):
    place = BUILD / "coverage" / name.replace(" ", "-")
    guest = lab.use({"guest": where}, fresh=True)["guest"]
    coverage.reset(guest)
    for program in chosen or programs():
        kselftest.run(program, guest, lab, report, f"coverage, {name}", 300,
                      "IVSHMEM_CALLS=20000")
    guest.output("cat /sys/kernel/debug/ivshmem/* /sys/class/ivshmem/*/*"
                 " > /dev/null 2>&1 || true", 30)
    coverage.fetch(guest, place)
    return place, coverage.objects(guest)


@full
@kernels("debug")
def test_of_lines_and_branches_does_not_fall(lab, report):
    places = [run_all(lab, report, name, *run) for name, run in RUNS.items()]
    result = coverage.add_up([place for place, _ in places], places[0][1],
                             BUILD / "coverage" / "all")
    found = coverage.read(result, "kernel")
    lines = [count for file in found.values() for count in file[0].values()]
    branches = [count for file in found.values() for count in file[1].values()]
    for name, (ran, _, functions) in sorted(found.items()):
        missed = ", ".join(str(number) for number, count in sorted(ran.items())
                           if not count)
        print(f"# {coverage.share(ran.values()):5.1f} % of {name}"
              f"{'; not lines ' + missed if missed else ''}")
        never = [function for function, count in functions.items() if not count]
        if never:
            print(f"#         never called: {', '.join(never)}")
    print(f"# {coverage.share(lines):.1f} % of lines, "
          f"{coverage.share(branches):.1f} % of branches")
    assert coverage.share(lines) >= LINES
    assert coverage.share(branches) >= BRANCHES
