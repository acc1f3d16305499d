# SPDX-License-Identifier: GPL-2.0-or-later
"""The udev rules and the group, with a real systemd and udevd in the guest."""
import debian
import plugs
from machine import Doorbell, Machine, Plain
from scenario import full, guests, needs
from tree import MIB

# Two devices at the start, a free port, and nobody who loads the module by name.
GUEST = Machine(Doorbell(vectors=2), Plain(), root_ports=1, memory=1024, load=False,
                system="systemd", append="systemd.getty_auto=no")
BY_PATH = "/dev/ivshmem/by-path"


def rights(guest, node):
    return guest.output(f"stat -L -c '%a %U %G' {node}").strip()


def as_user(user, command):
    return f"setpriv --reuid {user} --regid $(id -g {user}) --init-groups {command}"


@full
@needs(debian.problem)
@guests(guest=GUEST)
def test_udev_loads_the_module_at_boot(guest):
    guest.output("udevadm wait --timeout=120 /dev/ivshmem0 /dev/ivshmem1", 60)
    assert "ivshmem_guest" in guest.output("cat /proc/modules")


@full
@needs(debian.problem)
@guests(guest=GUEST)
def test_the_nodes_are_for_the_group(guest):
    for node in guest.nodes():
        assert rights(guest, node["path"]) == "660 root ivshmem"


@full
@needs(debian.problem)
@guests(guest=GUEST)
def test_every_device_has_a_name_by_its_place(guest):
    for node in guest.nodes():
        link = f"{BY_PATH}/pci-{node['address']}"
        found = guest.output(f"readlink -f {link}").strip()
        assert found == node["path"], (link, found)
        assert node["path"] in guest.output(f"ivshmemctl -d {link} info") or \
            link in guest.output(f"ivshmemctl -d {link} info")


@full
@needs(debian.problem)
@guests(guest=GUEST)
def test_a_member_of_the_group_may_use_a_device(guest):
    guest.output(as_user("member", "ivshmemctl -d 1 info"))


@full
@needs(debian.problem)
@guests(guest=GUEST)
def test_a_stranger_may_not_use_a_device_and_is_told_why(guest):
    status, output = guest.run(as_user("stranger", "ivshmemctl -d 1 info"))
    assert status == 1 and "permission" in output.lower(), output
    output = guest.output(as_user("stranger", "ivshmemctl list --json"))
    assert "group ivshmem, mode 0660" in output, output


@full
@needs(debian.problem)
@guests(guest=GUEST)
def test_a_plugged_device_gets_rights_and_name_and_loses_them(guest):
    before = {node["path"] for node in guest.nodes()}
    plugs.plug_plain(guest, "more", "port0", MIB)
    guest.output("udevadm wait --timeout=120 /dev/ivshmem2", 60)
    node, = [node for node in guest.nodes() if node["path"] not in before]
    link = f"{BY_PATH}/pci-{node['address']}"
    guest.output(f"udevadm wait --timeout=120 {link}", 60)
    assert rights(guest, link) == "660 root ivshmem"
    plugs.unplug(guest, "more")
    guest.output(f"udevadm wait --removed --timeout=120 /dev/ivshmem2 {link}", 60)


@full
@needs(debian.problem)
@guests(guest=GUEST)
def test_without_the_group_the_rest_of_the_rules_holds(guest):
    again = ("systemctl restart systemd-udevd;"
             " udevadm trigger --settle --action=add /dev/ivshmem1")
    guest.output("sed -i.old /^ivshmem:/d /etc/group; chmod 600 /dev/ivshmem1;"
                 f" chgrp root /dev/ivshmem1; {again}", 60)
    found = rights(guest, "/dev/ivshmem1")
    links = guest.output(f"ls {BY_PATH}").split()
    guest.output(f"mv /etc/group.old /etc/group; {again}", 60)
    assert found == "660 root root", found
    assert len(links) == 2, links
    assert rights(guest, "/dev/ivshmem1") == "660 root ivshmem"
