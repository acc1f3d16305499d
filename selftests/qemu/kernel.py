# SPDX-License-Identifier: GPL-2.0-or-later
"""kernel: the kernels that guests boot, and our module built for each.

A kernel is a version, an image and headers. On Debian and Ubuntu the image of
the running kernel is taken if its headers are there; else that of the newest
installed headers, downloaded and unpacked into the cache. A name such as "5.10"
means a kernel of another suite: see rows.py. No kernel is ever installed on the
host. Run as a program it prints the image, fetching it.
"""
import getpass
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import debugkernel
import root
import rows
import tree
from arch import AMD64
from suites import SuiteError, locked, unpack

#: The kernel that finds bugs, for coverage.py: the checks of UBSAN are branches too.
COUNTED = "counted"
FLAVOURS = ("amd64", "generic", "virtual", "cloud-amd64", "rt-amd64")


class KernelError(Exception):
    """There is no such kernel, or it could not be fetched or built for."""


class Kernel:
    def __init__(self, version, headers, image=None, root=None, modules=None,
                 arch=AMD64, busybox=None):
        self.version = version
        self.arch = arch
        self.busybox = busybox  # for its guests, if not the host's
        self.headers = Path(headers)
        self.image = image
        self.root = root        # to compile in, see root.py
        self.modules = modules  # the directory that has its own ones
        self.module = None
        self.test_modules = []  # of selftests/modules
        self.counted = False    # the module's branches are its source's alone

    @property
    def place(self):
        """Where the module is built for it, and what its guests boot."""
        return tree.BUILD / "kernels" / (self.version
                                         + ("-counted" if self.counted else ""))

    def fetch(self):
        """Make sure that the image is there; its path."""
        if self.image:
            return self.image
        boot = Path("/boot") / f"vmlinuz-{self.version}"
        if os.access(boot, os.R_OK):
            self.image = boot
            self.modules = Path("/lib/modules") / self.version
        else:
            place = tree.cache() / f"kernel-{self.version}"
            self.image, self.modules = place / "vmlinuz", place
            if not place.exists():
                _download(self.version, place)
        return self.image

    def own_modules(self):
        """Those of rows.MODULES that came with the kernel."""
        return [path for name in rows.MODULES if self.modules
                for path in self.modules.glob(f"kernel/{name}*")]

    def build_module(self, with_tests=True):
        """Build ivshmem_guest.ko, and the tests' modules, in a copy; its path."""
        self.place.mkdir(parents=True, exist_ok=True)
        with locked(self.place / "lock"):
            return self._build_module(self.place, with_tests)

    def _build_module(self, place, with_tests):
        for name in ("kernel", "include", "selftests/modules"):
            _copy_changed(tree.TOP / name, place / name)
        shutil.copy2(tree.TOP / "VERSION", place)
        status, output = self.make(place, "kernel")
        (place / "build.log").write_text(output)
        if with_tests:
            self._build_test_modules(place)
        self.module = place / "kernel" / "ivshmem_guest.ko"
        if status or not self.module.exists() or warnings(output):
            self.module = None
            raise KernelError(f"the module does not build for {self.version}"
                              f" without a warning:\n{output[-3000:]}")
        return self.module

    def _build_test_modules(self, place):
        """What does not build is not there: the tests that need it fail."""
        output = self.make(place, "selftests/modules")[1]
        (place / "test-modules.log").write_text(output)
        self.test_modules = sorted((place / "selftests/modules").glob("*.ko"))

    def make(self, place, directory, *more):
        """Run make there, with more words: (status, what it printed)."""
        words = ["make", f"-j{os.cpu_count()}", "-C", place / directory,
                 f"KDIR={self.headers}", *more]
        if debugkernel.DIRECTORY in self.headers.parents:
            words += debugkernel.MAKE
        if self.counted:
            words.append("UBSAN_SANITIZE=n")
        if rows.CACHED in self.headers.parents:
            # Without pahole; and the compiler by the name that it has here.
            words += ["CONFIG_DEBUG_INFO_BTF_MODULES=",
                      f"CC={root.COMPILER if self.root else 'gcc'}"]
        if self.arch.cross:
            words += [f"ARCH={self.arch.kbuild}", *self.arch.make_words(),
                      f"CROSS_COMPILE={self.arch.cross}"]
        options = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       env={**os.environ, "MAKEFLAGS": "", "MFLAGS": ""})
        if self.root:
            run = root.run(self.root, (place, rows.CACHED), [*words, "modules"],
                           **options)
        else:
            run = subprocess.run([*words, "modules"], **options)
        return run.returncode, run.stdout


