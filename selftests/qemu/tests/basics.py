# SPDX-License-Identifier: GPL-2.0-or-later
"""What the harness itself promises: a guest boots, answers, and tells of splats."""
import signal

from machine import Machine
from scenario import guests

BARE = Machine(load=False)


@guests(guest=BARE)
def test_a_command_gives_its_status_and_output(guest):
    assert guest.run("echo out; echo err >&2; exit 7") == (7, "out\nerr\n")


@guests(guest=BARE)
def test_long_output_arrives_whole(guest):
    output = guest.output("seq 1 20000")
    assert output.split() == [str(number) for number in range(1, 20001)]


@guests(guest=BARE)
def test_a_written_file_reads_back(guest):
    data = bytes(range(256)) * 100
    guest.put("/tmp/file", data)
    assert guest.output("wc -c < /tmp/file").strip() == str(len(data))


@guests(guest=BARE)
def test_commands_arrive_whole_while_processes_end(guest):
    guest.output("for i in $(seq 200); do usleep ${i}0000 & done 2>/dev/null")
    for number in range(40):
        assert guest.output(f"echo {number} {'x' * 3000} | wc -c", 20) \
            == f"{len(str(number)) + 3002}\n"


@guests(guest=BARE)
def test_a_splat_in_the_kernel_log_is_found(guest):
    guest.output("echo 'WARNING: a test' > /dev/kmsg")
    guest.output("echo end > /dev/console")
    assert any("a test" in line for line in guest.splats())


CRASHES = []


@guests(guest=BARE, fresh=True)
def test_a_test_whose_qemu_crashed_begins_anew(guest):
    if not CRASHES:
        CRASHES.append(guest.name)
        guest.process.send_signal(signal.SIGSEGV)
        guest.process.wait()
    guest.output("true")


@guests(guest=BARE, fresh=True)
def test_a_panic_is_an_error_with_the_console(guest):
    from guest import GuestError
    try:
        guest.run("echo c > /proc/sysrq-trigger")
    except GuestError as error:
        assert "Kernel panic" in str(error), error
        guest.splats()
        return
    raise AssertionError("the guest lives on")
