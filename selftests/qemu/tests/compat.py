# SPDX-License-Identifier: GPL-2.0-or-later
"""The module builds where vendors changed the kernel, or says what it lacks; and
with clang, as kernels are that clang has built.

A directory of headers before the kernel's own stands for a vendor's patches: each
includes the real one, and then says otherwise. What the probes of kernel/compat
chose is read from the commands that kbuild has kept.
"""
import os
import re
import shutil
import subprocess

import kernel
import plugs
import tree
from machine import Doorbell, Machine
from rings import heard, listen, own_id, ring
from scenario import guests, needs

#: As in RHEL 9: a kernel by number older than these forms, which has them.
BACKPORTED = {
    "linux/mm.h": """
#define vm_flags_set backported_vm_flags_set
#define vm_flags_clear backported_vm_flags_clear
static inline void vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags |= flags;
}
static inline void vm_flags_clear(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags &= ~flags;
}
""",
    "linux/eventfd.h": """
static inline void backported_eventfd_signal(struct eventfd_ctx *ctx)
{
	BUILD_BUG_ON(__builtin_constant_p(ctx));
}
#define eventfd_signal(ctx) backported_eventfd_signal(ctx)
""",
}
LOST = {"linux/eventfd.h": "#define eventfd_signal(a, b, c) not_any_more(a)\n"}
WARNS = {"linux/mm.h": "static int a_vendors_own(void) { return 0; }\n"}
#: What the configuration of Debian's kernel says of gcc, said of clang; and what
#: clang finds in the kernel's headers.
CLANG = ("CC=clang", "CONFIG_CC_IS_GCC=", "CONFIG_CC_IS_CLANG=y",
         "CONFIG_GCC_VERSION=0", "CONFIG_RETHUNK=", "CONFIG_SLS=",
         "CONFIG_INIT_STACK_ALL_ZERO=", "CC_FLAGS_FTRACE=",
         "CONFIG_CC_IMPLICIT_FALLTHROUGH=-Wimplicit-fallthrough",
         "KCFLAGS=-Wno-address-of-packed-member")


def build(headers, *words):
    """Build with these before the kernel's, and these words for make: (status,
    output, forms by name, the module)."""
    place = tree.scratch()
    try:
        for name in ("kernel", "include"):
            shutil.copytree(tree.TOP / name, place / name,
                            ignore=shutil.ignore_patterns("*.o", "*.ko", ".*"))
        for name, text in headers.items():
            path = place / "vendor" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"#include_next <{name}>\n"
                            f"#ifndef VENDOR_{path.stem}\n"
                            f"#define VENDOR_{path.stem}\n{text}#endif\n")
        return _make(place, words or (f"CC=gcc -I{place}/vendor",))
    finally:
        tree.remove(place)


def _make(place, words):
    run = subprocess.run(
        ["make", f"-j{os.cpu_count()}", "-C", place / "kernel", *words,
         f"KDIR={kernel.find().headers}", "modules"], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "MAKEFLAGS": "", "MFLAGS": ""})
    command = place / "kernel/.pci.o.cmd"
    forms = re.findall(r"-DCOMPAT_(\w+)=(\d)",
                       command.read_text() if command.exists() else "")
    module = place / "kernel/ivshmem_guest.ko"
    if module.exists():
        subprocess.run(["strip", "--strip-debug", module], check=True)
    return (run.returncode, run.stdout, dict(forms),
            module.exists() and module.read_bytes())


def test_a_vendors_backport_is_found_and_used():
    status, output, forms, _ = build(BACKPORTED)
    assert status == 0 and not kernel.warnings(output), output[-3000:]
    assert forms["VM_FLAGS"] == "1" and forms["EVENTFD_SIGNAL"] == "1", forms


def test_a_lost_api_stops_the_build_and_names_the_probe():
    status, output, *_ = build(LOST)
    message = re.search(r'static assertion failed: "(.*)"', output)
    assert status != 0 and message, output[-3000:]
    assert message[1].endswith("probe_*.c: eventfd_signal"), message[1]


def test_a_warning_in_the_kernels_headers_is_no_lost_api():
    status, output, forms, _ = build(WARNS)
    assert status == 0 and "a_vendors_own" in output, output[-3000:]
    assert forms["VM_FLAGS"] == "2", forms


@needs(lambda: None if shutil.which("clang") else "no clang")
@guests(guest=Machine(Doorbell(vectors=2), load=False))
def test_built_by_clang_it_has_no_warning_and_rings(guest):
    status, output, _, module = build({}, "W=1", *CLANG)
    assert status == 0 and not kernel.warnings(output), output[-3000:]
    guest.put("/tmp/ivshmem_guest.ko", module)
    guest.output("insmod /tmp/ivshmem_guest.ko")
    plugs.wait_for_nodes(guest, 1)
    job = listen(guest, 1)
    ring(guest, own_id(guest), 1)
    heard(job, 1)
    guest.output("rmmod ivshmem_guest")
