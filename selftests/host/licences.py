#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every file has an SPDX line, with the licence of its directory."""
import re
import shutil
import subprocess

import program
import tree
from scenario import skip

#: The first pattern that fits says which licence a file must have.
LICENCES = (
    (r"include/uapi/", "GPL-2.0-only WITH Linux-syscall-note"),
    (r"kernel/|selftests/modules/", "GPL-2.0-only"),
    (r"lib/Makefile", "GPL-2.0-or-later"),
    (r"lib/", "LGPL-2.1-or-later"),
    (r"", "GPL-2.0-or-later"),
)
#: Files that cannot have the line, or are shown to users as they are. For these
#: debian/copyright says it.
WITHOUT = (r"LICENSES/", r"docs/benchmarks", r"VERSION$", r"NEWS$", r".*\.md$", r"docs/ABI/",
           r"debian/(changelog|control|copyright|source/|.*\.\w+$)",
           r".*\.gitignore$")


def tracked():
    if not shutil.which("git") or not (tree.TOP / ".git").exists():
        skip("not a git clone, or no git")
    names = subprocess.run(["git", "-c", "safe.directory=*", "ls-files"],
                           cwd=tree.TOP, capture_output=True, text=True,
                           check=True).stdout.split("\n")
    return [name for name in names if name and (tree.TOP / name).is_file()]


def licence(name):
    text = (tree.TOP / name).read_text(errors="replace")
    found = re.search(r"SPDX-License-Identifier: ([\w.+-]+(?: WITH [\w-]+)?)", text)
    return found[1] if found else None


def test_every_file_has_the_licence_of_its_directory():
    wrong = []
    for name in tracked():
        if any(re.match(pattern, name) for pattern in WITHOUT):
            continue
        wanted = next(value for pattern, value in LICENCES
                      if re.match(pattern, name))
        if licence(name) != wanted:
            wrong.append(f"{name}: {licence(name)}, should be {wanted}")
    assert not wrong, "\n".join(wrong)


def test_the_line_is_at_the_top():
    late = [name for name in tracked() if licence(name)
            and not name.endswith((".abi", ".md"))
            and "SPDX-License-Identifier" not in
            "".join((tree.TOP / name).read_text().splitlines(True)[:3])]
    assert not late, late


def test_every_licence_has_its_text():
    used = {part for name in tracked() if licence(name)
            for part in licence(name).split(" WITH ")}
    texts = {path.stem for path in (tree.TOP / "LICENSES").glob("*.txt")}
    assert used == texts, (used, texts)


program.main()
