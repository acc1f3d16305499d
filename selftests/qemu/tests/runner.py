# SPDX-License-Identifier: GPL-2.0-or-later
"""The runner of the tests itself: what it makes of what it sees, where a mistake would
let something pass. No guest is booted."""
from types import SimpleNamespace
from unittest import mock

import checked
import debugkernel
import kcsan
import tap
import tree
from again import Again
from console import Console
from discover import Test
from machine import DEBUG
from scenario import Skip, guests, needs


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


# --- a kernel that is built meanwhile --------------------------------------------------

@guests(guest=DEBUG)
def some(guest):
    pass


def verdict_if_the_script_says(words, place):
    """Of a test that needs the kernel, if scripts/debug-kernel says that and fails."""
    # Not above: programs of host/ list the tests, and have a systemd of their own.
    from check import Lab, Runner
    fake = script(place / "debug-kernel", "[ $1 = --cached ] ||\n"
                  f"cat << 'END' >&2\n{words}\nEND\nexit 1")
    with mock.patch.multiple(debugkernel, SCRIPT=fake, _building={}), \
            mock.patch.object(tree, "LOGS", place):
        debugkernel.build({"debug"})
        lab = Lab(SimpleNamespace(of=debugkernel.cached), place)
        return Runner()._try(Test("some: test", some, "some"), lab)


def test_a_kernel_that_does_not_compile_fails_its_tests(lab):
    verdict, why = verdict_if_the_script_says(
        "make[1]: *** [scripts/Makefile.build:250: kernel/fork.o] Error 1", lab.logs)
    assert verdict == "failed" and "kernel/fork.o" in why, (verdict, why)


def test_a_kernel_whose_configuration_is_refused_fails_its_tests(lab):
    verdict, why = verdict_if_the_script_says(
        "debug-kernel: the configuration does not give:\n  CONFIG_KASAN=y: got n",
        lab.logs)
    assert verdict == "failed" and "CONFIG_KASAN" in why, (verdict, why)


def test_a_kernel_whose_sources_cannot_be_had_skips_its_tests(lab):
    verdict, why = verdict_if_the_script_says("E: Failed to fetch linux-source-6.1",
                                              lab.logs)
    assert verdict == "skipped" and "Failed to fetch" in why, (verdict, why)


# --- reports of data races -------------------------------------------------------------

REPORT = f"{kcsan.HEAD} data-race in a / b\n a+0x1/0x2 [MODULE]\n{kcsan.END} on:\n"
OURS = REPORT.replace("MODULE", kcsan.OURS)


def console(lab, text):
    path = lab.logs / "log"
    path.write_text(text)
    return Console(path)


def test_a_race_of_our_module_counts_and_one_of_others_does_not(lab):
    assert console(lab, OURS).splats()
    assert not console(lab, REPORT).splats()


def test_the_race_of_a_poll_with_whoever_wakes_it_is_no_race_of_ours(lab):
    assert not console(lab, OURS.replace("a / b", "poll_schedule_timeout.constprop.0"
                                         " / pollwake")).splats()
    assert console(lab, OURS.replace("a / b", "pollwake / b")).splats()


def test_a_report_that_is_never_finished_counts(lab):
    log = console(lab, OURS.split(kcsan.END)[0])
    assert log.splats() and not log.splats()


# --- what programs say -----------------------------------------------------------------

SAID = """TAP version 13
1..3
# Starting 3 tests from 1 test cases.
#  RUN           some.test ...
# guest/some.c:7:test:505 failed in turn
#            OK  some.test
ok 1 some.test
#  RUN           some.other ...
#            OK  some.other
ok 2 some.other
#  RUN           some.third ...
#      SKIP      no dma-bufs
#            OK  some.third
ok 3 # SKIP no dma-bufs
# PASSED: 3 / 3 tests passed.
# Totals: pass:2 fail:0 xfail:0 xpass:0 skip:1 error:0
"""


def test_figures_of_what_passed_are_kept():
    assert [result.reason for result in tap.parse("some", SAID, 0)] == \
        ["guest/some.c:7:test:505 failed in turn", "", "no dma-bufs"]


def test_what_is_skipped_has_a_name():
    assert tap.parse("some", SAID, 0)[2].name == "some: some.third"


def run_checked(lab, *lines):
    path = script(lab.logs / "program", "".join(f"echo '{line}'\n" for line in lines))
    with checked.Checked("true", "") as made:
        made.run([path])


def test_a_program_under_a_sanitizer_that_skips_all_has_not_passed(lab):
    run_checked(lab, "1..2", "ok 1 one", "ok 2 two # SKIP no root")
    try:
        run_checked(lab, "1..2", "ok 1 one # SKIP no root", "ok 2 two # SKIP no root")
    except Skip:
        return
    raise AssertionError("it passed")


def test_what_a_test_needs_is_asked_for_when_it_runs_again(lab):
    ran = []

    @needs(lambda: "something is missing")
    def test():
        ran.append("it")
    Again(lab, None, None, None)._run(Test("some: test", test, "some"), lab.logs)
    assert not ran


def test_what_takes_long_is_told():
    from check import Runner
    runner = Runner()
    with mock.patch.object(runner, "seconds", side_effect=[0, 0, 3, 3, 33]):
        runner.begin("short")
        runner.begin("long")
        assert runner.longest(20) == [(30, "long")]
