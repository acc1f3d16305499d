# SPDX-License-Identifier: GPL-2.0-or-later
"""arch: what differs between the processors of guests.

Guests run on amd64 unless a kernel's row says otherwise (rows.py). What runs in
those of another processor is built here by a cross compiler: programs, the
library in them, from the same sources and with the same make, below $O/NAME.
For some processors the module is only built.
"""
import os
import shutil
import subprocess
from dataclasses import dataclass

import tree


@dataclass(frozen=True)
class Arch:
    name: str               # Debian's, of its packages
    kbuild: str             # the kernel's
    cross: str = ""         # the compiler's prefix, if it is not the host's
    qemu: str = ""          # none: no guests
    machine: str = ""       # QEMU's, where a test does not say
    tcg: tuple = ()         # QEMU's words for the processor
    console: str = ""       # where the kernel logs to, and other words for it
    commands: str = ""      # the port for commands, in the guest
    port: tuple = ()        # and the words that make it

    @property
    def build(self):
        """The build directory of what runs in guests."""
        return tree.BUILD / self.name if self.cross else tree.BUILD

    def make_words(self):
        """What make is told so that it compiles for it."""
        return [f"CC={self.cross}gcc", f"AR={self.cross}ar"] if self.cross else []

    def problem(self):
        """Why there can be no guests with it here, or None."""
        wanted = (self.qemu, self.cross and f"{self.cross}gcc")
        lost = [program for program in wanted
                if program and not shutil.which(program)]
        return f"no {' and no '.join(lost)}" if lost else None

    def build_programs(self):
        """The programs of guests that need no more than our library, static, if
        they are not built here anyway; what make said if it failed, or None."""
        if not self.cross:
            return None
        return self.make("lib", self.build / "lib/libivshmem.a") or \
            self.make("selftests", "guest") or \
            self.make("bench", self.build / "bench/map_touch")

    def make(self, directory, *targets):
        """Build what is static; what make said if it failed, or None."""
        run = subprocess.run(
            ["make", "-s", f"-j{os.cpu_count()}", "-C", tree.TOP / directory,
             *targets, f"O={self.build}", "LDFLAGS=-static",
             *self.make_words()], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "MAKEFLAGS": "", "MFLAGS": ""})
        return run.stdout if run.returncode else None


AMD64 = Arch("amd64", "x86", "", "qemu-system-x86_64", "q35",
             ("-accel", "tcg,thread=multi", "-cpu", "max,-erms,-fsrm"),
             "console=ttyS0 no_timer_check", "ttyS1",
             ("-serial", "chardev:commands"))
#: Interrupts come as messages through the ITS. The processor is one that leaves
#: it to the kernel to mark a page as used and written.
ARM64 = Arch("arm64", "arm64", "aarch64-linux-gnu-", "qemu-system-aarch64",
             "virt,gic-version=3",
             ("-accel", "tcg,thread=multi", "-cpu", "cortex-a57"),
             "console=ttyAMA0", "ttyS0",
             ("-device", "pci-serial,chardev=commands"))
#: Everything has an address of 32 bits, also devices.
ARMHF = Arch("armhf", "arm", "arm-linux-gnueabihf-", "qemu-system-arm",
             "virt,highmem=off",
             ("-accel", "tcg,thread=multi", "-cpu", "cortex-a15"),
             "console=ttyAMA0", "ttyS0",
             ("-device", "pci-serial,chardev=commands"))
#: Its programs run in guests of amd64 too, see process32.py.
I386 = Arch("i386", "i386", "i686-linux-gnu-")
PPC64 = Arch("ppc64el", "powerpc", "powerpc64-linux-gnu-")
