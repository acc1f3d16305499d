# SPDX-License-Identifier: GPL-2.0-or-later
"""RPM and Arch packages, as far as Debian's tools can tell: the files in
packaging/ are well-formed, and what they install is what they list."""
import functools
import os
import shutil
import subprocess

import tree
from scenario import full, skip

VERSION = (tree.TOP / "VERSION").read_text().strip()
SPEC = tree.TOP / "packaging/ivshmem-guest.spec"
PKGBUILD = tree.TOP / "packaging/PKGBUILD"
#: What make hands to its children, and would mislead another make.
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if name in ("PATH", "HOME", "LANG")}


def run(*command, **options):
    """What a command printed; an error if it failed."""
    if not shutil.which(command[0]):
        skip(f"no {command[0]}")
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=ENVIRONMENT, **options)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def in_scratch(check):
    place = tree.scratch()
    try:
        check(place)
    finally:
        tree.remove(place)


def test_the_rpm_spec_is_parsed():
    text = run("rpmspec", "-P", SPEC)
    assert f"Version:        {VERSION}" in text, text[:500]
    assert "/usr/lib/udev/rules.d/60-ivshmem.rules" in text


def test_rpmlint_finds_nothing_in_the_rpm_spec():
    output = run("rpmlint", "-c", SPEC.with_name("rpmlint.toml"), SPEC)
    assert "0 errors, 0 warnings" in output, output


@full
def test_rpm_packages_are_built_and_have_every_file():
    def check(place):
        source = place / f"ivshmem-guest-{VERSION}"
        tree.copy_source(source)
        run("tar", "czf", f"{source}.tar.gz", source.name, cwd=place)
        # --nodeps: its build dependencies have other names in Debian.
        run("rpmbuild", "-tb", "--nodeps", "--define", f"_topdir {place}/rpm",
            f"{source}.tar.gz")
        packages = list(place.glob("rpm/RPMS/*/*.rpm"))
        files = run("rpm", "-qlp", *packages).split()
        assert len([path for path in packages if "debug" not in path.name]) == 5
        assert {"/usr/bin/ivshmemctl", "/usr/sbin/ivshmemd",
                f"/usr/src/ivshmem-guest-{VERSION}/dkms.conf"} <= set(files), files
    in_scratch(check)


@functools.cache
def functions():
    """What PKGBUILD sets: its version, and the names of its packages."""
    return run("bash", "-c", f". {PKGBUILD} && echo $pkgver ${{pkgname[*]}}").split()


def test_the_pkgbuild_has_the_version_and_a_function_for_each_package():
    version, *names = functions()
    assert version == VERSION
    for name in names:
        run("bash", "-c", f". {PKGBUILD} && declare -F package_{name}")


@full
def test_arch_packages_have_every_file():
    def check(place):
        tree.copy_source(place / f"ivshmem-guest-{VERSION}")
        steps = ["build"] + [f"pkgdir={place}/packages package_{name}"
                             for name in functions()[1:]]
        for step in steps:
            run("bash", "-ec", f". {PKGBUILD}; {step}", cwd=place)
        files = {str(path.relative_to(place / "packages"))
                 for path in (place / "packages").rglob("*")}
        assert {"usr/bin/ivshmemctl", "usr/bin/ivshmemd",
                "usr/lib/libivshmem.so.0", "usr/lib/udev/rules.d/60-ivshmem.rules",
                f"usr/src/ivshmem-guest-{VERSION}/dkms.conf"} <= files, files
    in_scratch(check)
