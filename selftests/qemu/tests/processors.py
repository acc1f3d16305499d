# SPDX-License-Identifier: GPL-2.0-or-later
"""Other processors than amd64 and arm64. On 32-bit arm, where the kernel writes the
page table entries for the driver, guests run programs. For i386 and a big-endian
one the module is built without a warning: Debian has no kernel for the latter, so
its headers of little-endian powerpc are set so (rows.py)."""
import kernel
import kselftest
import rows
from machine import STANDARD, Machine
from scenario import guests, skip

ARMHF = Machine(*STANDARD.devices, kernel="6.1-armhf")
#: Bits, and the order of bytes.
BUILT = {"6.1-i386": (32, "little"), "6.1-ppc64": (64, "big")}


def kind(module):
    """The same, of an object file."""
    head = module.read_bytes()[:6]
    assert head[:4] == b"\x7fELF", head
    return {1: 32, 2: 64}[head[4]], {1: "little", 2: "big"}[head[5]]


def generate():
    assert list(BUILT) == list(rows.BUILT)
    for name in BUILT:
        yield f"test_the_module_is_built_for_{name}", _build(name)
    for name in ("mmap", "uapi", "vector"):
        yield f"test_{name}_on_armhf", _program(name)


def _build(name):
    def run():
        try:
            found = kernel.find(name)
        except kernel.KernelError as reason:
            skip(str(reason))
        assert kind(found.build_module(with_tests=False)) == BUILT[name]
    return run


def _program(name):
    @guests(guest=ARMHF)
    def run(guest, lab, report):
        return kselftest.run(name, guest, lab, report, "armhf")
    return run
