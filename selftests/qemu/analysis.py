# SPDX-License-Identifier: GPL-2.0-or-later
"""analysis: what reads the module's sources as one kernel's headers make them.

The compiler of that kernel builds the module, with all of kbuild's warnings and its
own analyzer. Then other programs read each file with the directories and the
definitions that kbuild gave, which it keeps beside the objects.
"""
import os
import re
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import tree

#: Of kbuild's words: those that say what the source means.
MEANING = re.compile(r"-[IDU].|-std=|-nostdinc$|-m64$|-O2$|-fshort-wchar$"
                     r"|-mcmodel=|-fno-PIE$|-fms-(extensions|anonymous-structs)$")
#: sparse 0.6.4 and clang 14 do not know it; what it leaves off does not matter here.
NEWER = ("-D__typeof_unqual__=__typeof__",)
#: What reads: its name, and its words.
READERS = {
    # It does not count the letters of a text, which MODULE_INFO() of 7.x asks for.
    "sparse": ("sparse", "-D__x86_64__", "-Wbitwise", "-Wno-return-void",
               "-Wno-unknown-attribute", "-Wdeclaration-after-statement",
               "-D__builtin_strlen(text)=(sizeof(text) - 1)"),
    # Compiles, with what kbuild's W=1 asks for.
    "clang": ("clang", "-c", "-o", "/dev/null", "-Wall", "-Wextra", "-Wundef",
              "-Wimplicit-fallthrough", "-Wmissing-prototypes",
              "-Wold-style-definition", "-Wno-unused-parameter", "-Wno-sign-compare",
              "-Wno-missing-field-initializers", "-Wno-gnu",
              "-Wno-address-of-packed-member"),
    "clang's analyzer": ("clang", "--analyze", "-Xclang", "-analyzer-output=text",
                         "-Wno-everything"),
}
#: In warnings: its headers, and variables that its macros name.
THE_KERNELS = "/linux-headers-|'__UNIQUE_ID_"
#: Sources that kbuild adds to every module, since 6.13 from the kernel's tree too.
KBUILDS_OWN = (".mod.c", "/module-common.c")


def build(kernel):
    """Build the module in a new copy: (where it is, make's status and output)."""
    place = tree.scratch()
    for name in ("kernel", "include"):
        shutil.copytree(tree.TOP / name, place / name,
                        ignore=shutil.ignore_patterns("*.o", "*.ko", ".*"))
    return place, *kernel.make(place, "kernel", "W=1", "KCFLAGS=-fanalyzer")


def read(kernel, place, reader):
    """The complaints of one of READERS, by its words, about our files."""
    commands = [command for path in sorted((place / "kernel").glob(".*.o.cmd"))
                if (command := _command(path.read_text()))]
    sources = {path.name for path in (place / "kernel").glob("*.c")
               if not path.name.endswith(".mod.c")}
    assert sources == {os.path.basename(source) for _, source in commands}, commands
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda command: _complaints(kernel, place, reader, *command),
                         commands)
        return [line for lines in found for line in lines]


def _command(text):
    """(kbuild's words of meaning, the source) of what it has kept."""
    line = re.search(r":= +(\S+ .* -c -o \S+ (\S+\.c))\s", text)
    if not line or line[2].endswith(KBUILDS_OWN):
        return None
    words, rest = [], iter(shlex.split(line[1]))
    for word in rest:
        if word in ("-include", "-isystem"):
            words += [word, next(rest)]
        elif MEANING.match(word):
            words.append(word)
    return words, line[2]


def _complaints(kernel, place, reader, words, source):
    # Up to 6.12 kbuild works in the directory of the headers, later in ours.
    old = any(word.startswith("-I./arch") for word in words)
    run = subprocess.run([*reader, *NEWER, *words, source], text=True,
                         cwd=kernel.headers if old else place / "kernel",
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = [line for line in run.stdout.splitlines()
             if "error:" in line
             or "warning:" in line and not re.search(THE_KERNELS, line)]
    return lines or ([run.stdout[-1000:]] if run.returncode else [])


def semantic(rules, place):
    """What the kernel's own semantic patches, in a directory, find in our files."""
    chosen = [path for path in sorted(rules.rglob("*.cocci"))
              if "virtual report" in (text := path.read_text()) and "ocaml" not in text]
    assert len(chosen) > 50, f"few rules in {rules}"
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return "".join(pool.map(lambda path: _spatch(path, place), chosen))


def _spatch(rule, place):
    """Without what it says of the rule itself."""
    options = re.search("// Options:(.*)", rule.read_text())
    run = subprocess.run(["spatch", "-D", "report", "--very-quiet", "--no-show-diff",
                          *(options[1].split() if options else []),
                          "--cocci-file", rule, "--dir", place],
                         text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert run.returncode == 0, f"{rule.name}: {run.stdout}"
    return re.sub("^warning: line .*\n", "", run.stdout, flags=re.M)


def style(checkpatch, names):
    """[(file, kind, what)] of all that the kernel's checkpatch has to say."""
    place = tree.scratch()      # it leaves a file where it is
    try:
        for name in names:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(tree.TOP / name, place / name)
        run = subprocess.run(["perl", checkpatch, "--no-tree", "--terse", "--strict",
                              "--show-types", "-f", *names], cwd=place, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    finally:
        tree.remove(place)
    return re.findall(r"^(\S+?):\d+: \w+:(\w+): (.*)", run.stdout, re.M)
