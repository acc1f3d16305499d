# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that sleeps and wakes, and one that loses a CPU.

S3 is real: QEMU stops the machine and firmware wakes it. So is S4: the image is
written to a disk, QEMU ends, and another one reads it; and there is the dry run
of the kernel under test, which only freezes and thaws the devices.
"""
import hostpeer
import tree
from machine import Doorbell, Machine
from rings import heard, listen, own_id, ring, stat
from scenario import guests
from tree import MIB

SLEEPER = Machine(Doorbell(vectors=3))
TWO_CPUS = Machine(Doorbell(vectors=2), smp=2)


def send_to_sleep(guest, word):
    """A ring of the host does it: then no answer of the guest is on its way."""
    sleep = guest.start(f"sh -c 'ivshmemctl wait 2 --after {stat(guest, 2)} &&"
                        f" echo {word} > /sys/power/state'")
    hostpeer.run(guest.servers["server"], "ring", own_id(guest), 2)
    return sleep


def check_awake(guest, jobs, before, **changed):
    """All who waited were woken, and everything works as before."""
    for vector, job in enumerate(jobs):
        heard(job, vector)
    after = guest.node()
    assert after["generation"] == before["generation"] + 1, (before, after)
    assert {**before, "generation": after["generation"], **changed} == after
    assert guest.output("ivshmemctl read 0 5") == "slept"
    job = listen(guest, 1)
    ring(guest, own_id(guest), 1)
    heard(job, 1)


@guests(guest=SLEEPER, fresh=True)
def test_s3_wakes_every_waiter_and_counts_a_generation(guest):
    guest.output("printf slept | ivshmemctl write 0")
    before = guest.node()
    jobs = [listen(guest, 0), listen(guest, 1)]
    sleep = send_to_sleep(guest, "mem")
    guest.qmp.wait("SUSPEND")
    guest.qmp("system_wakeup")
    guest.console.wait_for("PM: suspend exit")
    guest.channel.resync(6)
    assert sleep.wait()[0] == 0
    check_awake(guest, jobs, before)


@guests(guest=SLEEPER, fresh=True)
def test_s4_thaws_the_device_and_wakes_every_waiter(guest):
    guest.output("printf slept | ivshmemctl write 0")
    before = guest.node()
    jobs = [listen(guest, 0), listen(guest, 1)]
    guest.output("echo devices > /sys/power/pm_test;"
                 " echo disk > /sys/power/state", 30)
    check_awake(guest, jobs, before)


def with_swap(disk, append=""):
    """The cloud kernel has the driver of such a disk built in."""
    return Machine(Doorbell(vectors=3), kernel="6.1-cloud", append=append,
                   options=("-drive", f"if=none,id=swap,format=raw,file={disk}",
                            "-device", "nvme,drive=swap,serial=1"))


def test_s4_goes_on_in_another_qemu_with_a_new_own_id(lab):
    disk = lab.logs / "swap"
    with open(disk, "wb") as file:
        file.truncate(512 * MIB)
    servers = {"server": lab.server(vectors=3)}
    guest = lab.guest(with_swap(disk), "asleep", servers).wait_ready()
    guest.output("mkswap /dev/nvme0n1 > /dev/null; swapon /dev/nvme0n1;"
                 " cat /sys/block/nvme0n1/dev > /sys/power/resume;"
                 " printf slept | ivshmemctl write 0")
    before = guest.node()
    jobs = [listen(guest, 0), listen(guest, 1)]
    sleep = send_to_sleep(guest, "disk")
    guest.process.wait(tree.limit(20))
    awake = lab.guest(with_swap(disk, "resume=/dev/nvme0n1 resumewait"),
                      "awake", servers)
    awake.console.wait_for("PM: hibernation: hibernation exit", seconds=20)
    awake.channel.resync(6)
    for job in (sleep, *jobs):
        job.guest = awake
    assert sleep.wait()[0] == 0
    assert own_id(awake) != before["own_id"]
    check_awake(awake, jobs, before, own_id=own_id(awake))
    disk.unlink()


@guests(guest=TWO_CPUS, fresh=True)
def test_rings_arrive_when_the_cpu_of_the_interrupt_goes(guest):
    irq = guest.output("sed -n 's/^ *\\([0-9]*\\):.*ivshmem0-0$/\\1/p'"
                       " /proc/interrupts").strip()
    guest.output(f"echo 2 > /proc/irq/{irq}/smp_affinity")
    job = listen(guest, 0)
    for state in (0, 1):
        guest.output(f"echo {state} > /sys/devices/system/cpu/cpu1/online")
        ring(guest, 0, 0)
        heard(job, 0)
        job = listen(guest, 0)
    job.kill()
