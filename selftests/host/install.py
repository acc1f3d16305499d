#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make install and make uninstall: what goes where, and that it all goes away."""
import os
import re
import subprocess

import program
import tree

EXPECTED = {
    "bin/ivshmemctl", "sbin/ivshmemd", "lib/libivshmem.so.0", "lib/libivshmem.so",
    "lib/libivshmem.a", "lib/pkgconfig/libivshmem.pc", "include/ivshmem.h",
    "include/ivshmem_channel.h",
    "include/linux/ivshmem_guest.h", "share/man/man1/ivshmemctl.1",
    "share/man/man3/libivshmem.3", "share/man/man3/ivsh_region_map.3",
    "share/man/man4/ivshmem_guest.4", "share/man/man7/ivshmem.7",
    "share/man/man8/ivshmemd.8",
    "share/bash-completion/completions/ivshmemd",
    "lib/systemd/system/ivshmemd-control@.socket",
    "lib/systemd/system/ivshmemd@.service", "lib/systemd/system/ivshmemd@.socket",
    "lib/udev/rules.d/60-ivshmem.rules", "lib/sysusers.d/ivshmem-guest.conf",
    "share/bash-completion/completions/ivshmemctl",
}


#: What `make check` exports, which would be taken for the user's choice.
INHERITED = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "prefix", "exec_prefix", "bindir",
             "sbindir", "libdir", "includedir", "datadir", "mandir", "completiondir",
             "udevdir", "systemdunitdir", "sysusersdir", "DESTDIR")


def make(target, place, **variables):
    words = [f"{name}={value}" for name, value in variables.items()]
    environment = {name: value for name, value in os.environ.items()
                   if name not in INHERITED}
    run = subprocess.run(["make", "-s", target, f"DESTDIR={place}", *words],
                         cwd=tree.TOP, env=environment, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert run.returncode == 0, run.stdout
    return run.stdout


def files(place):
    return {str(path.relative_to(place)) for path in place.rglob("*")
            if path.is_symlink() or not path.is_dir()}


def in_scratch(check):
    place = tree.scratch()
    try:
        check(place)
    finally:
        tree.remove(place)


def test_install_puts_everything_below_prefix():
    def check(place):
        make("install", place)
        found = files(place)
        missing = {f"usr/local/{name}" for name in EXPECTED} - found
        assert not missing, missing
        assert all(name.startswith("usr/local/") for name in found), found
    in_scratch(check)


def test_directories_can_be_chosen_one_by_one():
    def check(place):
        make("install", place, prefix="/usr", libdir="/usr/lib/multi",
             sbindir="/usr/bin")
        found = files(place)
        assert {"usr/lib/multi/libivshmem.so.0", "usr/bin/ivshmemd",
                "usr/share/man/man1/ivshmemctl.1"} <= found, found
        config = (place / "usr/lib/multi/pkgconfig/libivshmem.pc").read_text()
        version = (tree.TOP / "VERSION").read_text().strip()
        assert "prefix=/usr\n" in config and "libdir=/usr/lib/multi\n" in config
        assert f"Version: {version}\n" in config, config
    in_scratch(check)


def test_no_link_is_broken():
    def check(place):
        make("install", place)
        broken = [name for name in files(place) if not (place / name).exists()]
        assert not broken, broken
    in_scratch(check)


def test_every_function_of_the_library_has_a_man_page():
    def check(place):
        make("install", place)
        functions = re.findall(r"^\t(ivsh_\w+);", (tree.TOP / "lib/libivshmem.map")
                               .read_text(), re.M)
        pages = {f"usr/local/share/man/man3/{name}.3" for name in functions}
        assert functions and pages <= files(place), pages - files(place)
    in_scratch(check)


def test_uninstall_leaves_nothing_of_ours_and_all_of_others():
    def check(place):
        make("install", place)
        other = place / "usr/local/bin/other"
        other.write_text("not ours")
        make("uninstall", place)
        assert files(place) == {"usr/local/bin/other"}, files(place)
    in_scratch(check)


def test_the_sources_for_dkms_are_staged_and_removed():
    def check(place):
        make("dkms-install", place)
        version = (tree.TOP / "VERSION").read_text().strip()
        source = f"usr/src/ivshmem-guest-{version}"
        found = files(place)
        kernel = {f"{source}/{path.relative_to(tree.TOP)}"
                  for path in (tree.TOP / "kernel").rglob("*.[ch]")
                  if not path.name.endswith(".mod.c")}
        assert kernel | {f"{source}/dkms.conf"} <= found, found
        make("dkms-remove", place)
        assert not files(place), files(place)
    in_scratch(check)


def test_no_target_of_the_makefile_lacks_help():
    text = (tree.TOP / "Makefile").read_text()
    targets = set(re.search(r"^\.PHONY: ((?:.*\\\n)*.*)", text, re.M)[1]
                  .replace("\\\n", " ").split())
    # What only other targets and the tests call.
    targets -= {"help", "all", "lib", "tools", "server", "examples", "programs-of-bench",
                "selftests", "setup", "dkms-source"}
    helped = re.findall(r"make ([a-z-]+)", make("help", "/nowhere"))
    assert targets <= set(helped), targets - set(helped)


program.main()
