# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be seen from outside: tracepoints, counters, attributes."""
import re

import tree
from machine import Doorbell, Machine
from rings import listen
from scenario import guests

GUEST = Machine(Doorbell(vectors=2))
TRACING = "/sys/kernel/tracing"
COUNTERS = "/sys/kernel/debug/ivshmem_guest"
DRIVER = "/sys/bus/pci/drivers/ivshmem_guest"
ABI = tree.TOP / "docs" / "ABI" / "sysfs-class-ivshmem"


@guests(guest=GUEST)
def test_each_tracepoint_tells_what_happened(guest):
    address = guest.node()["address"]
    guest.output(f"[ -e {TRACING}/events ] || mount -t tracefs t {TRACING};"
                 f" echo 1 > {TRACING}/events/ivshmem/enable;"
                 f" : > {TRACING}/trace")
    guest.output("ivshmemctl ring 0 1; ivshmemctl read 8192 1 > /dev/null")
    guest.output(f"echo {address} > {DRIVER}/unbind;"
                 f" echo {address} > {DRIVER}/bind")
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


def counters(guest):
    """{name: value}, and of a vector's line {name: {name: value}}."""
    found = {}
    for line in guest.output(f"cat {COUNTERS}/ivshmem0").splitlines():
        name, *words = line.split()
        found[name] = (int(words[0]) if len(words) == 1 else
                       dict(zip(words[::2], map(int, words[1::2]))))
    return found


def revocations(guest):
    return int(guest.output(f"cat {COUNTERS}/revocations"))


@guests(guest=GUEST)
def test_debugfs_counts_rings_and_faults_and_what_fired(guest):
    before = counters(guest)
    guest.output("ivshmemctl ring 0 1; ivshmemctl read 8192 1 > /dev/null")
    after = counters(guest)
    assert after["rings"] == before["rings"] + 1, (before, after)
    assert after["faults_order_0"] == before["faults_order_0"] + 1, after
    assert after["faults_refused"] == before["faults_refused"], after
    assert after["vector_1"]["fired"] == before["vector_1"]["fired"] + 1, after
    assert after["vector_0"] == before["vector_0"], (before, after)


@guests(guest=GUEST)
def test_debugfs_tells_what_is_bound_and_masked(guest):
    assert counters(guest)["vector_1"]["bindings"] == 0
    job = listen(guest, 1)
    found = counters(guest)
    assert found["files"] == 1, found
    assert (found["vector_1"]["bindings"], found["vector_1"]["off"]) == (1, 0)
    job.kill()
    assert counters(guest)["files"] == 0


@guests(guest=GUEST)
def test_an_open_file_of_debugfs_ends_with_the_device(guest):
    address, before = guest.node()["address"], revocations(guest)
    said = guest.output(f"exec 4< {COUNTERS}/ivshmem0;"
                        f" echo {address} > {DRIVER}/unbind;"
                        " cat <&4 2>&1; exec 4<&-;"
                        f" ls {COUNTERS}; echo {address} > {DRIVER}/bind")
    assert "I/O error" in said or "Input/output error" in said, said
    assert "ivshmem0" not in said and "revocations" in said, said
    assert revocations(guest) == before + 1
    assert counters(guest)["rings"] == 0


@guests(guest=GUEST)
def test_every_counter_of_debugfs_is_documented_and_no_other(guest):
    text = ABI.with_name("debugfs-ivshmem").read_text()
    found = counters(guest)
    names = {name for name in found if not name.startswith("vector_")}
    ours = set(re.findall(r"^\t\t([a-z]\w+)\t", text, re.M))
    assert names == ours, (names, ours)
    line = "vector_0 " + " ".join(f"{name} {name[0].upper()}"
                                  for name in found["vector_0"])
    assert line.replace("bindings B", "bindings N") in " ".join(text.split())
