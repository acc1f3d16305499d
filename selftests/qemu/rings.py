# SPDX-License-Identifier: GPL-2.0-or-later
"""rings: listen and ring in guests with ivshmemctl."""
import json


def listen(guest, vector, device=None, more=""):
    """A Job that waits on the vector, and is known to be bound to it."""
    job = guest.start(f"ivshmemctl {_option(device)}wait {vector} {more}")
    job.wait_asleep()
    return job


def ring(guest, peer, vector, device=None, more=""):
    guest.output(f"ivshmemctl {_option(device)}ring {peer} {vector} {more}")


def heard(job, vector):
    """The job ended because of a ring on the vector."""
    status, output = job.wait()
    assert status == 0 and output.startswith(f"vector {vector} fired "), \
        (job.guest.name, vector, status, output)


def own_id(guest):
    return guest.node()["own_id"]


def stat(guest, vector, what="fired", device=None):
    """What the vector has counted."""
    text = guest.output(f"ivshmemctl {_option(device)}stat --json")
    rows = json.loads(text)["stat"]
    return rows[vector][what]


def _option(device):
    return "" if device is None else f"-d {device} "
