# SPDX-License-Identifier: GPL-2.0-or-later
"""initramfs: what a guest runs: busybox, our programs, libraries, the module.

build() writes one gzipped cpio archive ("newc" format, which any kernel
unpacks) and needs neither root nor the cpio program. Archives may be
concatenated: a test can add files by a second one.
"""
import gzip
import os
import re
import shutil
import subprocess
from pathlib import Path

from tree import BUILD, TOP

HERE = Path(__file__).parent
ETC = {
    "etc/passwd": "root:x:0:0:root:/:/bin/sh\n"
                  "nobody:x:65534:65534:nobody:/:/bin/sh\n",
    "etc/group": "root:x:0:\nivshmem:x:100:\nnogroup:x:65534:\n",
    "etc/motd": "\nA guest with an ivshmem device. Try: ivshmemctl list\n"
                "Leave with Ctrl-A X.\n\n",
}
DIRECTORIES = ("bin", "dev", "etc", "lib", "lib64", "lib/modules", "proc",
               "sys", "tmp", "tests", "usr", "usr/share", "run")


class Archive:
    """A cpio archive in memory."""

    def __init__(self):
        self.parts = []
        self.names = set()

    def add(self, name, data=b"", mode=0o100755):
        for parent in reversed(Path(name).parents[:-1]):
            if str(parent) not in self.names:
                self.add(str(parent), mode=0o040755)
        if name in self.names:
            return
        self.names.add(name)
        self._entry(name, data, mode)

    def add_file(self, name, path):
        self.add(name, Path(path).read_bytes())

    def _entry(self, name, data, mode):
        fields = (len(self.names), mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0,
                  len(name) + 1, 0)
        head = "070701" + "".join(f"{field:08x}" for field in fields)
        self.parts += [_padded(head.encode() + name.encode() + b"\0"),
                       _padded(data)]

    def write(self, path, compress=True):
        self._entry("TRAILER!!!", b"", 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(f".{os.getpid()}")
        data = b"".join(self.parts)
        new.write_bytes(gzip.compress(data, 1, mtime=0) if compress else data)
        new.replace(path)


def _padded(data):
    return data + b"\0" * (-len(data) % 4)


def build(kernel, path):
    """Write the archive for guests that run kernel."""
    archive = Archive()
    for name in DIRECTORIES:
        archive.add(name, mode=0o040755)
    for name, text in ETC.items():
        archive.add(name, text.encode(), 0o100644)
    archive.add_file("init", HERE / "init.sh")
    archive.add_file("commands.sh", HERE / "commands.sh")
    archive.add_file("bin/busybox", kernel.busybox or _busybox())
    archive.add("bin/sh", b"busybox", 0o120777)
    for name, program in programs(kernel.arch.build):
        _add_program(archive, name, program)
    for module in filter(None, [kernel.module, *kernel.test_modules,
                                *kernel.own_modules()]):
        archive.add_file(f"lib/modules/{kernel.version}/{module.name}", module)
    archive.write(path)
    return path


def _busybox():
    for candidate in ("/bin/busybox", "/usr/bin/busybox"):
        if Path(candidate).exists():
            return candidate
    return shutil.which("busybox")


def programs(build):
    """(name in the guest, file) of everything that make built there for guests."""
    places = (("tools/ivshmemctl", "bin"), ("selftests/guest/*", "tests"),
              ("selftests/icount/*", "tests"),
              ("examples/*", "bin"), ("bench/*", "bin"))
    for pattern, directory in places:
        for path in sorted(build.glob(pattern)):
            if path.is_file() and _is_elf(path):
                yield f"{directory}/{path.name}", path
    for path in sorted((TOP / "selftests/guest").glob("*.sh")):
        yield f"tests/{path.name}", path


def _is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF" and path.suffix == ""


def _add_program(archive, name, path):
    archive.add_file(name, path)
    for library in libraries(path):
        add_library(archive, library)


def add_library(archive, library):
    archive.add_file(str(library).lstrip("/") if library.name.startswith(
        "ld-linux") else f"lib/{library.name}", library)


def libraries(path):
    """The shared libraries that a program needs, with its loader."""
    command = ["ldd", path]
    environment = {"LD_LIBRARY_PATH": str(BUILD / "lib"), "PATH": "/usr/bin:/bin"}
    text = subprocess.run(command, env=environment, text=True,
                          capture_output=True).stdout
    if "not found" in text:
        raise FileNotFoundError(f"{path} needs a library that is not here:\n{text}")
    return [Path(found) for found in re.findall(r"(/\S+) \(0x", text)]
