# SPDX-License-Identifier: GPL-2.0-or-later
"""root: a newer Debian's compiler, for kernels whose tools need its libc.

A directory in the cache into which packages were unpacked, no more: it is not
installed and runs no maintainer script. Commands run in namespaces of their own,
so that nothing stays mounted, and need no root where users may make namespaces.
"""
import os
import subprocess
import tempfile
from pathlib import Path

import suites
import tree

SUITE = "trixie"
COMPILER = "gcc-14"
PACKAGES = (COMPILER, "make", "dash", "bash", "mawk", "sed", "grep", "findutils",
            "coreutils", "perl-base", "diffutils", "libelf1t64", "libssl3t64",
            "zlib1g", "libzstd1")

#: $1 the root, then the directories to be seen in it, "--", and the command.
RUN = """
root=$1; shift
mount --rbind /dev "$root/dev" || exit
while [ "$1" != -- ]; do
	mkdir -p "$root/$1" && mount --bind "$1" "$root/$1" || exit
	shift
done
shift
exec chroot "$root" "$@"
"""


def fetch():
    """The root, made if it is not in the cache."""
    place = tree.cache() / "roots" / SUITE
    with suites.locked(tree.cache() / "roots" / "lock"):
        if not place.exists():
            _make(place)
    return place


def _make(place):
    with tempfile.TemporaryDirectory(dir=place.parent) as temporary:
        debs, new = Path(temporary, "debs"), Path(temporary, "root")
        for path in (debs, new):
            path.mkdir(parents=True)
        for package in suites.Suite(SUITE).download_all(PACKAGES, debs):
            suites.unpack(package, new)
        (new / "usr/bin/awk").symlink_to("mawk")
        new.rename(place)


def run(root, directories, command, **options):
    """subprocess.run() of a command that sees the root and some directories."""
    return subprocess.run(
        [*_unshare(), f"--mount-proc={root}/proc", "sh", "-c", RUN, "sh", root,
         *directories, "--", *command], **options)


def _unshare():
    """As root in namespaces of its own."""
    user = [] if os.getuid() == 0 else ["--map-root-user"]
    return ["unshare", *user, "--mount", "--pid", "--fork"]


def problem():
    """Why commands cannot run in a root here, or None."""
    test = subprocess.run([*_unshare(), "true"], capture_output=True, text=True)
    return test.stderr.strip() if test.returncode else None
