# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's packages: built in a clean Debian 12, installed, upgraded, purged.

The tests share one root and build on each other, in the order of the file: each
asks for the state that it needs, which is reached only once.
"""
import atexit
import functools
import os
import re

import debian
import plugs
import tree
from machine import Machine, Plain
from scenario import full, guests, needs, skip

VERSION = (tree.TOP / "VERSION").read_text().strip()
NEXT = VERSION + ".1"
PACKAGES = ("ivshmem-guest-dkms", "ivshmem-guest-common", "ivshmem-guest-utils",
            "libivshmem0", "libivshmem-dev", "ivshmemd")
#: Directories whose content belongs to others and changes as packages come and go.
OTHERS = ("proc", "dev", "sys", "build", "tmp", "var/lib/dpkg", "var/cache",
          "var/log", "var/lib/apt")
#: A system group stays when its package goes, as the policy wants it.
GROUP_FILES = {f"etc/{name}{backup}" for name in ("group", "gshadow")
               for backup in ("", "-")}
#: Made by the first build of any module, and kept by dkms.
OF_DKMS = re.compile(r"var/lib/dkms/mok\.(key|pub)|usr/lib/modules/[^/]+/modules\.")


@functools.cache
def root():
    made = debian.build_root()
    atexit.register(made.close)
    tree.copy_source(made.path / "build/source")
    return made


@functools.cache
def built():
    """(the log, the names) of the packages."""
    return root().build("build/source")


def files():
    """{path: what it is} of all that is in the root and could be ours."""
    top = root().path
    found = {}
    for directory, _, names in os.walk(top):
        where = os.path.relpath(directory, top)
        if where.startswith(OTHERS):
            continue
        found[where] = "directory"
        for name in names:
            status = os.lstat(os.path.join(directory, name))
            found[os.path.normpath(f"{where}/{name}")] = (status.st_size,
                                                          status.st_mode)
    return found


@functools.cache
def before():
    built()
    return files()


@functools.cache
def installed():
    before()
    return root().run(f"cd /build && dpkg -i {debs(VERSION)}")


@functools.cache
def later():
    """A second kernel, before the upgrade, which then has two modules to build."""
    installed()
    return root().install_later_kernel()


@functools.cache
def upgraded():
    later()
    root().run(f"""
        cp -r /build/source /build/next && cd /build/next
        sed -i 's/{VERSION}/{NEXT}/' VERSION dkms.conf kernel/pci.c
        {{ sed 's/({VERSION})/({NEXT})/;/^ --/q' debian/changelog; echo;
           cat debian/changelog; }} > new && mv new debian/changelog""")
    root().build("build/next")
    return root().run(f"cd /build && dpkg -i {debs(NEXT)}")


@functools.cache
def purged():
    upgraded()
    root().run("dpkg --purge " + " ".join(PACKAGES))
    assert not root().modules(), root().modules()
    # The second kernel, too, and what depmod has made for it.
    root().run(f"dpkg --purge linux-headers-{later()};"
               f" rm -rf /lib/modules/{later()}")


def debs(version):
    return " ".join(f"{name}_{version}_*.deb" for name in PACKAGES)


@full
@needs(debian.problem)
def test_the_packages_are_built_without_a_warning():
    log, names = built()
    assert {f"{name}_{VERSION}" for name in PACKAGES} <= \
        {name.rsplit("_", 1)[0] for name in names}, names
    # dh_auto_install passes a --strip-program that install does not use.
    warnings = [line for line in log.splitlines() if "warning" in line.lower()
                and "--strip-program" not in line]
    assert not warnings, "\n".join(warnings)


@full
@needs(debian.problem)
def test_lintian_finds_nothing_at_its_most_pedantic():
    built()
    output = root().run("cd /build && lintian --allow-root --fail-on error"
                        f" -I --pedantic ivshmem-guest_{VERSION}_*.changes")
    assert not output.strip(), output


@full
@needs(debian.problem)
def test_installed_they_have_a_module_a_group_and_programs():
    installed()
    assert root().modules(), root().run("dkms status")
    assert re.search(r"^ivshmem:", root().run("cat /etc/group"), re.M)
    assert root().run("ivshmemctl --version").split() == ["ivshmemctl", VERSION]
    assert VERSION in root().run("ivshmemd --version")
    assert "ivsh_region" in root().run("dpkg -L libivshmem-dev")


@full
@needs(debian.problem)
def test_a_program_is_compiled_with_the_development_package():
    installed()
    root().run("cd /tmp && cc /usr/share/doc/libivshmem-dev/examples/wake.c"
               " -livshmem -o wake && ldd wake")
    root().run("cd /tmp && cc /usr/share/doc/libivshmem-dev/examples/hello.c"
               " -static -livshmem -o hello && rm wake hello")


@full
@needs(debian.problem)
@guests(guest=Machine(Plain(), load=False))
def test_the_module_of_the_package_loads_in_a_guest(guest):
    installed()
    module = root().modules().get(guest.output("uname -r").strip())
    if not module:
        skip(f"built for {', '.join(root().modules())}, guests have another")
    guest.put("/tmp/ivshmem_guest.ko", module.read_bytes())
    guest.output("rmmod ivshmem_guest 2>/dev/null; insmod /tmp/ivshmem_guest.ko")
    plugs.wait_for_nodes(guest, 1)
    assert guest.output("cat /sys/module/ivshmem_guest/version").strip() == VERSION


@full
@needs(debian.problem)
def test_a_kernel_installed_later_gets_the_module_of_the_package():
    assert later() in root().modules(), root().run("dkms status")


@full
@needs(debian.problem)
def test_an_upgrade_leaves_one_version_of_everything():
    upgraded()
    assert root().run("ivshmemctl --version").split() == ["ivshmemctl", NEXT]
    status = root().run("dkms status ivshmem-guest")
    assert set(root().modules()) == root().kernels() and len(root().modules()) == 2
    assert NEXT in status and f"/{VERSION}," not in status, status
    sources = sorted(path.name for path in root().path.glob("usr/src/ivshmem*"))
    assert sources == [f"ivshmem-guest-{NEXT}"], sources


@full
@needs(debian.problem)
def test_a_purge_leaves_nothing_but_the_group():
    purged()
    now = files()
    left = {path for path in now if now[path] != before().get(path)
            and path not in GROUP_FILES and not OF_DKMS.match(path)}
    lost = {path for path in before() if path not in now}
    assert not left and not lost, (sorted(left), sorted(lost))
