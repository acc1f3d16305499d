# SPDX-License-Identifier: GPL-2.0-or-later
"""process32: our programs as 32-bit processes, as a second archive after the
initramfs: those of selftests/guest, built for i386, in /tests/i386."""
import initramfs
from arch import I386

PLACE = "/tests/i386"


def initrd(stage):
    """The archive for a guest: what all have, then the programs."""
    problem = I386.problem() or I386.build_programs()
    assert not problem, problem
    path = stage.initrd.with_name("initramfs-i386.gz")
    archive = initramfs.Archive()
    for program in sorted((I386.build / "selftests/guest").iterdir()):
        if not program.suffix:
            archive.add_file(f"{PLACE[1:]}/{program.name}", program)
    archive.write(path)
    path.write_bytes(stage.initrd.read_bytes() + path.read_bytes())
    return path
