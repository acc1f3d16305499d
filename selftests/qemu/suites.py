# SPDX-License-Identifier: GPL-2.0-or-later
"""suites: packages of Debian's suites, whatever the host itself runs.

Each suite has apt lists of its own in the cache, checked against Debian's
archive key; the host's lists and packages are neither used nor changed, and
nothing needs root. Versions come from the lists, which are fetched again when
they are a day old, or when the mirror no longer has what they name.
"""
import fcntl
import getpass
import os
import re
import subprocess
import time
from contextlib import contextmanager

import tree

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEBIAN = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"
#: The first source is asked first when versions are equal.
SOURCES = {
    "bullseye": ((SECURITY, "bullseye-security"), (DEBIAN, "bullseye")),
    "bookworm": ((SECURITY, "bookworm-security"), (DEBIAN, "bookworm")),
    # Of other processors than these two the mirrors' updates are not always whole.
    "bookworm-release": ((DEBIAN, "bookworm"),),
    "bookworm-backports": ((DEBIAN, "bookworm-backports"),),
    "trixie": ((SECURITY, "trixie-security"), (DEBIAN, "trixie")),
    "trixie-backports": ((DEBIAN, "trixie-backports"),),
    "trixie-and-backports": ((SECURITY, "trixie-security"), (DEBIAN, "trixie"),
                             (DEBIAN, "trixie-backports")),
}
DAY = 24 * 60 * 60

CONFIGURATION = """\
Dir::State::lists "{place}/lists";
Dir::State::status "{place}/status";
Dir::Cache "{place}";
Dir::Etc::sourcelist "{place}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "{arch}";
#clear APT::Architectures;
APT::Architectures {{ "{arch}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "{user}";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
Acquire::Retries "5";
Debug::NoLocking "1";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Update::Pre-Invoke;
"""


class SuiteError(Exception):
    """The suite has no such package, or it cannot be had; says why."""


@contextmanager
def locked(path):
    """Only one process at a time is inside, for one path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Suite:
    def __init__(self, name, arch="amd64"):
        self.name = name
        self.arch = arch
        self.place = tree.cache() / "apt" / f"{name}-{arch}"
        self.updated = False
        with locked(self.place / "lock"):
            self._prepare()
            self._update()

    def _prepare(self):
        for name in ("lists/partial", "archives/partial"):
            (self.place / name).mkdir(parents=True, exist_ok=True)
        (self.place / "status").write_text("")
        (self.place / "sources.list").write_text("".join(
            f"deb [arch={self.arch} signed-by={KEYRING}] {url} {suite} main\n"
            for url, suite in SOURCES[self.name]))
        (self.place / "apt.conf").write_text(CONFIGURATION.format(
            place=self.place, arch=self.arch, user=getpass.getuser()))

    def _apt(self, *words, cwd=None):
        """Run apt-get or apt-cache: (succeeded, what it printed, its errors)."""
        program, *rest = words
        try:
            run = subprocess.run([program, "-c", self.place / "apt.conf", *rest],
                                 cwd=cwd, capture_output=True, text=True)
        except OSError as error:
            raise SuiteError(f"no {program}: {error}") from None
        return run.returncode == 0, run.stdout, run.stderr

    def _update(self, force=False):
        """Fetch the lists, unless that was done today."""
        stamp = self.place / "updated"
        fresh = stamp.exists() and time.time() - stamp.stat().st_mtime < DAY
        if fresh and not force:
            return
        done, _, errors = self._apt("apt-get", "-q", "--error-on=any", "update")
        self.updated = True
        if done:
            stamp.touch()
        elif not stamp.exists():
            raise SuiteError(f"{self.name}: apt-get update: {errors[-800:]}")

    def show(self, package):
        """The versions of a package, newest first: dicts of its fields."""
        text = self._apt("apt-cache", "show", package)[1]
        found = [dict(re.findall(r"^([A-Z][\w-]*): (.*)$", stanza, re.M))
                 for stanza in text.split("\n\n") if stanza.strip()]
        found = [stanza for stanza in found if stanza["Package"] == package]
        if not found:
            raise SuiteError(f"{self.name} has no package {package}"
                             f" for {self.arch}")
        return found

    def depends(self, stanza, pattern):
        """The packages that one version needs and whose names match."""
        names = re.findall(r"(?:^|[,|]) *([a-z0-9][a-z0-9.+-]*)",
                           stanza.get("Depends", ""))
        return [name for name in names if re.fullmatch(pattern, name)]

    def download(self, packages, place):
        """Put the .deb files of packages, each NAME=VERSION, into a directory."""
        done, _, errors = self._apt("apt-get", "-q", "download", *packages,
                                    cwd=place)
        if not done and not self.updated:
            with locked(self.place / "lock"):
                self._update(force=True)
            done, _, errors = self._apt("apt-get", "-q", "download", *packages,
                                        cwd=place)
        if not done:
            raise SuiteError(f"{self.name}: cannot download "
                             f"{' '.join(packages)}: {errors[-800:]}")
        return sorted(place.glob("*.deb"))

    def download_all(self, packages, place, release=""):
        """The same, with everything that they depend on, of a release first."""
        (place / "partial").mkdir()
        done, _, errors = self._apt(
            "apt-get", "-q", "-y", "-o", f"Dir::Cache::archives={place}",
            "-o", f"APT::Default-Release={release}",
            "--download-only", "install", *packages)
        if not done:
            raise SuiteError(f"{self.name}: cannot download "
                             f"{' '.join(packages)}: {errors[-800:]}")
        return sorted(place.glob("*.deb"))


def unpack(package, place, *patterns):
    """Unpack a .deb, or what matches the patterns of tar, into a directory; a
    pattern that nothing matches is no error."""
    take = ["--wildcards", *patterns] if patterns else []
    with subprocess.Popen(["dpkg", "--fsys-tarfile", package],
                          stdout=subprocess.PIPE) as source:
        run = subprocess.run(
            ["tar", "x", "--no-same-owner", "-C", place, *take],
            stdin=source.stdout, capture_output=True, text=True,
            env={**os.environ, "LC_ALL": "C"})
    problems = [line for line in run.stderr.splitlines()
                if not re.search("Not found in archive|Exiting with failure", line)]
    if source.returncode or problems or run.returncode not in (0, 2):
        raise SuiteError(f"cannot unpack {package.name}: {run.stderr[-500:]}")
