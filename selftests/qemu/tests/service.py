# SPDX-License-Identifier: GPL-2.0-or-later
"""ivshmemd as a service of a real systemd, with our units: its peers do not
notice that it is killed, restarted or upgraded.

The guest is the host here: its peers are programs of its own. Two of them, which
stay all the while, have a channel between them: what one writes reaches the other
only through the memory, and wakes it only by a ring.
"""
import json
import re

import debian
from machine import Machine
from scenario import full, guests, needs

HOST = Machine(memory=1024, load=False, system="systemd",
               append="systemd.getty_auto=no")
SOCKET = "/run/ivshmemd/vm"
SERVICE = "ivshmemd@vm.service"
CTL = f"ivshmemctl -d unix:{SOCKET}"
#: Of 100, as offline: what systemd calls SAFE ends at 20.
EXPOSURE = 15
SENDER = f"""
exec 9<>/tmp/words
exec {CTL} channel send chat </tmp/words
"""


def status(host):
    return json.loads(host.output(f"ivshmemd status --json -S {SOCKET}", 20))


def ids(found):
    return {peer["id"] for peer in found["peers"]}


def main_pid(host):
    return int(host.output(f"systemctl show -P MainPID {SERVICE}", 20))


def begin(host):
    """The sockets, and two peers that stay; once for all tests of a guest."""
    if host.run("[ -e /tmp/words ]")[0] == 0:
        return
    host.output("mkdir -p /etc/ivshmemd;"
                " echo 'OPTIONS=-l 1M -n 2' > /etc/ivshmemd/vm.conf;"
                " systemctl start ivshmemd@vm.socket ivshmemd-control@vm.socket", 60)
    assert main_pid(host) == 0
    host.put("/tmp/sender", SENDER.encode())
    host.output(f"{CTL} channel format", 60)
    host.output(f"mkfifo /tmp/words; {CTL} channel cat chat > /tmp/heard 2>&1 &"
                " sh /tmp/sender > /tmp/sent 2>&1 &")
    talk(host, "begin")


def talk(host, word):
    """The one that stays tells the other a word."""
    said = host.run(f"timeout 60 sh -c 'echo {word} > /tmp/words;"
                    f" until grep -q {word} /tmp/heard; do usleep 20000; done'", 60)
    assert said[0] == 0, host.output("cat /tmp/sent /tmp/heard")


def check_unnoticed(host, end, word):
    """Two peers go on when the server ends so, and a third finds them."""
    begin(host)
    before, pid = status(host), main_pid(host)
    host.output(end, 60)
    host.output(f"timeout 60 sh -c 'until p=$(systemctl show -P MainPID {SERVICE});"
                f" [ $p != 0 ] && [ $p != {pid} ] && systemctl -q is-active {SERVICE};"
                " do usleep 20000; done'", 60)
    talk(host, word)
    after = status(host)
    assert after["server"]["restarts"] == before["server"]["restarts"] + 1, after
    assert [(peer["id"], peer["pid"], peer["since"]) for peer in after["peers"]] == \
        [(peer["id"], peer["pid"], peer["since"]) for peer in before["peers"]], after
    check_a_third(host, after)


def check_a_third(host, before):
    """It sees the others, and the memory; one more rings it."""
    job = host.start(f"{CTL} wait 1")
    job.wait_asleep()
    own, = ids(status(host)) - ids(before)
    assert own > max(ids(before))
    table = json.loads(host.output(f"{CTL} peers --json", 20))["peers"]
    assert ids(before) | {own} <= {row["peer"] for row in table}, table
    assert "chat" in host.output(f"{CTL} channel list", 20)
    host.output(f"{CTL} ring {own} 1", 20)
    ended, said = job.wait(20)
    assert ended == 0 and "vector 1 fired" in said, said


@full
@needs(debian.problem)
@guests(host=HOST)
def test_the_first_connection_starts_the_service(host):
    begin(host)
    assert main_pid(host) > 0
    owner = host.output(f"stat -c %U:%G:%a {SOCKET} {SOCKET}.control", 20).split()
    assert owner == ["root:kvm:660", "root:root:600"], owner


@full
@needs(debian.problem)
@guests(host=HOST)
def test_status_and_kick_go_through_the_units_socket(host):
    begin(host)
    found = status(host)
    assert found["server"]["pid"] == main_pid(host)
    job = host.start(f"{CTL} wait 0")
    job.wait_asleep()
    own, = ids(status(host)) - ids(found)
    host.output(f"ivshmemd kick {own} -S {SOCKET}", 20)
    assert ids(status(host)) == ids(found) and len(ids(found)) == 2, found
    assert job.kill()[0] == 137


@full
@needs(debian.problem)
@guests(host=HOST)
def test_peers_do_not_notice_that_systemd_kills_the_server(host):
    check_unnoticed(host, f"systemctl kill -s KILL {SERVICE}", "killed")


@full
@needs(debian.problem)
@guests(host=HOST)
def test_peers_do_not_notice_that_systemd_restarts_the_server(host):
    check_unnoticed(host, f"systemctl restart {SERVICE}", "restarted")


@full
@needs(debian.problem)
@guests(host=HOST)
def test_peers_do_not_notice_that_the_server_is_upgraded(host):
    """As dpkg puts another program in place, and the package's script restarts."""
    begin(host)
    host.output("cp /usr/sbin/ivshmemd /usr/sbin/ivshmemd.dpkg-new &&"
                " mv /usr/sbin/ivshmemd.dpkg-new /usr/sbin/ivshmemd", 20)
    program = f"readlink /proc/{main_pid(host)}/exe"
    assert "(deleted)" in host.output(program)
    check_unnoticed(host, f"systemctl daemon-reload; systemctl restart {SERVICE}",
                    "upgraded")
    assert host.output(f"readlink /proc/{main_pid(host)}/exe").strip() == \
        "/usr/sbin/ivshmemd"


@full
@needs(debian.problem)
@guests(host=HOST)
def test_the_running_service_is_graded_safe(host):
    begin(host)
    text = host.output(f"systemd-analyze security --no-pager {SERVICE}"
                       f" --threshold={EXPOSURE}", 60)
    grade = re.search(r"Overall exposure level for \S+: (\S+ \S+)", text)[1]
    print(f"# {SERVICE}: {grade}", flush=True)


@full
@needs(debian.problem)
@guests(host=HOST, fresh=True)
def test_stopping_the_service_is_the_end_for_its_peers(host):
    begin(host)
    host.output(f"systemctl stop ivshmemd@vm.socket ivshmemd-control@vm.socket"
                f" {SERVICE}; until ! pgrep -x ivshmemd; do usleep 20000; done", 60)
    assert host.run(f"{CTL} info")[0] == 1
