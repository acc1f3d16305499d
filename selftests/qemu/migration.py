# SPDX-License-Identifier: GPL-2.0-or-later
"""migration: move a guest to another QEMU on the same host."""
import tree
from machine import Machine


def move(guest, lab, devices, servers=None):
    """Migrate a guest to a new QEMU with these devices; a Guest."""
    there = lab.guest(Machine(*devices, root_ports=guest.machine.root_ports,
                              qemu=guest.machine.qemu,
                              options=("-incoming", "defer")), "there", servers)
    path = tree.scratch() / "migration"
    there.qmp("migrate-incoming", uri=f"unix:{path}")
    guest.qmp("migrate", uri=f"unix:{path}")
    there.qmp.wait("RESUME")
    guest.kill()
    tree.remove(path.parent)
    return there


def moved(job, there):
    """The job as it goes on in the other QEMU."""
    job.guest = there
    return job
