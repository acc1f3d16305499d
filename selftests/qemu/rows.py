# SPDX-License-Identifier: GPL-2.0-or-later
"""rows: the kernels of Debian's suites that the driver is held to.

fetch("6.12") finds the newest 6.12 that its suite has, and unpacks its image
and headers into the cache: nothing is installed. Each row is a name, the suite
and the flavour of Debian's kernel packages.
"""
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import root
import tree
from suites import Suite, SuiteError, locked, unpack


@dataclass(frozen=True)
class Row:
    suite: str
    flavour: str = "amd64"
    root: bool = False      # its tools need a newer libc and compiler: root.py


ROWS = {
    "5.10": Row("bullseye"),
    "6.1": Row("bookworm"),
    "6.1-cloud": Row("bookworm", "cloud-amd64"),
    "6.1-rt": Row("bookworm", "rt-amd64"),
    "6.12": Row("bookworm-backports"),
    "6.12-cloud": Row("bookworm-backports", "cloud-amd64"),
    "7.3": Row("trixie-backports", root=True),
    "7.3-cloud": Row("trixie-backports", "cloud-amd64", root=True),
}


CACHED = tree.cache() / "kernels"
#: Modules of the kernel's own that tests use: a disk in memory, and what drivers
#: in user space map a device with. Since 7.x they are in a package of their own,
#: too large to be fetched for these.
MODULES = ("drivers/block/brd.ko", "drivers/uio/uio.ko")


@dataclass
class Files:
    """What is in the cache of one kernel."""
    version: str            # "6.12.95+deb12-amd64"
    image: Path
    headers: Path
    root: Path = None       # to build in
    modules: Path = None    # the directory that has MODULES


def fetch(name):
    """The files of a row, downloaded if the cache lacks them; SuiteError."""
    row = ROWS[name]
    suite = Suite(row.suite)
    errors = []
    for meta in suite.show(f"linux-image-{row.flavour}"):
        version = _version(suite, meta)
        place = CACHED / version
        try:
            with locked(CACHED / f"{version}.lock"):
                if not _whole(place, meta):
                    _unpack(suite, version, meta["Version"], place)
                    (place / "row").write_text(name)
            return _files(row, version)
        except SuiteError as error:
            errors.append(str(error))   # an older one may still be there
    raise SuiteError("\n".join(errors))


def cached(version):
    """The files of a version if an earlier run has fetched it, or None."""
    row = CACHED / version / "row"
    return _files(ROWS[row.read_text()], version) if row.exists() else None


def _version(suite, meta):
    images = suite.depends(meta, r"linux-image-\d.*")
    if not images:
        raise SuiteError(f"{suite.name}: {meta['Package']} {meta['Version']}"
                         " depends on no image")
    return images[0].removeprefix("linux-image-")


def _stamp(package_version):
    return " ".join((package_version, *MODULES))


def _whole(place, meta):
    stamp = place / "package-version"
    return stamp.exists() and stamp.read_text() == _stamp(meta["Version"])


def _unpack(suite, version, package_version, place):
    """Image and headers of one version of the packages, or nothing."""
    with tempfile.TemporaryDirectory(dir=place.parent) as temporary:
        debs, new = Path(temporary, "debs"), Path(temporary, "new")
        debs.mkdir()
        new.mkdir()
        names = _packages(suite, version, package_version)
        for package in suite.download(names, debs):
            image = package.name.startswith(("linux-image", "linux-binary"))
            unpack(package, new, *(taken() if image else []))
        next(new.rglob("vmlinuz*")).rename(new / "vmlinuz")
        _relocate(new, place)
        (new / "package-version").write_text(_stamp(package_version))
        shutil.rmtree(place, ignore_errors=True)
        new.rename(place)
    (place / "vmlinuz").chmod(0o644)


def taken():
    """What is taken out of the package of an image, as patterns for tar."""
    return ["*/vmlinuz*", *(f"*/{name}*" for name in MODULES)]


def _packages(suite, version, package_version):
    """NAME=VERSION of each package that is needed. Since 7.x the image is in
    linux-binary."""
    headers = suite.show(f"linux-headers-{version}")
    headers = [stanza for stanza in headers
               if stanza["Version"] == package_version] or headers
    image = suite.depends(suite.show(f"linux-image-{version}")[0],
                          r"linux-binary-.*") or [f"linux-image-{version}"]
    names = [*image, f"linux-headers-{version}",
             *suite.depends(headers[0], r"linux-(headers|kbuild)-.*")]
    return [f"{name}={package_version}" for name in names]


def _relocate(new, place):
    """The headers' Makefile names the common ones by an absolute path."""
    for makefile in new.glob("usr/src/linux-headers-*/Makefile"):
        text = makefile.read_text()
        makefile.write_text(text.replace("/usr/src/", f"{place}/usr/src/"))


def _files(row, version):
    place = CACHED / version
    where = None
    if row.root:
        problem = root.problem()
        if problem:
            raise SuiteError(f"no namespaces to build in: {problem}")
        where = root.fetch()
    return Files(version, place / "vmlinuz",
                 place / "usr/src" / f"linux-headers-{version}", where,
                 place / "lib/modules" / version)
