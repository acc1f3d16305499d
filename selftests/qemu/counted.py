# SPDX-License-Identifier: GPL-2.0-or-later
"""counted: library, tools and the tests' programs that count which lines run, on the
host and in guests; there they come in a second archive after the initramfs."""
import atexit
import functools

import checked
import coverage
import initramfs
import tree

#: Programs of host/ that call the library, and the tools.
TESTS = ["channel_directory", "channel_fuzz", "channel_ring", "channel_wait", "ctl",
         "ctl_list", "lib", "peer", "peer_protocol"]
SCRIPTS = ["ctl_channel.py", "ctl_host.py"]


@functools.cache
def build():
    made = checked.Checked("gcc", "-O0 --coverage")
    atexit.register(made.close)
    made.build_library()
    made.build("tools")
    made.build("server")
    made.build("selftests", *(f"selftests/host/{name}" for name in TESTS),
               *(f"selftests/guest/{path.stem}"
                 for path in (tree.TOP / "selftests/guest").glob("*.c")))
    return made


def initrd(stage):
    """The archive for a guest: what all have, then those in their places."""
    path = stage.initrd.with_name("initramfs-counted.gz")
    archive = initramfs.Archive()
    for name, program in initramfs.programs(build().place):
        archive.add_file(name, program)
    archive.write(path)
    path.write_bytes(stage.initrd.read_bytes() + path.read_bytes())
    return path


def run_on_host():
    made = build()
    made.run([*(made.place / "selftests/host" / name for name in TESTS),
              *(tree.TOP / "selftests/host" / name for name in SCRIPTS)],
             O=str(made.place), PYTHONPATH=str(tree.TOP / "selftests/qemu"),
             IVSHMEMD=str(made.place / "server/ivshmemd"))


def take(guest, place):
    """Put the counters of all who have ended into a directory; they begin anew."""
    coverage.unpack(guest, build().place, place)


def say(source, places, result, least):
    """Print which lines of a directory never ran; fail if that is too much."""
    made = build().place / source
    places = [made, *(found for place in places
                      if (found := place / source).is_dir())]
    found = coverage.read(coverage.add_up(places, made, result), source)
    checked.say_coverage({name: (len(lines), coverage.missed(lines))
                          for name, (lines, _, _) in found.items()}, least)
