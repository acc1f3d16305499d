# SPDX-License-Identifier: GPL-2.0-or-later
"""systemd: a guest with Debian's systemd and udev, on which ours is installed.

The whole system is the initramfs: no disk, and nothing that stays. Its kernel has
no modules but ours. It takes root to make, see debian.py.
"""
import os
import shutil
import stat
import subprocess
from pathlib import Path

import debian
import initramfs
import tree

PACKAGES = ("kmod", "libpci3", "libsmartcols1", "libudev1", "systemd",
            "systemd-sysv", "udev")
#: What no test looks at, and would only take memory.
USELESS = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/i18n",
           "usr/share/zoneinfo", "usr/lib/udev/hwdb.bin", "usr/lib/udev/hwdb.d",
           "var/cache", "var/lib/apt", "usr/share/perl5", "usr/lib/locale")

UNIT = """\
[Unit]
Description=Commands of the test
After=systemd-udev-trigger.service
[Service]
ExecStart=/bin/sh /commands.sh
[Install]
WantedBy=multi-user.target
"""


def initrd(stage):
    """The archive for guests with the kernel of the stage."""
    path = stage.initrd.with_name("initramfs-systemd")
    root = debian.Root("minbase", sorted(PACKAGES))
    try:
        _install(root, stage.kernel)
        _write(root.path, path)
    finally:
        root.close()
    return path


def _install(root, kernel):
    """Put ours there as make install does, and the module as dkms does."""
    for name in USELESS:
        shutil.rmtree(root.path / name, ignore_errors=True)
    subprocess.run(["make", "-s", "install", f"DESTDIR={root.path}", "prefix=/usr"],
                   cwd=tree.TOP, check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "MAKEFLAGS": "", "MAKELEVEL": "0"})
    modules = root.path / "usr/lib/modules" / kernel.version / "updates/dkms"
    modules.mkdir(parents=True)
    shutil.copy(kernel.module, modules)
    (root.path / "etc/systemd/system/commands.service").write_text(UNIT)
    shutil.copy(Path(__file__).with_name("commands.sh"), root.path)
    usleep = root.path / "usr/local/bin/usleep"     # of busybox, elsewhere
    usleep.write_text("#!/bin/sh\nexec sleep 0.02\n")
    usleep.chmod(0o755)
    (root.path / "init").symlink_to("usr/lib/systemd/systemd")
    root.run(f"depmod {kernel.version}; ldconfig; systemd-sysusers;"
             " systemctl enable commands.service; useradd --gid ivshmem member;"
             " useradd --gid nogroup stranger; passwd -d root")


def _write(root, path):
    archive = initramfs.Archive()
    for directory, directories, names in os.walk(root):
        for name in sorted([*directories, *names]):
            file = Path(directory, name)
            mode = file.lstat().st_mode
            if stat.S_ISLNK(mode):
                data = os.readlink(file).encode()
            elif stat.S_ISREG(mode):
                data = file.read_bytes()
            elif stat.S_ISDIR(mode):
                data = b""
            else:
                continue
            archive.add(str(file.relative_to(root)), data, mode)
    archive.write(path, compress=False)
