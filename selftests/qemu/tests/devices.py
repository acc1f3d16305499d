# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices of all sizes and numbers of vectors: the driver shows what they are."""
import json

import hugepages
from machine import Doorbell, Machine, Plain
from rings import heard, listen, own_id, ring
from scenario import guests, needs
from tree import GIB, MIB

SIZES = {"4_KiB": 4096, "1_MiB": MIB, "64_MiB": 64 * MIB, "4_GiB": 4 * GIB}
VECTORS = (1, 4, 64, 256)


def check_node(guest, size, vectors, machine_kind):
    node = guest.node()
    assert node["shmem_size"] == size, node
    assert node["nr_vectors"] == vectors, node
    assert node["revision"] == 1, node
    assert node["page_attr"] == "wb", node
    assert node["generation"] == 0, node
    log = guest.output("dmesg")
    assert f"{node['name']}: {machine_kind}," in log, log[-2000:]


def check_both_ends(guest, size):
    """The first and the last bytes of the memory can be written and read."""
    last = size - 16
    for offset, word in ((0, "first"), (last, "last")):
        guest.output(f"printf {word} | ivshmemctl write {offset}")
        found = guest.output(f"ivshmemctl read {offset} {len(word)}")
        assert found == word, (offset, found)


def generate():
    """One test for each size, plain and doorbell, and each number of vectors."""
    for name, size in SIZES.items():
        yield f"test_plain_of_{name}", _plain(size)
        yield f"test_doorbell_of_{name}", _doorbell(size, 4)
    for vectors in VECTORS:
        yield (f"test_doorbell_with_{vectors}_vectors",
               _doorbell(MIB, vectors, every=True))


def _plain(size):
    @guests(one=Machine(Plain(size)))
    def run(one):
        check_node(one, size, 0, "plain")
        check_both_ends(one, size)
    return run


def _doorbell(size, vectors, every=False):
    @guests(one=Machine(Doorbell(size, vectors), smp=2))
    def run(one):
        check_node(one, size, vectors, "doorbell")
        check_both_ends(one, size)
        if every:
            check_own_rings(one, vectors)
    return run


def check_own_rings(guest, vectors):
    """A device can ring itself: each vector fires."""
    own = own_id(guest)
    for vector in sorted({0, 1, vectors // 2, vectors - 1} & set(range(vectors))):
        job = listen(guest, vector)
        ring(guest, own, vector)
        heard(job, vector)


@guests(one=Machine(Doorbell(vectors=256), smp=1))
def test_a_processor_that_has_too_few_interrupts_gives_half_of_them(one):
    """Linux has some 200 for the devices on each x86 processor."""
    vectors = one.node()["nr_vectors"]
    assert 64 < vectors < 256, vectors
    assert f"all vectors: {vectors} of 256" in one.output("dmesg")
    check_own_rings(one, vectors)


@guests(one=Machine(Doorbell(vectors=2)), fresh=True)
def test_a_doorbell_whose_msi_is_forbidden_can_ring_but_not_be_rung(one):
    address = one.node()["address"]
    driver = "/sys/bus/pci/drivers/ivshmem_guest"
    one.output(f"echo {address} > {driver}/unbind")
    one.output(f"echo 0 > /sys/bus/pci/devices/{address}/msi_bus")
    one.output(f"echo {address} > {driver}/bind")
    check_node(one, MIB, 0, "doorbell")
    assert "can ring, but cannot be rung" in one.output("dmesg")
    ring(one, own_id(one), 0)
    status, output = one.run("ivshmemctl wait 0")
    assert status == 1 and "fewer vectors" in output, (status, output)


@guests(one=Machine(Doorbell(vectors=2, server="first"),
                    Doorbell(64 * 1024, 1, server="second")))
def test_two_doorbell_devices_in_one_guest(one):
    nodes = one.nodes()
    assert [node["nr_vectors"] for node in nodes] == [2, 1], nodes
    assert [node["shmem_size"] for node in nodes] == [MIB, 65536], nodes
    one.output("printf one | ivshmemctl -d 0 write 0")
    one.output("printf two | ivshmemctl -d 1 write 0")
    assert one.output("ivshmemctl -d 0 read 0 3") == "one"
    assert one.output("ivshmemctl -d 1 read 0 3") == "two"


@guests(one=Machine(Doorbell(vectors=2, server="first"),
                    Doorbell(vectors=2, server="second"),
                    append="ivshmem_guest.map_registers=1"), fresh=True)
def test_registers_that_share_their_page_with_others_are_not_offered(one):
    """Linux puts those of two devices that come together next to each other."""
    assert rings_by(one) == ["store", "store"]
    for node in one.nodes():
        one.output(f"echo 1 > /sys/bus/pci/devices/{node['address']}/remove")
    one.output("echo 1 > /sys/bus/pci/rescan")
    assert rings_by(one) == ["ioctl", "ioctl"]
    assert one.output("dmesg").count("registers share their page") == 2
    job = listen(one, 1, device=0)
    ring(one, 0, 1, device=0)
    heard(job, 1)


def rings_by(one):
    """Of each device what `ivshmemctl info` says."""
    texts = [one.output(f"ivshmemctl -d {node['path']} info --json")
             for node in one.nodes()]
    return [json.loads(text)["info"][0]["ring"] for text in texts]


@guests(one=Machine(Plain(), Plain(4096)))
def test_two_plain_devices_in_one_guest(one):
    sizes = [node["shmem_size"] for node in one.nodes()]
    assert sizes == [MIB, 4096], sizes


@guests(one=Machine(Plain(), machine="pc"))
def test_plain_on_i440fx(one):
    check_node(one, MIB, 0, "plain")
    check_both_ends(one, MIB)


@guests(one=Machine(Doorbell(vectors=4), machine="pc"))
def test_doorbell_on_i440fx(one):
    check_node(one, MIB, 4, "doorbell")
    check_own_rings(one, 4)


@needs(hugepages.missing)
@guests(one=Machine(Plain(4 * MIB, backend="hugetlb")))
def test_plain_backed_by_huge_pages(one):
    check_node(one, 4 * MIB, 0, "plain")
    check_both_ends(one, 4 * MIB)


@needs(hugepages.missing)
def test_doorbell_backed_by_hugetlbfs(lab):
    with hugepages.Mounted() as directory:
        server = lab.server(size=4 * MIB, vectors=1, hugetlb=directory)
        one = lab.guest(Machine(Doorbell(4 * MIB)),
                        servers={"server": server}).wait_ready()
        check_node(one, 4 * MIB, 1, "doorbell")
        check_both_ends(one, 4 * MIB)
        one.close()
