# SPDX-License-Identifier: GPL-2.0-or-later
"""What README.md shows is what there is."""
import re

import tree
from machine import Machine, Plain
from scenario import guests


def test_the_program_in_the_readme_is_the_example():
    shown = re.search(r"```c\n(.*?)```", (tree.TOP / "README.md").read_text(),
                      re.S).group(1)
    licence, example = (tree.TOP / "examples/hello.c").read_text().split("\n", 1)
    assert licence.startswith("// SPDX"), licence
    assert shown == example
    assert shown.count("\n") <= 12


@guests(guest=Machine(Plain()))
def test_the_program_in_the_readme_says_hello(guest):
    guest.output("hello")
    assert guest.output("ivshmemctl read 0 19") == "hello from a guest\n"


def test_the_version_is_the_same_everywhere():
    version = (tree.TOP / "VERSION").read_text().strip()
    for file, line in (("dkms.conf", f'PACKAGE_VERSION="{version}"'),
                       ("kernel/pci.c", f'MODULE_VERSION("{version}")'),
                       ("NEWS", f"{version} "),
                       ("debian/changelog", f"ivshmem-guest ({version})"),
                       ("packaging/ivshmem-guest.spec",
                        f"Version:        {version}\n"),
                       ("packaging/PKGBUILD", f"pkgver={version}\n")):
        assert line in (tree.TOP / file).read_text(), f"{file} lacks {line}"
    assert f"Version: {version}\n" in tree.built("lib/libivshmem.pc").read_text()
    first = (tree.TOP / "debian/changelog").read_text().split(")", 1)[0]
    assert first == f"ivshmem-guest ({version}", first


def test_the_messages_in_the_readme_are_what_our_programs_say():
    """What stands in the first column and is not another program's."""
    others = ("QEMU:", "modprobe:", "Key was rejected", "nothing fails", "a peer is")
    section = (tree.TOP / "README.md").read_text().split("## When it fails")[1]
    messages = re.findall(r"^\| ([^|]+) \|", section.split("\n## ")[0], re.M)[2:]
    ours = [message.strip("`") for message in messages
            if not message.strip("`").startswith(others)]
    sources = "".join(path.read_text() for directory in ("kernel", "tools")
                      for path in sorted((tree.TOP / directory).glob("*.c")))
    assert len(ours) >= 6 and len(ours) < len(messages), messages
    for message in ours:
        assert message.removeprefix("ivshmemctl: device: ") in sources, message