def warnings(output):
    """Not that the kernel was built with other tools: it was, as at users'."""
    return [line for line in output.splitlines() if "warning:" in line
            and "differs from the one used to build the kernel" not in line]


def find(version=None):
    """The kernel of a version or a row, or the one that guests boot by default."""
    if version in (*rows.ROWS, *rows.BUILT):
        return _row(rows.fetch, version)
    if version in debugkernel.NAMES:
        return _row(debugkernel.cached, version)
    if version == COUNTED:
        found = find("debug")
        found.counted = True
        return found
    known = _installed_headers()
    if version and version not in known and rows.cached(version):
        return _row(rows.cached, version)
    if not version:
        version = next(iter(known), None)
    if version not in known:
        raise KernelError(f"no headers for kernel {version or '(any)'} in "
                          "/usr/src: run scripts/setup, or ask for one of "
                          + ", ".join(rows.ROWS))
    return Kernel(version, known[version])


def _row(get, name):
    """A kernel that rows.py has."""
    try:
        files = get(name)
    except (SuiteError, OSError) as error:
        raise KernelError(f"kernel {name} cannot be had: {error}") from None
    return Kernel(files.version, files.headers, files.image, files.root,
                  files.modules, files.arch, files.busybox)


def _installed_headers():
    """{version: directory}, the preferred first."""
    found = {}
    running = os.uname().release
    build = Path("/lib/modules") / running / "build"
    if build.exists() and os.access(f"/boot/vmlinuz-{running}", os.R_OK):
        found[running] = build
    headers = [path for path in Path("/usr/src").glob("linux-headers-*")
               if path.name.endswith(FLAVOURS) and (path / "Makefile").exists()]
    for path in sorted(headers, key=_rank):
        found.setdefault(path.name.removeprefix("linux-headers-"), path)
    return found


def _rank(path):
    """Plain flavours first, then the newest."""
    plain = not re.search(r"-(cloud|rt)-", path.name)
    numbers = [int(number) for number in re.findall(r"\d+", path.name)]
    return not plain, [-number for number in numbers]


def _copy_changed(source, target):
    """Copy a tree, leaving alone what is unchanged so that make sees that."""
    for path in source.rglob("*"):
        if path.is_dir() or path.suffix in (".o", ".ko", ".cmd", ".mod"):
            continue
        copy = target / path.relative_to(source)
        if copy.exists() and copy.read_bytes() == path.read_bytes():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _download(version, place):
    """Take the image and rows.MODULES out of the distribution's package."""
    with tempfile.TemporaryDirectory(dir=tree.cache()) as temporary:
        temporary = Path(temporary)
        get = subprocess.run(
            ["apt-get", "-o", "Debug::NoLocking=1", "-o",
             f"APT::Sandbox::User={getpass.getuser()}", "download",
             f"linux-image-{version}"],
            cwd=temporary, capture_output=True, text=True)
        packages = list(temporary.glob("*.deb"))
        if get.returncode or not packages:
            raise KernelError(f"cannot download linux-image-{version}:\n"
                              + get.stderr)
        unpack(packages[0], temporary, *rows.taken())
        new = temporary / "new"
        next(temporary.glob("lib/modules/*")).rename(new)
        next(temporary.rglob("vmlinuz*")).rename(new / "vmlinuz")
        (new / "vmlinuz").chmod(0o644)
        if not place.exists():
            new.rename(place)


def main():
    try:
        print(find(sys.argv[1] if len(sys.argv) > 1 else None).fetch())
    except KernelError as error:
        sys.exit(f"kernel: {error}")


if __name__ == "__main__":
    main()
