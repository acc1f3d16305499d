# SPDX-License-Identifier: GPL-2.0-or-later
"""The module builds where vendors changed the kernel, or says what it lacks.

A directory of headers before the kernel's own stands for a vendor's patches: each
includes the real one, and then says otherwise. What the probes of kernel/compat
chose is read from the commands that kbuild has kept.
"""
import os
import re
import shutil
import subprocess

import kernel
import tree

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


def build(headers):
    """Build with these before the kernel's: (status, output, forms by name)."""
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
        return _make(place)
    finally:
        tree.remove(place)


def _make(place):
    run = subprocess.run(
        ["make", "-C", place / "kernel", f"KDIR={kernel.find().headers}",
         f"CC=gcc -I{place}/vendor", "modules"], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "MAKEFLAGS": "", "MFLAGS": ""})
    command = place / "kernel/.pci.o.cmd"
    forms = re.findall(r"-DCOMPAT_(\w+)=(\d)",
                       command.read_text() if command.exists() else "")
    return run.returncode, run.stdout, dict(forms)


def test_a_vendors_backport_is_found_and_used():
    status, output, forms = build(BACKPORTED)
    assert status == 0 and not kernel.warnings(output), output[-3000:]
    assert forms["VM_FLAGS"] == "1" and forms["EVENTFD_SIGNAL"] == "1", forms


def test_a_lost_api_stops_the_build_and_names_the_probe():
    status, output, _ = build(LOST)
    message = re.search(r'static assertion failed: "(.*)"', output)
    assert status != 0 and message, output[-3000:]
    assert message[1].endswith("probe_*.c: eventfd_signal"), message[1]
