# SPDX-License-Identifier: GPL-2.0-or-later
"""kselftest: run a program of selftests/guest in a guest, count its TAP lines.

The guest must have a doorbell device with 4 vectors and a plain one.
"""
import tap
import tree
from scenario import COUNTED

SOURCE = tree.TOP / "selftests" / "guest"


def run(name, guest, lab, report, prefix="guest", seconds=30, words="",
        place="/tests"):
    """name is that of a .c file without its end, or of a script; words are more of
    its environment, place is where the program is."""
    if "." not in name and not tree.built(f"selftests/guest/{name}"):
        raise AssertionError(f"{name}.c is not built")
    doorbell, plain = guest.node(vectors=4), guest.node(vectors=0)
    # Not every kernel has dma-bufs: 5.10's cloud flavour has none.
    guest.output("modprobe ivshmem_pagewalk; modprobe ivshmem_importer"
                 " 2> /dev/null || true")
    status, output = guest.run(
        f"cd {place} && IVSHMEM_NODE={doorbell['path']}"
        f" IVSHMEM_PLAIN_NODE={plain['path']} {words} ./{name} 2>&1", seconds)
    (guest.logs / f"{name}.tap").write_text(output)
    results = tap.parse(name.removesuffix(".sh"), output, status)
    for result in results:
        report(result.verdict, f"{prefix}/{result.name}", result.reason)
    if any(result.verdict == "failed" for result in results):
        lab.close()     # the next program gets a guest that is whole
    return COUNTED
