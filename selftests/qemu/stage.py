# SPDX-License-Identifier: GPL-2.0-or-later
"""stage: what all guests of one kernel have in common: kernel, initramfs, accel."""
import accel
import initramfs
import kernel


class Stage:
    def __init__(self, version=None, say=lambda text: None, with_tests=True):
        self.say = say
        self.others = {}
        self.kernel = kernel.find(version)
        say(f"kernel {self.kernel.version}")
        self.kernel.fetch()
        self.problem = None
        try:
            self.kernel.build_module(with_tests)
        except kernel.KernelError as error:
            self.problem = str(error)
        say("initramfs")
        self.problem = self.kernel.arch.build_programs() or self.problem
        self.initrd = initramfs.build(self.kernel, self.kernel.place / "initramfs.gz")
        say("accelerator")
        self.accel = accel.arguments(self.kernel, self.initrd)
        say("KVM" if self.accel is accel.KVM else "TCG, without KVM")

    def of(self, name):
        """The stage of another kernel; KernelError if it cannot be had."""
        if not name or name == self.kernel.version:
            return self
        if name not in self.others:
            try:
                self.others[name] = Stage(name, self.say)
            except kernel.KernelError as error:
                self.others[name] = error
        if isinstance(self.others[name], Exception):
            raise self.others[name]
        return self.others[name]
