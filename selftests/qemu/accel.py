# SPDX-License-Identifier: GPL-2.0-or-later
"""accel: whether guests run under KVM or under QEMU's own translation.

/dev/kvm may be there and yet hang every guest. So the answer is found by
booting once, with a limit of ten seconds, and kept until the host reboots.
"""
import os
import subprocess
from pathlib import Path

import arch
import tree

#: The guest's clock counts its instructions, one for each nanosecond.
ICOUNT = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off",
          "-cpu", "max,-erms,-fsrm"]
KVM = ["-accel", "kvm", "-cpu", "host"]


def arguments(kernel, initrd):
    """QEMU's options for the fastest way that works here."""
    forced = os.environ.get("IVSHMEM_ACCEL")
    if kernel.arch.cross or forced == "tcg":
        return kernel.arch.tcg
    return KVM if forced == "kvm" or _kvm_works(kernel.image, initrd) \
        else kernel.arch.tcg


def _kvm_works(image, initrd):
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    answer = tree.cache() / f"kvm-{boot}"
    if not answer.exists():
        for old in tree.cache().glob("kvm-*"):
            old.unlink()
        answer.write_text("yes" if _boots(image, initrd) else "no")
    return answer.read_text() == "yes"


def _boots(image, initrd):
    command = [arch.AMD64.qemu, *KVM, "-M", "q35", "-m", "256", "-nodefaults", "-display",
               "none", "-no-reboot", "-serial", "stdio", "-kernel", image,
               "-initrd", initrd, "-append",
               "console=ttyS0 panic=-1 ivshmem.probe"]
    try:
        run = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=10,
                             capture_output=True)
    except subprocess.TimeoutExpired:
        return False
    return b"ivshmem: booted" in run.stdout
