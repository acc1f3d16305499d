# SPDX-License-Identifier: GPL-2.0-or-later
"""ivshmemctl in a guest: what each subcommand prints, and every error.

The guest has a doorbell device with 4 vectors, node 0, and a plain one, node 1.
"""
import json

from machine import STANDARD, Machine, Plain
from rings import heard, listen, own_id
from scenario import guests
from tree import MIB

DONE, FAILED, USAGE, TIMED_OUT = 0, 1, 2, 3

# arguments, status, and the words of the message
ERRORS = {
    "no_subcommand": ("", USAGE, "no subcommand"),
    "an_unknown_subcommand": ("-d 0 frob", USAGE, "frob: no such subcommand"),
    "an_unknown_option": ("list --frob", USAGE, "--frob: unknown option"),
    "an_option_without_its_value": ("info -d", USAGE, "needs a value"),
    "an_operand_too_few": ("-d 0 read 0", USAGE, "needs OFFSET LENGTH"),
    "an_operand_too_many": ("-d 0 ring 0 0 0", USAGE, "unexpected argument"),
    "a_value_for_a_switch": ("list --json=1", USAGE, "takes no value"),
    "a_number_that_is_none": ("-d 0 read zero 1", USAGE, "zero"),
    "a_negative_number": ("-d 0 ring -1 0", USAGE, "must not be negative"),
    "a_peer_too_large": ("-d 0 ring 65536 0", USAGE, "65536"),
    "a_vector_too_large": ("-d 0 ring 0 256", USAGE, "256"),
    "a_timeout_that_is_none": ("-d 0 wait 0 --timeout soon", USAGE, "soon"),
    "two_devices_and_no_choice": ("info", FAILED, "more than one, choose with -d"),
    "a_device_that_is_not_there": ("-d 7 info", FAILED, "7: no such device"),
    "a_node_that_is_not_there": ("-d /dev/ivshmem7 info", FAILED,
                                 "no such device"),
    "a_node_of_another_driver": ("-d /dev/null info", FAILED,
                                 "/dev/null: not an ivshmem device"),
    "a_name_that_is_none": ("-d what info", FAILED,
                            "not a node, an index or a PCI address"),
    "a_read_past_the_end": ("-d 0 read 1M 1", FAILED, "end beyond"),
    "a_read_whose_end_overflows": ("-d 0 read 0xfffffffffffff000 0x2000",
                                   FAILED, "end beyond"),
    "a_hexdump_past_the_end": ("-d 0 hexdump 1048575 2", FAILED, "end beyond"),
    "a_ring_of_a_plain_device": ("-d 1 ring 0 0", FAILED, "a plain device has no"),
    "a_wait_on_a_plain_device": ("-d 1 wait 0", FAILED, "a plain device has no"),
    "a_wait_on_a_vector_it_lacks": ("-d 0 wait 4", FAILED, "fewer vectors"),
    "a_wait_that_times_out": ("-d 0 wait 0 --timeout 0.1", TIMED_OUT, "timed out"),
    "a_full_disk": ("-d 0 read 0 1 > /dev/full", FAILED, "standard output"),
}


def generate():
    for name, row in ERRORS.items():
        yield f"test_{name}_is_refused", _error(*row)
    for name in ("", "list", "info", "read", "write", "hexdump", "ring", "wait",
                 "stat", "doctor"):
        yield f"test_help_of_{name or 'itself'}", _help(name)


def _error(arguments, status, words):
    @guests(guest=STANDARD)
    def run(guest):
        found, output = guest.run(f"ivshmemctl {arguments}")
        assert found == status, (found, output)
        assert output.startswith("ivshmemctl: ") and words in output, output
        assert output.count("\n") == 1, output
    return run


def _help(name):
    @guests(guest=STANDARD)
    def run(guest):
        output = guest.output(f"ivshmemctl {name} --help")
        assert output.startswith("Usage: ivshmemctl [-d DEVICE] "), output
    return run


