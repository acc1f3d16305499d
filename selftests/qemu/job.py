# SPDX-License-Identifier: GPL-2.0-or-later
"""job: a command that runs in a guest while the test goes on.

    job = guest.start("ivshmemctl wait 0")
    job.wait_asleep()           # it has bound its vector and waits
    ...
    status, output = job.wait()
"""
import itertools

_numbers = itertools.count()


class Job:
    def __init__(self, guest, command):
        self.guest = guest
        self.command = command
        self.base = f"/tmp/job{next(_numbers)}"
        script = f"echo $$ > {self.base}.pid\nexec {command}\n"
        guest.put(f"{self.base}.sh", script.encode())
        guest.output(f"mkfifo {self.base}.end; {{ sh {self.base}.sh"
                     f" < /dev/null > {self.base}.out 2>&1; status=$?;"
                     f" : > {self.base}.done; echo $status > {self.base}.end;"
                     " } > /dev/null 2>&1 &")

    def output(self):
        return self.guest.output(f"cat {self.base}.out")

    def ended(self):
        return self.guest.run(f"[ -e {self.base}.done ]")[0] == 0

    def wait_for(self, text):
        """Until the command printed text, or ended."""
        self._until(f"grep -q '{text}' {self.base}.out")

    def wait_asleep(self):
        """Until the command sleeps in poll(), or ended."""
        self._until(f"grep -q poll /proc/$(cat {self.base}.pid)/wchan")
        assert not self.ended(), f"{self.command} ended: {self.output()}"

    def wait(self, seconds=6):
        """Until the command ends: (exit status, what it printed)."""
        status = self.guest.output(f"cat {self.base}.end", seconds)
        return int(status), self.output()

    def kill(self):
        self.guest.run(f"kill -9 $(cat {self.base}.pid)")
        return self.wait()

    def _until(self, condition):
        self.guest.output(f"until {condition} 2>/dev/null ||"
                          f" [ -e {self.base}.done ]; do usleep 10000; done")
