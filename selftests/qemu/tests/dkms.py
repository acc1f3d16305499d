# SPDX-License-Identifier: GPL-2.0-or-later
"""DKMS with a checkout: make dkms-install, kernels that come later, and
make dkms-remove; in a clean Debian 12. What Debian's packages do with it is in
debian.py.

The tests share one root, in the order of the file, as those of debian.py do.
"""
import atexit
import functools
import os
import re

import debian
import tree
from scenario import full, needs

VERSION = (tree.TOP / "VERSION").read_text().strip()
#: uname tells of the host's kernel, which is not in the root.
UNAME = """#!/bin/sh
[ "$1" = -r ] && echo "$KERNEL" || exec /usr/bin/uname "$@"
"""


@functools.cache
def root():
    made = debian.build_root()
    atexit.register(made.close)
    tree.copy_source(made.path / "source")
    uname = made.path / "usr/local/bin/uname"
    uname.write_text(UNAME)
    uname.chmod(0o755)
    return made


@functools.cache
def first():
    """The kernel that runs, as far as the root is told."""
    version, = root().kernels()
    return version


def make(target):
    return root().run(f"export KERNEL={first()} PATH=/usr/local/bin:$PATH;"
                      f" make -C /source {target}")


@functools.cache
def installed():
    return make("dkms-install")


@functools.cache
def later():
    installed()
    return root().install_later_kernel()


def state(kernel):
    """What dkms says of our module for a kernel: added, built, installed."""
    found = re.search(rf"ivshmem-guest/{VERSION}, {re.escape(kernel)}, \w+: (\w+)",
                      root().run("dkms status"))
    return found and found[1]


@full
@needs(debian.problem)
def test_a_checkout_is_added_built_and_installed():
    installed()
    assert state(first()) == "installed", root().run("dkms status")
    modinfo = root().run(f"modinfo -k {first()} ivshmem_guest")
    assert re.search(rf"^version: +{VERSION}$", modinfo, re.M), modinfo
    assert first() in modinfo, modinfo


@full
@needs(debian.problem)
def test_a_kernel_that_comes_later_gets_the_module():
    assert state(later()) == "installed", root().run("dkms status")
    assert set(root().modules()) == {first(), later()} == root().kernels()


@full
@needs(debian.problem)
def test_a_checkout_that_changed_replaces_the_module_of_the_same_version():
    later()
    with (root().path / "source/kernel/pci.c").open("a") as source:
        source.write('\nMODULE_INFO(changed, "yes");\n')
    make("dkms-install")
    for kernel in (first(), later()):
        assert state(kernel) == "installed", root().run("dkms status")
        assert root().run(f"modinfo -k {kernel} -F changed ivshmem_guest").strip() == "yes"


@full
@needs(debian.problem)
def test_a_kernel_without_headers_comes_without_an_error():
    installed()
    before = set(root().modules())
    root().run("mkdir /lib/modules/9.9.9-amd64 && run-parts --exit-on-error"
               " --arg=9.9.9-amd64 --arg=/boot/vmlinuz-9.9.9-amd64"
               " /etc/kernel/postinst.d")
    assert set(root().modules()) == before, root().run("dkms status")
    root().run("rmdir /lib/modules/9.9.9-amd64")


@full
@needs(debian.problem)
def test_a_kernel_that_goes_takes_its_module_along():
    gone = later()
    root().run(f"dpkg --purge linux-headers-{gone}")
    root().run("run-parts --exit-on-error"
               f" --arg={gone} --arg=/boot/vmlinuz-{gone} /etc/kernel/prerm.d")
    assert state(gone) is None and set(root().modules()) == {first()}


@full
@needs(debian.problem)
def test_dkms_remove_leaves_nothing():
    installed()
    make("dkms-remove")
    assert not root().modules(), root().modules()
    left = [path for path in ("usr/src", "var/lib/dkms", "lib/modules")
            for path in (root().path / path).rglob("*ivshmem*")]
    assert not left, left
    assert "ivshmem" not in root().run("dkms status")
