# SPDX-License-Identifier: GPL-2.0-or-later
"""ivshmemctl doctor names the cause, whatever is wrong, and nothing else.

The usual guest has two doorbell devices on two servers, nodes 0 and 1, and a
plain one, node 2.
"""
from machine import Doorbell, Machine, Plain
from scenario import guests

GUEST = Machine(Doorbell(vectors=2), Plain())
TWICE = Machine(Doorbell(vectors=2), Doorbell(vectors=2, server="other"))


def doctor(guest, options="", before=""):
    """(status, lines)"""
    status, output = guest.run(f"{before} ivshmemctl doctor {options}", 20)
    return status, output.splitlines()


def check(found, *wanted):
    """Exactly these findings, each with these words."""
    status, lines = found
    assert status == 1 and len(lines) == len(wanted), found
    for line, words in zip(lines, wanted):
        assert all(word in line for word in words), (line, words)


@guests(guest=GUEST)
def test_nothing_is_wrong(guest):
    assert doctor(guest) == (0, ["nothing wrong with 2 devices"])


@guests(guest=GUEST)
def test_a_plain_device_asked_to_ring(guest):
    check(doctor(guest, "--ring"),
          ("/dev/ivshmem1", "cannot ring", "plain device", "ivshmem-doorbell"))


@guests(guest=GUEST)
def test_no_permission(guest):
    found = guest.run("chmod 750 /dev/ivshmem1; chmod 644 /dev/ivshmem0;"
                      " su -s /bin/sh nobody -c 'ivshmemctl doctor'")
    guest.output("chmod 600 /dev/ivshmem*")
    check((found[0], found[1].splitlines()),
          ("/dev/ivshmem1", "no permission", "owner root", "mode 0750"))


@guests(guest=GUEST)
def test_memory_that_is_not_write_back(guest):
    guest.output("rmmod ivshmem_guest; modprobe ivshmem_guest cache=uc")
    found = doctor(guest)
    guest.output("rmmod ivshmem_guest; modprobe ivshmem_guest")
    check(found, *[(node, "mapped uc", "without cache=")
                   for node in ("/dev/ivshmem0", "/dev/ivshmem1")])


@guests(guest=GUEST)
def test_no_driver_is_bound_and_the_remedy_works(guest):
    address = guest.node(vectors=0)["address"]
    driver = "/sys/bus/pci/drivers/ivshmem_guest"
    guest.output(f"echo {address} > {driver}/unbind")
    status, lines = doctor(guest)
    check((status, lines), (address, "no driver is bound", "drivers_probe"))
    guest.output(lines[0].split("is bound: ", 1)[1].split("; if that")[0])
    assert doctor(guest)[0] == 0
    guest.output(f"echo > /sys/bus/pci/devices/{address}/driver_override")


@guests(guest=GUEST)
def test_the_module_is_not_installed_for_this_kernel(guest):
    guest.output("rmmod ivshmem_guest; cd /lib/modules/$(uname -r);"
                 " mv ivshmem_guest.ko /tmp; depmod")
    found = doctor(guest)
    guest.output("mv /tmp/ivshmem_guest.ko /lib/modules/$(uname -r); depmod;"
                 " modprobe ivshmem_guest")
    check(found, *[("no driver is bound",)] * 2,
          ("not installed for this kernel", "dkms"))


@guests(guest=GUEST)
def test_io_strict_devmem_keeps_programs_from_resource2(guest):
    """Debian's kernels have it; it is in the way only while a driver is bound."""
    node = guest.node(vectors=0)
    check(doctor(guest, "--resource2"),
          *[("resource2 cannot be mapped", "IO_STRICT_DEVMEM", "iomem=relaxed")] * 2)
    driver = "/sys/bus/pci/drivers/ivshmem_guest"
    guest.output(f"echo {node['address']} > {driver}/unbind")
    status, lines = doctor(guest, "--resource2")
    guest.output(f"echo {node['address']} > {driver}/bind")
    assert not any(node["address"] in line and "resource2" in line
                   for line in lines), lines


@guests(guest=GUEST)
def test_another_driver_is_bound_and_its_remedy_works(guest):
    address = guest.node(vectors=0)["address"]
    guest.output(f"echo {address} > /sys/bus/pci/drivers/ivshmem_guest/unbind;"
                 " modprobe ivshmem_other")
    status, lines = doctor(guest)
    check((status, lines), (address, "bound to the driver ivshmem_other",
                            "driver_override"))
    guest.output(lines[0].split("ivshmem_other: ", 1)[1])
    guest.output("rmmod ivshmem_other")
    assert doctor(guest)[0] == 0


@guests(guest=GUEST)
def test_the_module_is_not_loaded(guest):
    guest.output("rmmod ivshmem_guest")
    found = doctor(guest)
    guest.output("modprobe ivshmem_guest")
    check(found, *[("no driver is bound", "modprobe ivshmem_guest")] * 2)


@guests(guest=TWICE)
def test_an_own_id_that_is_there_twice(guest):
    check(doctor(guest), ("/dev/ivshmem1", "own ID 0", "different servers"))


@guests(guest=Machine())
def test_no_device(guest):
    check(doctor(guest), ("machine", "no ivshmem device", "-device ivshmem-plain"))


@guests(guest=Machine(Doorbell(vectors=2), append="pci=nomsi"))
def test_no_vectors(guest):
    check(doctor(guest), ("/dev/ivshmem0", "no vectors", "pci=nomsi"))


@guests(guest=Machine(Plain(), append="module.sig_enforce=1"))
def test_a_module_that_is_not_signed(guest):
    assert guest.run("modprobe ivshmem_guest")[0] != 0
    check(doctor(guest), ("no driver is bound", "modprobe"),
          ("ivshmem_guest", "signed modules only", "mokutil"))


@guests(guest=Machine(Plain(), append="iomem=relaxed"))
def test_lockdown_leaves_a_node_alone_but_no_resource2_and_no_module(guest):
    """The last test in this guest: there is no way back."""
    assert doctor(guest, "--resource2")[0] == 0
    guest.output("mount -t securityfs s /sys/kernel/security;"
                 " echo integrity > /sys/kernel/security/lockdown")
    check(doctor(guest, "--resource2"),
          ("resource2 cannot be mapped", "locked down", "only a node"))
    assert doctor(guest)[0] == 0
    guest.output("printf works | ivshmemctl write 0")
    guest.output("rmmod ivshmem_guest")
    assert guest.run("modprobe ivshmem_guest")[0] != 0
    check(doctor(guest), ("no driver is bound", "modprobe"),
          ("locked down", "resource2", "only a node"),
          ("ivshmem_guest", "signed modules only", "mokutil"))
