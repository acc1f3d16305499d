# SPDX-License-Identifier: GPL-2.0-or-later
"""How much of the module, the library and the tools the tests reach, by gcov.

They run once more: on the kernel that finds bugs, with a module that counts from
its loading to its unloading; and with programs that count, on the host and in
guests. What of the module none of them reaches is in UNREACHED, with the reason.
"""
import copy
import shutil

import counted
import coverage
import kernel
from again import Again
from machine import on
from scenario import full, kernels
from tree import BUILD, TOP

PLACE = BUILD / "coverage"

# --- the module ------------------------------------------------------------------------

#: Those that reach something of it, without those that are nothing but load.
MODULE = (
    r"programs: (?!cycles$|fuzz$|walk$|waiters$|userfault$)|"
    r"modes: (pins|dmabuf) with struct pages$|modes: struct pages (of 1|that are)|"
    r"module: (the module loads|a reset|a device without room|remove and)|"
    r"strangers: |observe: |cache: |"
    r"devices: (a processor that|a doorbell whose|registers that share)|"
    r"power: s2idle|failures: ")
#: Measured: 98.2 and 89.7; the goals are 95 and 85. Of the branches that are left
#: many are two ways of a macro of the kernel, or memory that cannot be had.
LINES, BRANCHES = 97, 88

TURN = "only if there is no memory, and failures.py now and then leaves out a turn"
HUGE = "large page table entries, not before 6.12: modes.py"
#: {reason: {file: the lines}}, of lines that no test reaches on this kernel.
UNREACHED = {
    TURN: {
        "cdev.c": ("ivshmem_device_put(ivd);", "return -ENOMEM;",
                   "return PTR_ERR(dev);", "kobject_put(&ivshmem_cdev->kobj);",
                   "ret = PTR_ERR(ivshmem_class);", "goto err_unregister_region;",
                   "goto err_destroy_class;", "err_destroy_class:",
                   "class_destroy(ivshmem_class);", "err_unregister_region:",
                   "unregister_chrdev_region(ivshmem_devt, MINORMASK + 1);",
                   "return ret;"),
        "dmabuf.c": ("ivshmem_device_put(ivd);", "kfree(range);"),
        "pci.c": ("goto err_shmem_exit;", "goto err_debugfs_exit;",
                  "err_debugfs_exit:", "ivshmem_debugfs_exit();",
                  "ivshmem_cdev_exit();", "err_shmem_exit:",
                  "ivshmem_shmem_exit();", "return ret;", "return NULL;",
                  "return -ENOMEM;"),
        "shmem.c": ("return PTR_ERR(inode);",),
        "shmem_pages.c": ("return ret == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;",
                          'pci_notice(ivd->pdev, "no struct pages for the shared'
                          ' memory: the kernel refuses them at %pa (error %d)\\n",'),
        "shmem_ptes.c": ("return ret == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;",),
        "vector.c": ("pci_free_irq_vectors(ivd->pdev);", "return ret;"),
    },
    "a node of a radix tree, which failures.py spares": {
        "pci.c": ("goto err_stop;",),
    },
    "without an IOMMU it cannot fail, and the importer maps what it has attached": {
        "dmabuf.c": ("return ERR_PTR(ret);",),
    },
    "the compiler counts it with the call before": {
        "ioctl.c": ("if (ret)",),
    },
    HUGE: {
        "shmem.c": ("IS_ALIGNED(window->phys, size);",
                    "!ivshmem_huge_has_table(vmf))",
                    "return ivshmem_huge_insert(vmf, PMD_SHIFT - PAGE_SHIFT,",
                    "level++;", "vm_flags_set(vma, VM_HUGEPAGE);"),
        "shmem_huge.c": ("bool ivshmem_huge_has_table(const struct vm_fault *vmf)",
                         "return true;",
                         "vm_fault_t ivshmem_huge_insert(struct vm_fault *vmf,"
                         " unsigned int order,",
                         "return VM_FAULT_FALLBACK;"),
    },
    "markers of userfaultfd, not before 6.7: modes.py": {
        "shmem_ptes.c": ("pte_clear(mm, addr, ptep);",
                         "static int ivshmem_ptes_unmark_one(pte_t *ptep,"
                         " unsigned long addr, void *mm)",
                         "ivshmem_ptes_clear_marker(mm, addr, ptep);", "return 0;",
                         "apply_to_page_range(mm, vmf->address & PAGE_MASK,"
                         " PAGE_SIZE,"),
    },
    "the module is not loaded then, and its counters go with it: cache.py": {
        "page_attr.c": ('pr_err("cache=%s: must be auto, wb, wc or uc\\n", value);',
                        "return -EINVAL;"),
    },
    "on x86 all are known": {
        "page_attr.c": ('pci_notice(ivd->pdev, "cannot tell how the shared memory is'
                        ' cached: page attributes of this architecture are not'
                        ' known\\n");',),
    },
    "no device of QEMU has a BAR2 of memory and so small a BAR0": {
        "pci.c": ('pci_err(pdev, "no registers: BAR0 is absent or too small\\n");',
                  "return -ENODEV;"),
    },
    "two threads in one fault, of which one is faster: hit now and then": {
        "shmem_pages.c": ("left--;", "ret = 0;"),
    },
}


