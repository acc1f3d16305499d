# SPDX-License-Identifier: GPL-2.0-or-later
"""again: run tests once more, on machines that count what of our code runs, and take
the counters. Who calls says which tests, which machines, and how to take."""
import re

import discover
from scenario import Skip


class Again:
    """change(machine) is the machine that counts; take(guest, directory) puts its
    counters there, and begins anew."""

    def __init__(self, lab, report, change, take):
        self.lab = lab
        self.report = report
        self.change = change
        self.take = take

    def run_all(self, pattern, place):
        """The tests whose names match; the directories of what was counted."""
        tests = [test for test in discover.tests(full=True)
                 if re.match(pattern, test.name.replace("_", " "))]
        for number, test in enumerate(tests):
            print(f"# {test.name.replace('_', ' ')}", flush=True)
            self._run(test, place / f"{number}")
        self.lab.close()
        return sorted(path for path in place.glob("*/*") if any(path.iterdir()))

    def _run(self, test, place):
        # Not above: programs of host/ list the tests, and have a systemd of their own.
        from guest import QemuCrash
        try:
            try:
                self._run_once(test, place)
            except QemuCrash:
                self.lab.close()
                self._run_once(test, place)
        except Skip as reason:
            print(f"# skipped: {reason}")
        except Exception as error:
            self._tell("failed", test.name, repr(error))
            self.lab.close()
        self.lab.end_test()

    def _run_once(self, test, place):
        test.ask()
        machines = {name: self.change(machine)
                    for name, machine in test.machines.items()}
        given = {"lab": self.lab, "report": self._tell,
                 **self.lab.use(machines, test.fresh)}
        test.function(**{name: given[name] for name in test.parameters})
        for name, guest in self.lab.guests.items():
            if guest.alive():       # some kill one
                self.take(guest, place / name)
        splats = self.lab.splats()
        assert not splats, "\n".join(splats)

    def _tell(self, verdict, name, reason=""):
        """What passes has been reported before, by the test that is run again."""
        if verdict == "failed":
            self.report(verdict, f"again: {name}", reason)
