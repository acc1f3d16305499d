# SPDX-License-Identifier: GPL-2.0-or-later
"""What users run: make demo in a clean clone, and scripts/guest."""
import os
import select
import shutil
import subprocess
import time

import tree
from scenario import skip

#: What make hands to its children, and would mislead another make.
MAKES_OWN = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "O", "V", "CFLAGS", "LDFLAGS",
             "CPPFLAGS", "KDIR", "KERNELRELEASE")


def environment():
    return {name: value for name, value in os.environ.items()
            if name not in MAKES_OWN}


def clone():
    """What is committed, as a user gets it."""
    if not shutil.which("git") or not (tree.TOP / ".git").exists():
        skip("not a git clone, or no git")
    place = tree.scratch() / "clone"
    subprocess.run(["git", "-c", "safe.directory=*", "clone", "-q", "--no-local",
                    tree.TOP, place], check=True)
    return place


def test_demo_runs_from_a_clean_clone():
    place = clone()
    start = time.monotonic()
    try:
        run = subprocess.run(["make", "demo"], cwd=place, env=environment(),
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, timeout=tree.limit(60))
    finally:
        tree.remove(place.parent)
    took = time.monotonic() - start
    assert run.returncode == 0, run.stdout[-3000:]
    for words in ("Hello b, this is a.", "Hello a, I heard you.",
                  "1000 round trips", "What to try next"):
        assert words in run.stdout, (words, run.stdout[-3000:])
    load = max(1, os.getloadavg()[0] / os.cpu_count())
    assert took < 60 * load, f"it took {took:.0f} s"


def read_until(process, words, seconds):
    """What a program printed, as far as the words."""
    text, end = b"", time.monotonic() + tree.limit(seconds)
    while words not in text:
        left = end - time.monotonic()
        ready = left > 0 and select.select([process.stdout], [], [], left)[0]
        data = os.read(process.stdout.fileno(), 65536) if ready else b""
        assert data, (words, text[-2000:])
        text += data
    return text.decode(errors="replace")


def shell(*options):
    """Boot scripts/guest, ask it for its device, leave: what it printed."""
    process = subprocess.Popen([tree.TOP / "scripts/guest", *options],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, env=environment())
    try:
        text = read_until(process, b"~ # ", 30)
        process.stdin.write(b"ivshmemctl info; exit\n")
        process.stdin.flush()
        text += read_until(process, b"Power down", 10)
        process.wait(tree.limit(5))
    finally:
        process.kill()
        process.communicate()
    return text


def test_guest_gives_a_shell_with_a_doorbell_device():
    text = shell("--vectors", "8")
    assert "Ctrl-A X quits" in text and "doorbell" in text, text
    assert "scripts/guest --join /" in text, text


def test_guest_gives_a_shell_with_a_plain_device():
    text = shell("--plain", "--size", "64M")
    assert "64M" in text and "/dev/ivshmem0 plain" in text, text
