# SPDX-License-Identifier: GPL-2.0-or-later
"""discover: find the tests: files in tests/ and programs in selftests/.

A test is a function `test_...` of a file in tests/, taken in the order of the
file; a file may also have `generate()`, which yields tests made at run time.
"""
import importlib.util
import inspect
import re
from dataclasses import dataclass
from pathlib import Path

import debugkernel
import tree
from scenario import Skip

TESTS = Path(__file__).with_name("tests")
#: The areas of --quick: one guest, of one kind.
QUICK = ("programs", "tool")
#: What of layer 1 takes more than ten seconds is not in it.
SLOW = ("channel_model", "channel_tsan", "ctl_channel", "lib_checked",
        "lib_i386", "server_checked", "server_load")


@dataclass
class Test:
    name: str               # "unplug: a_busy_device_goes_away"
    function: object
    area: str               # "unplug", the file

    @property
    def machines(self):
        return getattr(self.function, "machines", {})

    @property
    def fresh(self):
        return getattr(self.function, "fresh", False)

    @property
    def full(self):
        return getattr(self.function, "full", False)

    @property
    def kernels(self):
        return {machine.kernel for machine in self.machines.values()} \
            | getattr(self.function, "kernels", set())

    @property
    def checks(self):
        return getattr(self.function, "checks", [])

    def ask(self):
        """Skip for the first of its checks that has a reason."""
        for check in self.checks:
            reason = check()
            if reason:
                raise Skip(reason)

    @property
    def parameters(self):
        return inspect.signature(self.function).parameters


def host_programs(quick=False):
    """Layer 1: what runs on the host, without a device."""
    built = sorted((tree.BUILD / "selftests/host").glob("*"))
    scripts = sorted((tree.TOP / "selftests/host").glob("*"))
    found = [path for path in built if path.suffix == "" and path.is_file()] \
        + [path for path in scripts if path.suffix in (".py", ".sh")]
    return [path for path in found if not quick or path.stem not in SLOW]


def tests(quick=False, full=False):
    """Layers 2 and 3: what runs with guests; full: also what takes minutes. Those
    whose kernel is being built meanwhile come last."""
    found = []
    for path in sorted(TESTS.glob("*.py")):
        if quick and path.stem not in QUICK:
            continue
        found += [Test(f"{path.stem}: {name}", function, path.stem)
                  for name, function in _functions(path)]
    return sorted([test for test in found if full or not test.full],
                  key=debugkernel.place_in_run)


def has_test(file, name):
    """Whether that file below selftests/ has a test of that name."""
    source = tree.TOP / "selftests" / file
    if not source.is_file():
        return False
    if source.parent == TESTS:
        return name in [known for known, _ in _functions(source)]
    pattern = rf"\(\s*(?:\w+,\s*)?{name}\s*[,)]|def (?:test_)?{name}\(|\"{name}\":"
    return re.search(pattern, source.read_text()) is not None


def _functions(path):
    """[(name, function)] of a file in tests/, also those made at run time."""
    module = _load(path)
    found = [(name, value) for name, value in vars(module).items()
             if name.startswith("test_")]
    if hasattr(module, "generate"):
        found += module.generate()
    return [(name.removeprefix("test_"), function) for name, function in found]


def _load(path):
    spec = importlib.util.spec_from_file_location(f"tests_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