@guests(guest=STANDARD)
def test_list_as_json_parses_and_names_every_device(guest):
    text = guest.output("ivshmemctl list --json")
    devices = {device["flavour"]: device for device in json.loads(text)["devices"]}
    doorbell, plain = devices["doorbell"], devices["plain"]
    assert [doorbell["pci_address"], plain["pci_address"]] == \
        [node["address"] for node in guest.nodes()], text
    assert doorbell["shmem_size"] == plain["shmem_size"] == MIB, text
    assert doorbell["nr_vectors"] == 4, text
    assert doorbell["node"] == "/dev/ivshmem0", text


@guests(guest=STANDARD)
def test_list_as_a_table_has_a_line_for_each_device(guest):
    lines = guest.output("ivshmemctl list").splitlines()
    assert len(lines) == 3 and lines[0].startswith("NODE "), lines
    assert all(line.startswith("/dev/ivshmem") for line in lines[1:]), lines


@guests(guest=STANDARD)
def test_list_is_in_the_order_of_pci_addresses(guest):
    devices = json.loads(guest.output("ivshmemctl list --json"))["devices"]
    addresses = [device["pci_address"] for device in devices]
    assert addresses == sorted(addresses), addresses


@guests(guest=STANDARD)
def test_info_as_json_parses_and_agrees_with_sysfs(guest):
    for index, node in enumerate(guest.nodes()):
        text = guest.output(f"ivshmemctl -d {index} info --json")
        (info,) = json.loads(text)["info"]
        assert info["node"] == node["path"], text
        for name in ("own_id", "nr_vectors", "shmem_size", "page_attr",
                     "generation", "revision"):
            assert info[name] == node[name], (name, text)


@guests(guest=STANDARD)
def test_a_device_is_found_by_node_index_and_address(guest):
    address = guest.nodes()[1]["address"]
    for name in ("/dev/ivshmem1", "1", address, address.removeprefix("0000:")):
        assert "plain" in guest.output(f"ivshmemctl -d {name} info"), name


@guests(guest=STANDARD)
def test_what_is_written_is_read(guest):
    guest.output("seq 1 1000 | ivshmemctl -d 0 write 4097")
    size = int(guest.output("seq 1 1000 | wc -c"))
    read = guest.output(f"ivshmemctl -d 0 read 0x1001 {size}")
    assert read == guest.output("seq 1 1000")


@guests(guest=STANDARD)
def test_a_write_past_the_end_writes_nothing(guest):
    guest.output("printf .... | ivshmemctl -d 0 write 1048572")
    status, output = guest.run("printf 12345 | ivshmemctl -d 0 write 1048572")
    assert status == FAILED and "nothing was written" in output, output
    assert guest.output("ivshmemctl -d 0 read 1048572 4") == "...."


@guests(guest=STANDARD)
def test_hexdump_shows_offsets_bytes_and_characters(guest):
    guest.output("printf 'ABC\\000' | ivshmemctl -d 0 write 32")
    output = guest.output("ivshmemctl -d 0 hexdump 32 4")
    assert "20" in output and "41 42 43 00" in output and "ABC." in output, output


@guests(guest=STANDARD)
def test_wait_counts_interrupts_over_several_rings(guest):
    job = listen(guest, 3, device=0, more="--count 2")
    own = own_id(guest)
    guest.output(f"ivshmemctl -d 0 ring {own} 3")
    job.wait_for("vector 3 fired")
    guest.output(f"ivshmemctl -d 0 ring {own} 3")
    heard(job, 3)


@guests(guest=STANDARD)
def test_a_wait_ends_when_the_device_is_unbound(guest):
    job = listen(guest, 0, device=0)
    driver = "/sys/bus/pci/drivers/ivshmem_guest"
    address = guest.nodes()[0]["address"]
    guest.output(f"echo {address} > {driver}/unbind")
    status, output = job.wait()
    guest.output(f"echo {address} > {driver}/bind")
    assert status == FAILED and "the device is gone" in output, output


