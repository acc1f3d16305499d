# SPDX-License-Identifier: GPL-2.0-or-later
"""The page attribute: what cache= asks for is in the page table, and reported."""
import json

from machine import Machine, Plain
from scenario import guests

MODULE = "ivshmem_guest"
PLAIN = Machine(Plain())
NO_PAT = Machine(Plain(), append="nopat")


def load(guest, parameters):
    """Load the module anew: what the kernel logged then."""
    guest.output(f"rmmod {MODULE} 2>/dev/null; dmesg -c > /dev/null;"
                 f" modprobe {MODULE} {parameters}; modprobe ivshmem_pagewalk")
    return guest.output("dmesg")


def check(guest, parameters, attribute):
    """The attribute is in the page table, and all who report it say so."""
    log = load(guest, parameters)
    node = guest.node()
    touched = json.loads(guest.output(
        f"map_touch {node['path']} {node['shmem_size']}"))
    assert [entry["attr"] for entry in touched["entries"]] == [attribute], touched
    assert node["page_attr"] == attribute, node
    (info,) = json.loads(guest.output("ivshmemctl info --json"))["info"]
    assert info["page_attr"] == attribute, info
    asked = guest.output(f"cat /sys/module/{MODULE}/parameters/cache").strip()
    assert f"cache={asked}" == (parameters or "cache=auto"), asked
    return [line for line in log.splitlines() if "not write-back" in line]


@guests(guest=PLAIN)
def test_auto_is_write_back_without_a_word(guest):
    assert check(guest, "", "wb") == []
    assert check(guest, "cache=auto", "wb") == []


@guests(guest=PLAIN)
def test_wb_is_write_back_without_a_word(guest):
    assert check(guest, "cache=wb", "wb") == []


@guests(guest=PLAIN)
def test_wc_is_write_combining_and_says_so_once(guest):
    (notice,) = check(guest, "cache=wc", "wc")
    assert "mapped wc, not write-back" in notice and "cache=wc" in notice, notice


@guests(guest=PLAIN)
def test_uc_is_uncached_and_says_so_once(guest):
    (notice,) = check(guest, "cache=uc", "uc")
    assert "mapped uc, not write-back" in notice and "cache=uc" in notice, notice


@guests(guest=PLAIN)
def test_another_value_is_refused_with_those_that_there_are(guest):
    log = load(guest, "cache=fast 2>/dev/null || true")
    assert "cache=fast: must be auto, wb, wc or uc" in log, log
    assert not guest.nodes()
    load(guest, "")


@guests(guest=NO_PAT)
def test_without_pat_the_default_is_still_write_back(guest):
    assert check(guest, "", "wb") == []


@guests(guest=NO_PAT)
def test_wc_without_pat_is_uncached_and_says_why(guest):
    (notice,) = check(guest, "cache=wc", "uc")
    assert "mapped uc" in notice and "without PAT" in notice, notice
