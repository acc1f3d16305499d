# SPDX-License-Identifier: GPL-2.0-or-later
"""tree: where things are, and how long to wait for them.

Every other module asks here for paths and limits. $O is the build directory,
as for make; $XDG_CACHE_HOME holds what was downloaded and outlives a clone.
"""
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("O") or TOP / "build").resolve()
LOGS = BUILD / "logs"

MIB = 1 << 20
GIB = 1 << 30


def cache():
    """The directory for downloads, made when it is first asked for."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "ivshmem-guest"
    path.mkdir(parents=True, exist_ok=True)
    return path


def limit(seconds):
    """A limit on waiting: ten times the usual time, more on a busy machine."""
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    return 10 * seconds * max(1.0, load)


def scratch():
    """A new directory with a path short enough for UNIX sockets."""
    return Path(tempfile.mkdtemp(prefix="ivshmem-"))


def remove(path):
    shutil.rmtree(path, ignore_errors=True)


def copy_source(target):
    """What git knows, and what is new and not ignored, as it is now."""
    names = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z",
                            "--cached", "--others", "--exclude-standard"],
                           cwd=TOP, check=True, capture_output=True).stdout
    for name in filter(None, names.decode().split("\0")):
        if (TOP / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, target / name, follow_symlinks=False)


def built(name):
    """What make put at $O/name, or None."""
    path = BUILD / name
    return path if path.exists() else None
