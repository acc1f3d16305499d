# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be seen from outside: tracepoints, and the attributes of the device."""
import tree
from machine import Doorbell, Machine
from scenario import guests

GUEST = Machine(Doorbell(vectors=2))
TRACING = "/sys/kernel/tracing"
ABI = tree.TOP / "docs" / "ABI" / "sysfs-class-ivshmem"


@guests(guest=GUEST)
def test_each_tracepoint_tells_what_happened(guest):
    address = guest.node()["address"]
    guest.output(f"[ -e {TRACING}/events ] || mount -t tracefs t {TRACING};"
                 f" echo 1 > {TRACING}/events/ivshmem/enable;"
                 f" : > {TRACING}/trace")
    guest.output("ivshmemctl ring 0 1; ivshmemctl read 8192 1 > /dev/null")
    driver = "/sys/bus/pci/drivers/ivshmem_guest"
    guest.output(f"echo {address} > {driver}/unbind;"
                 f" echo {address} > {driver}/bind")
    text = guest.output(f"echo 0 > {TRACING}/events/ivshmem/enable;"
                        f" cat {TRACING}/trace")
    for words in ("ivshmem_ring: ivshmem0 peer=0 vector=1",
                  "ivshmem_fire: ivshmem0 vector=1 fired=",
                  "ivshmem_fault: ivshmem0 offset=0x2000 order=0 result=0x",
                  "ivshmem_revoke: ivshmem0"):
        assert words in text, (words, text)


@guests(guest=GUEST)
def test_every_attribute_is_documented_and_no_other(guest):
    theirs = guest.output("cd /sys/class/ivshmem/ivshmem0; for f in *;"
                          " do [ -f $f ] && echo $f; done; true").split()
    kernels = {"dev", "uevent"}
    ours = [line.rsplit("/", 1)[1] for line in ABI.read_text().splitlines()
            if line.startswith("What:")]
    assert set(theirs) - kernels == set(ours), (theirs, ours)
