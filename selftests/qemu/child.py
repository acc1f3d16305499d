# SPDX-License-Identifier: GPL-2.0-or-later
"""child: processes that must not outlive the runner, nor harm the host.

start() is subprocess.Popen for a child in a session of its own that is killed
when we die, in whatever way. If memory runs out, the kernel takes it first.
"""
import ctypes
import os
import signal
import subprocess

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _prepare():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")


def start(command, **options):
    return subprocess.Popen(command, start_new_session=True,
                            preexec_fn=_prepare, **options)


def finish(process, seconds):
    """What it printed, (output, errors); its whole session ends with it."""
    try:
        return process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        end_session(process)


def end_session(process):
    """Kill what the child has left behind."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
