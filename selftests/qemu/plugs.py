# SPDX-License-Identifier: GPL-2.0-or-later
"""plugs: plug devices in and out of a running guest by QMP.

QEMU 7.2 cannot plug a plain device again on the same memory object, nor a
doorbell device twice in one process: each plug makes a new object, and tests
unplug a doorbell device once.
"""
import itertools

_numbers = itertools.count()


def plug_plain(guest, name, bus, size):
    """Plug an ivshmem-plain device with new memory."""
    memory = f"plug{next(_numbers)}"
    guest.qmp("object-add", qom_type="memory-backend-memfd", id=memory,
              size=size, share=True)
    guest.qmp("device_add", driver="ivshmem-plain", id=name, bus=bus,
              memdev=memory)
    return memory


def unplug(guest, name):
    """Ask the guest to let go, as the machine does, and wait until it did."""
    guest.qmp("device_del", id=name)
    guest.qmp.wait("DEVICE_DELETED", device=name)


def wait_for_pci(guest, count):
    """Until the guest's kernel has found so many ivshmem devices."""
    guest.output("until [ $(cat /sys/bus/pci/devices/*/device |"
                 f" grep -c 0x1110) = {count} ]; do usleep 20000; done")


def wait_for_nodes(guest, count):
    """Until the driver shows so many nodes."""
    guest.output("until [ $(ls /sys/class/ivshmem | wc -l)"
                 f" = {count} ]; do usleep 20000; done")
