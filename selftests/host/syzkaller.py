#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The description for syzkaller: its grammar, and that it is what the header has.

Its compiler is in no package; so the grammar is checked as far as its manual
("Syscall description language") gives it for what is used here.
"""
import re

import program
import tree

TEXT = (tree.TOP / "selftests/syzkaller/ivshmem.txt").read_text()
HEADER = (tree.TOP / "include/uapi/linux/ivshmem_guest.h").read_text()
LINES = [line for line in TEXT.splitlines() if line and not line.startswith("#")]

#: What syzkaller itself describes, in sys/linux/{sys,socket,dev_dri}.txt.
KNOWN = {"fd", "fd_event", "fd_dma_buf", "vma", "fileoff", "open_flags",
         "seek_whence", "mmap_prot", "mmap_flags", "intptr", "parent"}
TYPES = {"const", "flags", "ptr", "array", "string", "len", "bytesize", "in", "out",
         "inout", "int32", "int64"}
WIDTHS = {"__u32": 4, "__s32": 4, "__u64": 8, "__s64": 8, "__aligned_u64": 8}

NAME = r"[a-zA-Z_]\w*"
FIELD = re.compile(rf"\t({NAME})\t+([^\t()]+?)(?: \((?:in|out|inout)\))?$")
CALL = re.compile(rf"({NAME})(?:\$({NAME}))?\((.*)\)(?: ({NAME}))?$")


def parse_type(text):
    """(name, arguments) of NAME or NAME[argument, ...]; the rest of the text."""
    value = re.match(r'"[^"]*"|-?\w+(?::\w+)?', text)
    assert value, f"not a type: {text}"
    name, rest = value[0], text[value.end():]
    arguments = []
    while rest.startswith("[" if not arguments else ", "):
        argument, rest = parse_type(rest[1 if not arguments else 2:])
        arguments.append(argument)
        if rest.startswith("]"):
            return (name, arguments), rest[1:]
    assert not arguments, f"no ] in {text}"
    return (name, []), rest


def whole_type(text):
    found, rest = parse_type(text)
    assert not rest, f"what is {rest} in {text}?"
    return found


def names(found):
    """All names in a type."""
    name, arguments = found
    return {name} | {inner for argument in arguments for inner in names(argument)}


def structs():
    """{name: {field: type}}"""
    return {name: {field: whole_type(kind) for field, kind in
                   (FIELD.match(line).groups() for line in body.splitlines())}
            for name, body in re.findall(r"^(\w+) \{\n(.*?)\n\}$", TEXT, re.M | re.S)}


def defined():
    return set(structs()) | set(re.findall(r"^resource (\w+)\[", TEXT, re.M)) | \
        set(re.findall(r"^(\w+) = ", TEXT, re.M))


def test_every_line_is_of_the_language():
    for line in LINES:
        assert re.match(rf"include <[\w/.]+>$|resource {NAME}\[{NAME}\]$|"
                        rf"{NAME} = {NAME}(, {NAME})*$|{NAME} \{{$|\}}$", line) or \
            FIELD.match(line) or CALL.match(line), line


def test_every_name_is_defined():
    known = KNOWN | TYPES | defined()
    for line in LINES:
        call = CALL.match(line)
        if not call:
            continue
        arguments = re.split(r", (?=\w+ )", call[3])
        fields = {argument.split(" ", 1)[0] for argument in arguments}
        for argument in arguments:
            for name in names(whole_type(argument.split(" ", 1)[1])):
                assert name in known | fields or name in HEADER or \
                    re.match(r'"|-?\d|AT_FDCWD', name), (name, line)
        assert not call[4] or call[4] in known, line


def test_every_ioctl_of_the_header_is_described():
    wanted = re.findall(r"^#define (IVSHMEM_\w+)\s+_IO\(", HEADER, re.M)
    found = re.findall(r"^ioctl\$(\w+)\(.*const\[(\w+)\]", TEXT, re.M)
    assert sorted(found) == sorted((name, name) for name in wanted), found


def width(found):
    name, arguments = found
    if name == "array":
        return width(arguments[0]) * int(arguments[1][0])
    if name.startswith("fd_"):
        return 4
    if name.startswith("int"):
        return int(name[3:]) // 8
    return width(arguments[-1])


def test_every_struct_is_that_of_the_header():
    described = structs()
    for name, body in re.findall(r"^struct (ivshmem_\w+) \{\n(.*?)\n\};", HEADER,
                                 re.M | re.S):
        wanted = {field: WIDTHS[kind] * int(count or 1) for kind, field, count in
                  re.findall(r"^\t(\w+) (\w+)(?: __attribute__.*)?(?:\[(\d+)\])?;",
                             body, re.M)}
        found = {field: width(kind) for field, kind in described[name].items()}
        assert list(found.items()) == list(wanted.items()), (name, found, wanted)


program.main()
