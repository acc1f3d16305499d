# SPDX-License-Identifier: GPL-2.0-or-later
"""rows: the kernels of Debian's suites that the driver is held to.

fetch("6.12") finds the newest 6.12 that its suite has, and unpacks its image
and headers into the cache: nothing is installed. Each row is a name, the suite
and the flavour of Debian's kernel packages. For BUILT, kernels of processors that
guests cannot have, there are headers alone.
"""
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import root
import tree
from arch import AMD64, ARM64, ARMHF, I386, PPC64, Arch
from suites import Suite, SuiteError, locked, unpack


@dataclass(frozen=True)
class Row:
    suite: str
    flavour: str = "amd64"
    arch: Arch = AMD64
    root: bool = False      # its tools need a newer libc and compiler: root.py
    big_endian: bool = False    # as Debian's is not: see _turn()


ROWS = {
    "5.10": Row("bullseye"),
    "5.10-cloud": Row("bullseye", "cloud-amd64"),
    "5.10-rt": Row("bullseye", "rt-amd64"),
    "6.1": Row("bookworm"),
    "6.1-cloud": Row("bookworm", "cloud-amd64"),
    "6.1-rt": Row("bookworm", "rt-amd64"),
    "6.1-arm64": Row("bookworm", "arm64", ARM64),
    "6.1-armhf": Row("bookworm-release", "armmp", ARMHF),
    "6.12": Row("bookworm-backports"),
    "6.12-cloud": Row("bookworm-backports", "cloud-amd64"),
    "6.12-rt": Row("bookworm-backports", "rt-amd64"),
    "7.3": Row("trixie-backports", root=True),
    "7.3-cloud": Row("trixie-backports", "cloud-amd64", root=True),
    "7.3-rt": Row("trixie-backports", "rt-amd64", root=True),
}

BUILT = {
    "6.1-i386": Row("bookworm-release", "686-pae", I386),
    "6.1-ppc64": Row("bookworm-release", "powerpc64le", PPC64, big_endian=True),
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
    image: Path             # None if there are headers alone
    headers: Path
    root: Path = None       # to build in
    modules: Path = None    # the directory that has MODULES
    arch: Arch = AMD64
    busybox: Path = None    # if it is not the host's


def fetch(name):
    """The files of a row, downloaded if the cache lacks them; SuiteError."""
    row = _row(name)
    if problem := row.arch.problem():
        raise SuiteError(problem)
    suite = Suite(row.suite, row.arch.name)
    errors = []
    for meta in suite.show(f"linux-headers-{row.flavour}"):
        version = _version(suite, meta)
        place = CACHED / version
        try:
            with locked(CACHED / f"{version}.lock"):
                if not _whole(place, meta):
                    _unpack(row, suite, version, meta["Version"], place)
                    (place / "row").write_text(name)
            return _files(row, version)
        except SuiteError as error:
            errors.append(str(error))   # an older one may still be there
    raise SuiteError("\n".join(errors))


def cached(version):
    """The files of a version if an earlier run has fetched it, or None."""
    row = CACHED / version / "row"
    return _files(_row(row.read_text()), version) if row.exists() else None


def _row(name):
    return ROWS.get(name) or BUILT[name]


def _version(suite, meta):
    headers = suite.depends(meta, r"linux-headers-\d.*")
    if not headers:
        raise SuiteError(f"{suite.name}: {meta['Package']} {meta['Version']}"
                         " depends on no headers")
    return headers[0].removeprefix("linux-headers-")


def _stamp(package_version):
    return " ".join((package_version, *MODULES))


def _whole(place, meta):
    stamp = place / "package-version"
    return stamp.exists() and stamp.read_text() == _stamp(meta["Version"])


def _unpack(row, suite, version, package_version, place):
    """Image and headers of one version of the packages, or nothing."""
    with tempfile.TemporaryDirectory(dir=place.parent) as temporary:
        debs, new = Path(temporary, "debs"), Path(temporary, "new")
        debs.mkdir()
        new.mkdir()
        _download(suite, version, package_version, debs,
                  bool(row.arch.qemu))
        for package in debs.glob("*.deb"):
            unpack(package, new, *_wanted(package.name))
        for image in list(new.rglob("vmlinuz*")):
            image.rename(new / "vmlinuz").chmod(0o644)
        _relocate(new, place)
        if row.big_endian:
            _turn(new)
        (new / "package-version").write_text(_stamp(package_version))
        shutil.rmtree(place, ignore_errors=True)
        new.rename(place)


def taken():
    """What is taken out of the package of an image, as patterns for tar."""
    return ["*/vmlinuz*", *(f"*/{name}*" for name in MODULES)]


def _download(suite, version, package_version, debs, with_image):
    """Each package that is needed, in that version. For another processor the
    tools of the headers, which run here, are this one's."""
    headers = suite.show(f"linux-headers-{version}")
    headers = [stanza for stanza in headers
               if stanza["Version"] == package_version] or headers
    names = [f"linux-headers-{version}",
             *suite.depends(headers[0], r"linux-headers-.*")]
    if with_image:
        names += _image(suite, version)
    tools = suite.depends(headers[0], r"linux-kbuild-.*")
    if suite.arch == AMD64.name:
        names += tools
    else:
        Suite(suite.name).download(tools, debs)
        suite.download(["busybox-static"], debs)
    suite.download([f"{name}={package_version}" for name in names], debs)


def _image(suite, version):
    """Since 7.x it is in linux-binary."""
    return suite.depends(suite.show(f"linux-image-{version}")[0],
                         r"linux-binary-.*") or [f"linux-image-{version}"]


def _wanted(package):
    """What of a package is unpacked, as patterns; all if there are none."""
    if package.startswith(("linux-image", "linux-binary")):
        return taken()
    return ["*/bin/busybox"] if package.startswith("busybox") else []


def _relocate(new, place):
    """The headers' Makefile names the common ones by an absolute path."""
    for makefile in new.glob("usr/src/linux-headers-*/Makefile"):
        text = makefile.read_text()
        makefile.write_text(text.replace("/usr/src/", f"{place}/usr/src/"))


def _turn(new):
    """The headers of little-endian powerpc, for kernels that are big-endian."""
    for name in ("include/config/auto.conf", "include/generated/autoconf.h"):
        path, = new.glob(f"usr/src/linux-headers-*-powerpc64le/{name}")
        text = path.read_text()
        path.write_text(text.replace("CPU_LITTLE_ENDIAN", "CPU_BIG_ENDIAN")
                        .replace("PPC64_ELF_ABI_V2", "PPC64_ELF_ABI_V1"))


def _files(row, version):
    place = CACHED / version
    where = None
    if row.root:
        problem = root.problem()
        if problem:
            raise SuiteError(f"no namespaces to build in: {problem}")
        where = root.fetch()
    return Files(version, place / "vmlinuz" if row.arch.qemu else None,
                 place / "usr/src" / f"linux-headers-{version}", where,
                 place / "lib/modules" / version, row.arch,
                 place / "bin/busybox" if row.arch.cross else None)
