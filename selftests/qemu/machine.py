# SPDX-License-Identifier: GPL-2.0-or-later
"""machine: what a guest shall be, in words that tests use.

    Machine(Doorbell(vectors=4), Plain(size=4096), machine="pc")

They are values: two guests with equal machines are alike, and the runner keeps
one booted for the next test that asks for the same.
"""
import copy
from dataclasses import dataclass

from tree import MIB


@dataclass(frozen=True)
class Plain:
    """An ivshmem-plain device.

    backend is memfd, file (in /dev/shm) or hugetlb. Plain devices of several
    guests whose `memory` is the same word share one file.
    """
    size: int = MIB
    backend: str = "memfd"
    memory: str = ""
    share: bool = True
    port: str = ""          # the bus to plug it in
    master: bool = False    # its memory migrates with the guest


@dataclass(frozen=True)
class Doorbell:
    """An ivshmem-doorbell device; `server` names one of the test's servers."""
    size: int = MIB
    vectors: int = 1
    server: str = "server"
    hugetlb: bool = False
    port: str = ""
    master: bool = False    # its memory migrates with the guest


@dataclass(frozen=True, init=False)
class Machine:
    devices: tuple
    machine: str            # QEMU's; "" what is usual for the processor
    root_ports: int
    memory: int
    smp: int
    load: bool              # the module, at boot
    options: tuple          # more words for QEMU
    append: str             # more words for the kernel
    system: str             # a word of guest.SYSTEMS
    icount: bool            # count instructions instead of time
    kernel: str             # a row of rows.py, or a version; "" the default one
    qemu: str               # a row of emulator.py; "" the host's

    def __init__(self, *devices, machine="", root_ports=0, memory=256,
                 smp=1, load=True, options=(), append="",
                 system="", icount=False, kernel="", qemu=""):
        values = dict(devices=devices, machine=machine, root_ports=root_ports,
                      memory=memory, smp=smp, load=load, options=options,
                      append=append, system=system, icount=icount,
                      kernel=kernel, qemu=qemu)
        for name, value in values.items():
            object.__setattr__(self, name, value)


def on(machine, kernel, append=""):
    """The same with that kernel, which is larger and slower than others."""
    other = copy.copy(machine)
    object.__setattr__(other, "kernel", kernel)
    object.__setattr__(other, "append", f"{machine.append} {append}")
    object.__setattr__(other, "memory", max(machine.memory, 768))
    return other


#: Device 0 a doorbell with 4 vectors, device 1 a plain one: what every program
#: in selftests/guest gets.
STANDARD = Machine(Doorbell(vectors=4), Plain(), smp=2)

#: The same, where a program may map the registers.
MAPPED = Machine(Doorbell(vectors=4), Plain(), smp=2,
                 append="ivshmem_guest.map_registers=1")

#: Devices and words of the kernel by which they offer all that a device can have:
#: struct pages, and so dma-bufs and pins, and registers that can be mapped.
ALL = Doorbell(4 * MIB, vectors=4), Plain(4 * MIB)
OFFER_ALL = "ivshmem_guest.struct_pages=1 ivshmem_guest.map_registers=1"

#: Options: a port that asks for so much room that SeaBIOS puts all memory above
#: 4 GiB, where it leaves it cacheable.
ROOM = ("-device", "pcie-root-port,id=room,chassis=9,slot=9,pref64-reserve=8G")


def debug(*devices, **more):
    """On the kernel that finds bugs, debugkernel.py; with the standard devices if
    there are no others."""
    return Machine(*devices or STANDARD.devices, smp=2, memory=768, kernel="debug",
                   **more)


DEBUG = debug()

#: On the kernel that finds data races, which take two processors at least; in QEMU
#: 11.1, since programs that move BARs crash one before 8.1 now and then.
KCSAN = Machine(*STANDARD.devices, smp=2, memory=512, kernel="kcsan", qemu="11.1")
