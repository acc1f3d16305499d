# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that sleeps and wakes, that boots another kernel, that loses a CPU.

S3 is real: QEMU stops the machine and firmware wakes it. So is S4: the image is
written to a disk, QEMU ends, and another one reads it; and there is the dry run
of the kernel under test, which only freezes and thaws the devices.
"""
import hostpeer
import tree
from machine import Doorbell, Machine, Plain
from rings import heard, listen, own_id, ring, stat
from scenario import guests
from tree import MIB

SLEEPER = Machine(Doorbell(vectors=3))
SLEEPER_PC = Machine(Doorbell(vectors=3), machine="pc",
                     append="ivshmem_guest.map_registers=1")
AWAKE = "PM: suspend exit"
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


def s3(guest):
    """Once to sleep and awake again."""
    guest.output("printf slept | ivshmemctl write 0")
    before, woken = guest.node(), guest.console.text().count(AWAKE)
    jobs = [listen(guest, 0), listen(guest, 1)]
    sleep = send_to_sleep(guest, "mem")
    guest.qmp.wait("SUSPEND")
    guest.qmp("system_wakeup")
    guest.console.wait_for(AWAKE, woken + 1)
    guest.channel.resync(6)
    assert sleep.wait()[0] == 0
    check_awake(guest, jobs, before)


@guests(guest=SLEEPER_PC, fresh=True)
def test_s3_wakes_every_waiter_and_counts_a_generation(guest):
    for _ in range(2):
        s3(guest)


@guests(guest=SLEEPER, fresh=True)
def test_s3_on_q35_comes_again_once_acpi_has_its_registers_back(guest):
    """The firmware leaves them off at the first, and the second ends at once."""
    bridge = "/sys/bus/pci/devices/0000:00:1f.0/config"
    registers = guest.output(f"od -A n -t x1 -j 64 -N 5 {bridge}").split()
    s3(guest)
    for byte, value in enumerate(registers, 64):
        guest.output(f"printf '\\x{value}' |"
                     f" dd of={bridge} bs=1 seek={byte} conv=notrunc")
    s3(guest)


def dry_run(guest, word):
    """The devices go to sleep and wake after five seconds, and nothing else does."""
    guest.output("printf slept | ivshmemctl write 0")
    before = guest.node()
    jobs = [listen(guest, 0), listen(guest, 1)]
    guest.output("echo devices > /sys/power/pm_test;"
                 f" echo {word} > /sys/power/state", 30)
    check_awake(guest, jobs, before)


@guests(guest=SLEEPER, fresh=True)
def test_s4_thaws_the_device_and_wakes_every_waiter(guest):
    dry_run(guest, "disk")


@guests(guest=SLEEPER, fresh=True)
def test_s2idle_wakes_every_waiter(guest):
    dry_run(guest, "freeze")


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


#: What kexec(8) does: load a kernel with its initramfs, and jump into it.
KEXEC = """
import ctypes, os
syscall = ctypes.CDLL(None, use_errno=True).syscall
kernel, initrd = (os.open(name, os.O_RDONLY) for name in ("kernel", "initrd"))
line = open("/proc/cmdline", "rb").read().strip() + b"\\0"
if syscall(320, kernel, initrd, ctypes.c_long(len(line)), line, ctypes.c_long(0)):
    raise OSError(ctypes.get_errno(), "kexec_file_load")
syscall(169, *map(ctypes.c_long, (0xfee1dead, 0x28121969, 0x45584543, 0)))
"""


def kexec(guest, files):
    """Boot the guest's kernel anew; it takes the files out of the memory."""
    offset = 0
    with guest.servers["boot"].memory() as memory:
        for name, path in files.items():
            memory.write(path.read_bytes())
            guest.output(f"ivshmemctl -d 1 read {offset} {memory.tell() - offset}"
                         f" > /tmp/{name}", 20)
            offset = memory.tell()
    guest.put("/tmp/kexec.py", KEXEC.encode())
    guest.start("sh -c 'cd /tmp && python3 kexec.py > /dev/ttyS0 2>&1'")
    guest.wait_ready()


@guests(guest=Machine(Doorbell(vectors=2), Plain(64 * MIB, memory="boot"),
                      system="python", memory=512), fresh=True)
def test_kexec_under_rings_with_vectors_bound_and_memory_mapped(guest, lab):
    """The new kernel finds the device as it was, and it works."""
    server, before = guest.servers["server"], guest.nodes()
    guest.output("printf kept | ivshmemctl -d 0 write 0x80000")
    listen(guest, 1, device=0)
    guest.start("ivshmemctl -d 0 channel cat mapped").wait_asleep()
    ringer = hostpeer.start(hostpeer.command(server, "ring", own_id(guest), 0,
                                             "--count", 10 ** 9))
    kexec(guest, {"kernel": lab.stage.kernel.image, "initrd": lab.stage.initrd})
    assert ringer.poll() is None
    ringer.kill()
    assert guest.console.text().count("Linux version") == 2
    assert guest.nodes() == before
    assert guest.output("ivshmemctl -d 0 read 0x80000 4") == "kept"
    for vector in (0, 1):
        job = listen(guest, vector, device=0)
        hostpeer.run(server, "ring", own_id(guest), vector)
        heard(job, vector)
        job = listen(guest, vector, device=0)
        ring(guest, own_id(guest), vector, device=0)
        heard(job, vector)


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
