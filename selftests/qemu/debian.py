#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""debian: Debian's packages of the project, built in a clean Debian 12.

    debian.py [DIRECTORY]       (make deb: build/deb)

The clean system is a root made once by mmdebstrap, kept in the cache as a tar
archive, and unpacked for each use, so that nothing is ever installed on the host.
Commands in it run without a network. It takes root to make and to enter one.
"""
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import tree
from suites import Suite

SUITE = "bookworm"
SOURCES = ("deb http://deb.debian.org/debian bookworm main",
           "deb http://deb.debian.org/debian-security bookworm-security main")
#: Beside what debian/control wants for the build: what the tests use.
BUILD_TOOLS = ("dkms", "fakeroot", "kmod", "lintian", "linux-headers-amd64",
               "systemd-standalone-sysusers")


class DebianError(Exception):
    """A command in the root failed; has what it printed."""


def problem():
    """Why there can be no root here, or None."""
    if os.getuid() != 0:
        return "needs root"
    if not shutil.which("mmdebstrap"):
        return "needs mmdebstrap"
    test = subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork",
                           "true"], capture_output=True, text=True)
    return test.stderr.strip() if test.returncode else None


def build_depends():
    """The packages of Build-Depends, without versions."""
    text = (tree.TOP / "debian/control").read_text()
    field = re.search(r"^Build-Depends:((?:.*\n[ \t])*.*)", text, re.M)[1]
    names = [re.split(r"[ (]", name.strip())[0] for name in field.split(",")]
    return ["debhelper" if name == "debhelper-compat" else name for name in names]


class Root:
    """A clean Debian in a directory of its own, until it is closed."""

    def __init__(self, variant, packages):
        archive = _archive(variant, packages)
        self.place = tree.scratch()
        self.path = self.place / "root"
        self.path.mkdir()
        subprocess.run(["tar", "xf", archive, "-C", self.path, "--numeric-owner"],
                       check=True)

    def run(self, command):
        """What a shell command printed; an error if it failed."""
        run = subprocess.run(
            ["unshare", "--mount", "--pid", "--net", "--fork",
             f"--mount-proc={self.path}/proc", "chroot", self.path,
             "sh", "-ec", command], text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
                 "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive",
                 "DEB_BUILD_OPTIONS": f"parallel={os.cpu_count()}"})
        if run.returncode:
            raise DebianError(f"{command}: status {run.returncode}:\n"
                              + run.stdout[-3000:])
        return run.stdout

    def build(self, directory):
        """Build the packages of a source; the names of the files made."""
        before = set((self.path / directory).parent.iterdir())
        log = self.run(f"cd /{directory} && dpkg-buildpackage -us -uc")
        made = set((self.path / directory).parent.iterdir()) - before
        return log, sorted(path.name for path in made)

    def kernels(self):
        """The versions whose headers are installed."""
        return {path.name.removeprefix("linux-headers-")
                for path in self.path.glob("usr/src/linux-headers-*-amd64")}

    def modules(self):
        """{kernel version: our module} of those that dkms has built."""
        return {path.parts[-4]: path
                for path in self.path.glob("lib/modules/*/updates/dkms/*.ko*")}

    def install_later_kernel(self):
        """Debian's cloud kernel comes after all else, as its headers, of which
        dkms is told; its version."""
        suite = Suite(SUITE)
        version = suite.depends(suite.show("linux-headers-cloud-amd64")[0],
                                r"linux-headers-\d.*")[0]
        place = self.path / "later"
        place.mkdir()
        common = suite.depends(suite.show(version)[0], r"linux-headers-.*")
        suite.download([version, *common], place)
        self.run("dpkg -i /later/*.deb")
        tree.remove(place)
        return version.removeprefix("linux-headers-")

    def close(self):
        tree.remove(self.place)


def build_root():
    """A root with all that the packages need to be built and tried."""
    return Root("buildd", sorted({*build_depends(), *BUILD_TOOLS}))


def _archive(variant, packages):
    """The tar archive of such a root, made if it is not in the cache."""
    key = hashlib.sha256(" ".join([variant, *packages, *SOURCES]).encode())
    place = tree.cache() / f"{SUITE}-{variant}-{key.hexdigest()[:12]}.tar"
    if not place.exists():
        for old in tree.cache().glob(f"{SUITE}-{variant}-*"):
            old.unlink()
        new = place.with_suffix(f".{os.getpid()}.tar")
        run = subprocess.run(
            ["mmdebstrap", "--mode=root", f"--variant={variant}",
             "--aptopt=APT::Install-Recommends \"false\"",
             "--dpkgopt=path-exclude=/usr/share/locale/*",
             f"--include={','.join(packages)}", SUITE, new, *SOURCES],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if run.returncode:
            new.unlink(missing_ok=True)
            raise DebianError(f"mmdebstrap failed:\n{run.stdout[-3000:]}")
        new.replace(place)
    return place


def main():
    target = Path(sys.argv[1] if len(sys.argv) > 1 else tree.BUILD / "deb")
    if problem():
        sys.exit(f"debian: {problem()}")
    target.mkdir(parents=True, exist_ok=True)
    root = build_root()
    try:
        tree.copy_source(root.path / "build/source")
        _, names = root.build("build/source")
        for name in names:
            shutil.copy(root.path / "build" / name, target)
            print(target / name)
    except DebianError as error:
        sys.exit(f"debian: {error}")
    finally:
        root.close()


if __name__ == "__main__":
    main()