def reason_for(file, text):
    for reason, files in UNREACHED.items():
        if text in files.get(file, ()):
            return reason
    return None


def on_counted_kernel(machine):
    """dma-debug wants no page mapped twice, but dma-bufs are for many devices; and a
    machine that is busy stalls a guest that counts."""
    return on(machine, kernel.COUNTED,
              "dma_debug=off rcupdate.rcu_cpu_stall_suppress=1")


def show(name, ran, functions):
    """Print what of a file was not reached, and why; the lines without a reason."""
    source = (TOP / "kernel" / name).read_text().splitlines()
    never = [function for function, count in functions.items() if not count]
    print(f"# {coverage.share(ran.values()):5.1f} % of {name}"
          + (f"; never called: {', '.join(never)}" if never else ""))
    unknown = []
    for number in coverage.missed(ran):
        text = source[number - 1].strip()
        reason = reason_for(name, text)
        print(f"#     {number}: {text}\n#         {reason or 'NO REASON'}")
        if not reason:
            unknown.append(f"{name}:{number}: {text}")
    return unknown


@kernels("debug")
def test_of_the_module_has_a_kernel_that_counts():
    assert kernel.find(kernel.COUNTED).counted


@full
@kernels("debug")
def test_of_the_module_does_not_fall(lab, report):
    place = PLACE / "module"
    shutil.rmtree(place, ignore_errors=True)
    places = Again(lab, report, on_counted_kernel, coverage.take).run_all(MODULE, place)
    objects = lab.stage.of(kernel.COUNTED).kernel.place / "kernel"
    found = coverage.read(coverage.add_up(places, objects, place / "all"), "kernel")
    unknown = []
    for name, (ran, _, functions) in sorted(found.items()):
        unknown += show(name, ran, functions)
    lines = [count for file in found.values() for count in file[0].values()]
    branches = [count for file in found.values() for count in file[1].values()]
    print(f"# {coverage.share(lines):.1f} % of {len(lines)} lines, "
          f"{coverage.share(branches):.1f} % of {len(branches)} branches")
    assert coverage.share(lines) >= LINES
    assert coverage.share(branches) >= BRANCHES
    assert not unknown, "\n".join(unknown)


# --- library and tools -----------------------------------------------------------------

#: What of the guests' tests calls them, as somebody who may write the counters.
PROGRAMS = (
    r"programs: (library|lib|libvector|libchannel|guard|monitor|values|sharing)|"
    r"programs: registers with|modes: libdmabuf with struct pages$|"
    r"tool: |doctor: (?!no permission)|channels: |module: it comes and goes|"
    r"cache: wc is|strangers: a device that stops")
#: Measured: 96.3 and 90.7.
LIBRARY, TOOLS = 95, 90


def with_counted_programs(machine):
    """The same, unless it is of a system that has other programs."""
    other = copy.copy(machine)
    if not machine.system:
        object.__setattr__(other, "system", "counted")
    return other


@full
def test_of_library_and_tools_does_not_fall(lab, report):
    place = PLACE / "programs"
    shutil.rmtree(place, ignore_errors=True)
    counted.run_on_host()
    places = Again(lab, report, with_counted_programs,
                   counted.take).run_all(PROGRAMS, place)
    for source, least in (("lib", LIBRARY), ("tools", TOOLS)):
        counted.say(source, places, place / f"all-{source}", least)
