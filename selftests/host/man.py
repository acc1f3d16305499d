#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The man pages: they are well-formed, complete, and say what is true.

Each entry of an ERRORS section is followed by a comment that names the test
which proves it: "; test: FILE NAME", FILE below selftests/.
"""
import re
import shutil
import subprocess

import program
import tree
from discover import has_test
from scenario import skip

MAN = tree.TOP / "man"
PAGES = sorted(MAN.glob("*.scd"))
#: What mandoc says of everything that scdoc writes.
SCDOC_NOISE = "skipping paragraph macro"


def section(page, title):
    """The text of one section of a page."""
    found = re.search(rf"^# {title}\n(.*?)(?=^# |\Z)", page.read_text(),
                      re.M | re.S)
    return found[1] if found else ""


def plain(text):
    """Without the marks of scdoc, in one line."""
    text = re.sub(r"(?<!\\)\*|(?<!\w)_|_(?!\w)", "", text)
    return " ".join(text.replace("\\", "").split())


def entries(page):
    """(what, causes, tests) of each entry of ERRORS."""
    pattern = r"^(\S.*)\n((?:\t.*\n)+)((?:; test: .*\n)*)"
    return [(plain(what), plain(cause), re.findall(r"; test: (\S+) (\S+)", tests))
            for what, cause, tests in
            re.findall(pattern, section(page, "ERRORS"), re.M)]


def agree(what, ours, theirs, where):
    ours, theirs = set(ours), set(theirs)
    assert ours == theirs, (f"{what}: only in the man page {sorted(ours - theirs)},"
                            f" only in {where} {sorted(theirs - ours)}")


def test_every_page_is_built():
    for page in PAGES:
        assert tree.built(f"man/{page.stem}"), f"{page.stem} is not built: make man"


def test_every_page_has_its_name_and_the_usual_sections():
    for page in PAGES:
        text = page.read_text()
        name, number = page.stem.rsplit(".", 1)
        assert text.startswith(f"{name}({number})\n"), page.name
        for title in ("NAME", "SYNOPSIS", "DESCRIPTION", "SEE ALSO"):
            if title != "SYNOPSIS" or number != "7":
                assert section(page, title), f"{page.name} has no {title}"


def test_mandoc_finds_nothing_wrong():
    if not shutil.which("mandoc"):
        skip("no mandoc")
    wrong = []
    for page in PAGES:
        run = subprocess.run(["mandoc", "-T", "lint", "-W", "warning",
                              tree.BUILD / "man" / page.stem],
                             capture_output=True, text=True)
        wrong += [line for line in (run.stdout + run.stderr).splitlines()
                  if SCDOC_NOISE not in line]
    assert not wrong, "\n".join(wrong)


def test_every_reference_to_our_pages_leads_somewhere():
    ours = r"\*((?:lib)?ivsh\w+)\*\((\d)\)"
    for page in PAGES:
        for name, number in re.findall(ours, page.read_text()):
            assert (MAN / f"{name}.{number}.scd").exists() or \
                name in functions_of_pages(), f"{page.name}: {name}({number})"


def functions_of_pages():
    """{function: page} as the NAME sections have it."""
    return {name: page for page in PAGES if page.stem.endswith(".3")
            for name in re.findall(r"ivsh_\w+",
                                   section(page, "NAME").split(" - ")[0])}


def test_every_function_of_the_library_is_in_one_page():
    exported = re.findall(r"^\t(ivsh_\w+);", (tree.TOP / "lib/libivshmem.map")
                          .read_text(), re.M)
    agree("functions", functions_of_pages(), exported, "libivshmem.map")
    for name, page in functions_of_pages().items():
        assert f"{name}(" in section(page, "SYNOPSIS"), f"{page.name}: {name}"


def headers():
    return "".join((tree.TOP / "lib" / name).read_text()
                   for name in ("ivshmem.h", "ivshmem_channel.h"))


def test_prototypes_are_those_of_the_header():
    header = " ".join(headers().split())
    for page in set(functions_of_pages().values()):
        synopsis = " ".join(section(page, "SYNOPSIS").split())
        for prototype in re.findall(r"[\w ]+ \*?ivsh_\w+\([^)]*\);", synopsis):
            assert prototype.strip() in header, f"{page.name}: {prototype}"


def header_errors(comment):
    return set(re.findall(r"\bE[A-Z]{2,}\d?[A-Z]*\b", comment))


def test_errors_of_each_function_are_those_of_the_header():
    header = headers()
    for name, page in functions_of_pages().items():
        comment = re.search(r"/\*\*((?:(?!\*/).)*)\*/\s[^/;]*\b" + name + r"\(",
                            header, re.S)[1]
        says = re.search(r"Fails? with\b(.*?)(?:\.\s|\Z)",
                         re.sub(r"\s*\n \*", " ", comment) + " ", re.S)
        wanted = header_errors(says[1]) if says else set()
        if "Otherwise as ivsh_device_open()" in re.sub(r"\s*\n \*", "", comment):
            continue
        found = {what for what, cause, _ in entries(page)
                 if f"{name}()" in cause} - {"EMFILE"}
        agree(f"errors of {name}()", found, wanted, "the header")


def test_errors_of_the_library_are_those_of_the_header():
    header = (tree.TOP / "lib/ivshmem.h").read_text()
    listed = re.findall(r"^ \*   (E[A-Z0-9]+) ", header, re.M)
    found = [what for what, _, _ in entries(MAN / "libivshmem.3.scd")]
    agree("errors", set(found) - {"EMFILE"}, listed, "ivshmem.h")


def test_errors_of_the_driver_are_those_of_the_header():
    header = (tree.TOP / "include/uapi/linux/ivshmem_guest.h").read_text()
    listed = re.findall(r"^ \*   (E[A-Z0-9]+) ", header, re.M)
    found = [what for what, _, _ in entries(MAN / "ivshmem_guest.4.scd")]
    agree("errors", found, set(listed) - {"ENOMEM"}, "ivshmem_guest.h")


def test_every_error_has_a_test():
    unproved = []
    for page in PAGES:
        for what, cause, tests in entries(page):
            known = [test for test in tests if has_test(*test)]
            if not tests or known != tests:
                unproved.append(f"{page.name}: {what}: {cause} {tests or ''}")
    assert not unproved, "no such test:\n" + "\n".join(unproved)


def test_every_way_to_lose_a_ring_has_a_test():
    rings = re.search(r"^## Rings\n(.*?)^## ", (MAN / "ivshmem_guest.4.scd")
                      .read_text(), re.M | re.S)[1]
    tests = re.findall(r"^; test: (\S+) (\S+)", rings, re.M)
    unproved = [test for test in tests if not has_test(*test)]
    assert not unproved, unproved
    assert len(tests) >= len(re.findall(r"^- ", rings, re.M)), tests


def test_no_entry_of_errors_is_overlooked():
    """What stands in ERRORS is read by entries(), and so held to its test."""
    for page in PAGES:
        heads = re.findall(r"^\*?E[A-Z0-9]+\*?$", section(page, "ERRORS"), re.M)
        assert len(heads) == sum(what.isalnum() and what.isupper()
                                 for what, _, _ in entries(page)), page.name


def help_of(tool, *arguments):
    run = subprocess.run([tree.BUILD / tool, *arguments, "--help"],
                         capture_output=True, text=True, check=True)
    return run.stdout


def test_usage_of_each_subcommand_is_that_of_its_help():
    heads = re.findall(r"^\*[a-z]+\*.*$", section(MAN / "ivshmemctl.1.scd",
                                                  "SUBCOMMANDS"), re.M)
    ours = {plain(head).split()[0]: plain(head) for head in heads}
    listed = re.findall(r"^  ([a-z]+) ", help_of("tools/ivshmemctl")
                        .split("Subcommands:")[1].split("Options:")[0], re.M)
    agree("subcommands", ours, listed, "--help")
    for name in listed:
        usage = help_of("tools/ivshmemctl", name).splitlines()[0]
        assert usage == f"Usage: ivshmemctl [-d DEVICE] {ours[name]}", usage


def test_options_of_the_programs_are_those_of_their_help():
    for tool, page in (("tools/ivshmemctl", "ivshmemctl.1.scd"),
                       ("server/ivshmemd", "ivshmemd.8.scd")):
        heads = re.findall(r"^\*-.*$", section(MAN / page, "OPTIONS"), re.M)
        ours = re.findall(r"(?<!\w)--?\w[\w-]*", plain(" ".join(heads)))
        theirs = [option for line in help_of(tool).splitlines()
                  if re.match(r" +-", line)
                  for option in re.findall(r"(?<![\w=])--?[a-zA-Z][\w-]*",
                                           line.strip().split("  ")[0])]
        agree(f"options of {tool}", ours, theirs, "--help")


program.main()