@guests(guest=Machine(Plain(), load=False))
def test_list_without_the_driver_says_what_to_do(guest):
    text = guest.output("rmmod ivshmem_guest 2>/dev/null; ivshmemctl list --json")
    (device,) = json.loads(text)["devices"]
    assert not device["node"] and "modprobe" in device["remedy"], text


@guests(guest=Machine(Plain(), load=False))
def test_info_without_the_driver_fails(guest):
    status, output = guest.run("rmmod ivshmem_guest 2>/dev/null; ivshmemctl info")
    assert status == FAILED and "no such device" in output, output


@guests(guest=STANDARD)
def test_stat_counts_what_fired(guest):
    def fired():
        text = guest.output("ivshmemctl -d 0 stat --json")
        return [vector["fired"] for vector in json.loads(text)["stat"]]

    before = fired()
    job = listen(guest, 2, device=0)
    guest.output("ivshmemctl -d 0 ring 0 2")
    heard(job, 2)
    after = fired()
    assert len(after) == 4 and after[2] == before[2] + 1, (before, after)
    assert [after[i] for i in (0, 1, 3)] == [before[i] for i in (0, 1, 3)]


@guests(guest=STANDARD)
def test_stat_of_a_plain_device_is_empty(guest):
    assert json.loads(guest.output("ivshmemctl -d 1 stat --json")) == {"stat": []}


@guests(guest=STANDARD)
def test_stat_watches_until_the_device_goes(guest):
    address = guest.nodes()[0]["address"]
    jobs = [guest.start(f"ivshmemctl -d 0 stat --watch {option}")
            for option in ("", "--json")]
    jobs[0].wait_for("VECTOR")
    jobs[1].wait_for("vector")
    driver = "/sys/bus/pci/drivers/ivshmem_guest"
    guest.output(f"echo {address} > {driver}/unbind")
    ends = [job.wait() for job in jobs]
    guest.output(f"echo {address} > {driver}/bind")
    for status, output in ends:
        assert status == FAILED and "the device is gone" in output, output
    *lines, _ = ends[1][1].splitlines()
    assert all(len(json.loads(line)["stat"]) == 4 for line in lines), lines


@guests(guest=STANDARD)
def test_stat_watches_until_it_is_interrupted(guest):
    for number in ("INT", "TERM"):
        job = guest.start("ivshmemctl -d 0 stat --watch --json")
        job.wait_for("vector")
        guest.output(f"kill -{number} $(cat {job.base}.pid)")
        status, output = job.wait()
        assert status == DONE and output.endswith("}\n"), (status, output)
        assert all(json.loads(line) for line in output.splitlines())


@guests(guest=STANDARD)
def test_stat_watches_until_nobody_reads(guest):
    output = guest.output("{ ivshmemctl -d 0 stat --watch --json; echo $? >&2; }"
                          " 2> /tmp/said | head -n 1; cat /tmp/said")
    line, complaint, status = output.splitlines()
    assert len(json.loads(line)["stat"]) == 4, line
    assert complaint == "ivshmemctl: standard output: Broken pipe", complaint
    assert int(status) == FAILED


@guests(guest=STANDARD)
def test_wait_after_a_count_sees_what_fired_before(guest):
    node = guest.node(vectors=4)["path"]
    text = guest.output(f"ivshmemctl -d {node} stat --json")
    before = json.loads(text)["stat"][1]["fired"]
    job = listen(guest, 1, device=node)
    guest.output(f"ivshmemctl -d {node} ring 0 1")
    heard(job, 1)
    wait = f"ivshmemctl -d {node} wait 1 --timeout 0 --after"
    assert guest.output(f"{wait} {before}") == "vector 1 fired 1\n"
    status, output = guest.run(f"{wait} {before + 1}")
    assert status == TIMED_OUT, (status, output)
