# SPDX-License-Identifier: GPL-2.0-or-later
"""Each allocation of each call fails in turn: failures.c, and loading.c for the
module itself, on a kernel that injects.

Memory, pages, and copies from and to the user. Nothing may leak, and what was
hit in the driver is printed: the line that called what failed. On the standard
devices, and on such as offer all calls.
"""
import re
import subprocess

import kmemleak
import kselftest
from machine import ALL, OFFER_ALL, debug
from scenario import full, guests

#: All caches are marked for failslab but two: the kernel itself, 6.1, dies when a
#: node of a radix tree cannot be had while it makes a mapping of interrupts; and
#: kmemleak has an object for each that is allocated, which would double all turns.
CACHES = "slub_debug=A;-,radix_tree_node,kmemleak_object"
INJECT = """
cd /sys/kernel/debug
for kind in failslab fail_page_alloc; do
    echo N > $kind/ignore-gfp-wait
    echo 2 > $kind/verbose
done
echo 0 > fail_page_alloc/min-order
echo 2 > fail_usercopy/verbose
echo Y > failslab/cache-filter
"""
#: Functions of the driver in which something must have failed, on all devices.
SITES = {
    "ivshmem_cdev_open", "ivshmem_ioctl_copy_in", "ivshmem_ioctl",
    "ivshmem_event_copy", "ivshmem_vector_change", "ivshmem_device_alloc",
    "ivshmem_pci_start", "ivshmem_pci_map_regs", "ivshmem_shmem_setup",
    "ivshmem_vector_setup", "ivshmem_vector_request_irqs", "ivshmem_cdev_publish",
    "ivshmem_init",
}
#: What the kernel itself says when something fails there: that files of /proc/irq
#: which it could not make are none, that it has no memory for struct pages; and, as
#: it delays what is done with the last reference, that names are still there.
KERNEL_SAYS = ("at remove_proc_entry+", "vmemmap alloc failure", "at add_pages+",
               "cannot create duplicate filename '/bus/pci/drivers/ivshmem_guest'",
               "cannot create duplicate filename '//pci:ivshmem_guest'")
#: 6.1 forgets the name of a class whose directory in sysfs cannot be had.
KERNEL_LOSES = r"kobject_set_name\+.*\n.*__class_register\+"
FRAME = r"(?<![?\w] )\b(\w+\+0x[0-9a-f]+/0x[0-9a-f]+) \[ivshmem_guest[\] ]"


def sites(text):
    """{where the driver called: how often} of the failures that a log tells of; ""
    is elsewhere in the kernel."""
    found = {}
    for report in text.split("FAULT_INJECTION: forcing a failure")[1:]:
        frame = re.search(FRAME, report.split("</TASK>")[0])
        site = frame[1] if frame else ""
        found[site] = found.get(site, 0) + 1
    return found


def before(site):
    """The call: a trace has where it returns to."""
    function, offset, size = re.match(r"(\w+)\+(\w+)/(\w+)", site).groups()
    return f"{function}+{int(offset, 16) - 1:#x}/{size}"


def source(found, kernel):
    """{(function, "kernel/FILE.c:LINE"): how often}, of the same sites."""
    places = [site for site in found if site]
    text = subprocess.run(
        [kernel.headers / "scripts/faddr2line", kernel.module, *map(before, places)],
        text=True, capture_output=True, check=True).stdout
    shown = dict(re.findall(r"^(\S+):\n(.*?)(?:\n\n|\Z)", text, re.M | re.S))
    lines = {}
    for site in places:
        place = re.search(r"(\w+) at \S*/(kernel/\w+\.c:\d+)",
                          shown.get(before(site), ""))
        # Of a function that faddr2line does not know the offset must do.
        where = place.groups() if place else (site.split("+")[0], site)
        lines[where] = lines.get(where, 0) + found[site]
    return lines


def skipped(guest):
    """The calls that failures.c has left out."""
    text = (guest.logs / "failures.tap").read_text()
    return set(re.findall(r"RUN +failures\.(\w+)\.\w+ \.\.\.\s+# +SKIP", text))


def sweep(guest, lab, report, left_out, functions):
    guest.output(INJECT)
    guest.console.expected.extend(KERNEL_SAYS)
    with kmemleak.watched(guest, report, "failures", KERNEL_LOSES):
        for program in ("failures", "loading"):
            done = kselftest.run(program, guest, lab, report, "failures", 3000)
    found = sites(guest.console.text())
    lines = source(found, lab.stage.of(guest.machine.kernel).kernel)
    print(f"# {found.get('', 0):4} failed elsewhere in the kernel")
    for (function, line), count in sorted(lines.items(), key=lambda item: item[0][1]):
        print(f"# {count:4} failed at {line}, {function}")
    missed = functions - {function for function, _ in lines}
    assert not missed, f"nothing failed in {missed}"
    # Else a call would be tried nowhere.
    assert skipped(guest) == left_out, skipped(guest)
    return done


@full
@guests(guest=debug(append=CACHES), fresh=True)
def test_of_each_allocation_leave_each_call_usable(guest, lab, report):
    return sweep(guest, lab, report,
                 {"registers", "registers_fault", "dmabuf", "dmabuf_mmap",
                  "dmabuf_fault", "dmabuf_import"},
                 SITES | {"ivshmem_ptes_insert"})


@full
@guests(guest=debug(*ALL, append=f"{CACHES} {OFFER_ALL}"), fresh=True)
def test_of_each_allocation_with_struct_pages_and_registers(guest, lab, report):
    return sweep(guest, lab, report, set(),
                 SITES | {"ivshmem_pages_list", "ivshmem_pages_insert",
                          "ivshmem_pages_create", "ivshmem_regs_setup",
                          "ivshmem_regs_fault", "ivshmem_dmabuf_export",
                          "ivshmem_dmabuf_create", "ivshmem_dmabuf_attach",
                          "ivshmem_dmabuf_fill_table"})
