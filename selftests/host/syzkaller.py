#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The description for syzkaller: its grammar, and that it is what the header has.

Its compiler is in no package; so the grammar is checked as far as its manual
("Syscall description language") gives it for what is used here.
"""
import os
import re

import program
import tree

FILE = (tree.TOP / "selftests/syzkaller/ivshmem.txt").read_text()
HEADER = (tree.TOP / "include/uapi/linux/ivshmem_guest.h").read_text()
LINES = [line for line in FILE.splitlines() if line and not line.startswith("#")]

#: What syzkaller itself describes, below its sys/linux/: resources, and flags.
RESOURCES = {"fd": "sys.txt", "fd_event": "sys.txt", "fd_dma_buf": "dev_udmabuf.txt"}
FLAGS = {"open_flags": "sys.txt", "seek_whence": "sys.txt", "mmap_prot": "sys.txt",
         "mmap_flags": "sys.txt"}
#: Of the language itself.
TYPES = {"const", "flags", "ptr", "array", "string", "len", "bytesize", "in", "out",
         "inout", "int32", "int64", "intptr", "vma", "fileoff", "parent"}
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


def structs(text=FILE):
    """{name: {field: type}}"""
    return {name: {field: whole_type(kind) for field, kind in
                   (FIELD.match(line).groups() for line in body.splitlines())}
            for name, body in re.findall(r"^(\w+) \{\n(.*?)\n\}$", text, re.M | re.S)}


def resources(text=FILE):
    """{name: what it is one of}"""
    return dict(re.findall(r"^resource (\w+)\[(\w+)\]", text, re.M))


def flags(text=FILE):
    """{name: [values]}"""
    return {name: values.split(", ")
            for name, values in re.findall(r"^(\w+) = (.*)", text, re.M)}


def parts(found):
    """A type and all types that it is made of: the first word of flags is none."""
    inside = found[1][1:] if found[0] == "flags" else found[1]
    return [found, *(inner for argument in inside for inner in parts(argument))]


def defined():
    return set(structs()) | set(resources()) | set(flags())


def wrong_fields(text):
    """Of structs: what names flags, resources or limits that are not there."""
    known = {*TYPES, *RESOURCES, *resources(text), *structs(text)}
    wrong = []
    for struct, fields in structs(text).items():
        for field, kind in fields.items():
            wrong += [f"{struct}.{field}: {problem}" for name, arguments in parts(kind)
                      for problem in wrong_part(name, arguments, text, known)]
    return wrong


def wrong_part(name, arguments, text, known):
    """What is wrong with one type, without those in its brackets."""
    if name == "flags" and arguments[0][0] not in {*FLAGS, *flags(text)}:
        return [f"no flags {arguments[0][0]}"]
    if re.match(r"-?\d+(:|$)", name):
        limits = [limit for limit in name.split(":") if not re.match(r"-?\d+$", limit)]
        return [f"no {limit} in the header" for limit in limits
                if f"#define {limit}\t" not in HEADER]
    return [] if name in known else [f"no {name}"]


def wrong_flags(text):
    """Sets whose values are not all that the header has of their kind."""
    wrong = []
    for name, values in flags(text).items():
        kind = os.path.commonprefix(values).rpartition("_")[0]
        wanted = re.findall(rf"^#define ({kind}_\w+)\s", HEADER, re.M)
        if not kind or sorted(values) != sorted(wanted):
            wrong.append(f"{name}: {values}, in the header: {wanted}")
    return wrong


def wrong_resources(text):
    return [f"{name}: no {kind}" for name, kind in resources(text).items()
            if kind not in {*RESOURCES, *resources(text)}]


def test_every_line_is_of_the_language():
    for line in LINES:
        assert re.match(rf"include <[\w/.]+>$|resource {NAME}\[{NAME}\]$|"
                        rf"{NAME} = {NAME}(, {NAME})*$|{NAME} \{{$|\}}$", line) or \
            FIELD.match(line) or CALL.match(line), line


def test_every_name_is_defined():
    known = {*RESOURCES, *FLAGS, *TYPES, *defined()}
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
    found = re.findall(r"^ioctl\$(\w+)\(.*const\[(\w+)\]", FILE, re.M)
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


def test_fields_of_structs_name_what_there_is():
    found = wrong_fields(FILE)
    assert not found, found


def test_flags_have_the_values_of_the_header():
    found = wrong_flags(FILE)
    assert flags() and not found, found


def test_resources_are_made_of_known_ones():
    found = wrong_resources(FILE)
    assert resources() and not found, found


#: {what is wrong: (who must say so, what is in the file, what it becomes)}
WRONG = {
    "flags that are not there": (
        wrong_fields, "flags[ivshmem_mask_modes, int32]", "flags[mask_modes, int32]"),
    "a resource as flags": (
        wrong_fields, "flags[ivshmem_mask_modes, int32]", "flags[fd_event, int32]"),
    "flags as a resource": (
        wrong_fields, "flags[ivshmem_mask_modes, int32]", "ivshmem_mask_modes"),
    "a field of a resource that is not there": (
        wrong_fields, "\teventfd\t\tfd_event", "\teventfd\t\tfd_eventfd"),
    "a limit that is not there": (
        wrong_fields, "0:IVSHMEM_PEER_MAX", "0:IVSHMEM_PEERS_MAX"),
    "a value too few": (wrong_flags, ", IVSHMEM_MASK_ONE_SHOT", ""),
    "a value that is not there": (wrong_flags, "IVSHMEM_MASK_ON,", "IVSHMEM_MASK_ALL,"),
    "a resource made of what is not there": (
        wrong_resources, "[fd_dma_buf]", "[fd_dmabuf]"),
}


def test_a_description_that_is_wrong_is_refused():
    for what, (check, old, new) in WRONG.items():
        assert FILE.count(old) == 1, (what, old)
        assert check(FILE.replace(old, new)), f"{what} is not noticed"


program.main()
