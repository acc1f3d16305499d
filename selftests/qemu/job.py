# SPDX-License-Identifier: GPL-2.0-or-later
"""job: a command that runs in a guest while the test goes on."""
import itertools

_numbers = itertools.count()


class Job:
    def __init__(self, guest, command):
        self.guest = guest
        self.base = f"/tmp/job{next(_numbers)}"
        guest.put(f"{self.base}.sh", command.encode())
        guest.output(f"mkfifo {self.base}.end; {{ sh {self.base}.sh"
                     f" < /dev/null > {self.base}.out 2>&1;"
                     f" echo $? > {self.base}.end; }} > /dev/null 2>&1 &"
                     f" echo $! > {self.base}.pid")

    def output(self):
        return self.guest.output(f"cat {self.base}.out")

    def wait_for(self, text, seconds=30):
        """Until the command printed text, or ended."""
        self.guest.output(f"until grep -q '{text}' {self.base}.out; do"
                          f" usleep 20000; done", seconds)

    def wait(self, seconds=30):
        """Until the command ends: (exit status, what it printed)."""
        status = self.guest.output(f"cat {self.base}.end", seconds)
        return int(status), self.output()
