# SPDX-License-Identifier: GPL-2.0-or-later
"""The module builds without a warning for processors that no guest here has: with
32 bits, and big-endian. For the last Debian has no kernel: its headers of
little-endian powerpc are set so (rows.py)."""
import kernel
import rows
from scenario import skip

#: Bits, and the order of bytes.
BUILT = {"6.1-i386": (32, "little"), "6.1-armhf": (32, "little"),
         "6.1-ppc64": (64, "big")}


def kind(module):
    """The same, of an object file."""
    head = module.read_bytes()[:6]
    assert head[:4] == b"\x7fELF", head
    return {1: 32, 2: 64}[head[4]], {1: "little", 2: "big"}[head[5]]


def generate():
    assert list(BUILT) == list(rows.BUILT)
    for name in BUILT:
        yield f"test_the_module_is_built_for_{name}", _test(name)


def _test(name):
    def run():
        try:
            found = kernel.find(name)
        except kernel.KernelError as reason:
            skip(str(reason))
        assert kind(found.build_module(with_tests=False)) == BUILT[name]
    return run
