# SPDX-License-Identifier: GPL-2.0-or-later
"""python: the host's Python for a guest, as a second archive after the initramfs.

Taken along is the interpreter, and of its standard library the modules that the
programs in examples/ import: those that the host's Python itself has loaded when
it has imported them, and ctypes, for the system calls of a test.
"""
import os
import subprocess
import sys
from pathlib import Path

import initramfs
import tree

PROGRAMS = sorted((tree.TOP / "examples").glob("*.py"))

LOADED = """
import ctypes, importlib.util, sys
for path in sys.argv[1:]:
    spec = importlib.util.spec_from_file_location("example", path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
import encodings.utf_8, encodings.ascii, encodings.latin_1
for module in list(sys.modules.values()):
    print(getattr(module, "__file__", None) or "")
"""


def initrd(stage):
    """The archive for a guest: what all have, then Python and the programs."""
    path = stage.initrd.with_name("initramfs-python.gz")
    archive = initramfs.Archive()
    interpreter = Path(os.path.realpath(sys.executable))
    for file in {interpreter, *_modules()}:
        archive.add_file(str(file).lstrip("/"), file)
        if file.suffix in ("", ".so") or ".so." in file.name or file == interpreter:
            for library in initramfs.libraries(file):
                initramfs.add_library(archive, library)
    archive.add("bin/python3", str(interpreter).encode(), 0o120777)
    for program in PROGRAMS:
        archive.add_file(f"bin/{program.name}", program)
    archive.write(path)
    path.write_bytes(stage.initrd.read_bytes() + path.read_bytes())
    return path


def _modules():
    """The files that Python has loaded with the programs imported."""
    run = subprocess.run([sys.executable, "-I", "-S", "-c", LOADED, *PROGRAMS],
                         capture_output=True, text=True, check=True)
    files = {Path(line) for line in run.stdout.splitlines() if line}
    return {file for file in files if file.exists() and file not in PROGRAMS}
