# SPDX-License-Identifier: GPL-2.0-or-later
"""scenario: how a test says which guests it needs.

    @guests(a=Machine(Doorbell()), b=Machine(Doorbell()))
    def test_a_message_arrives(a, b):
        assert ...

The guests come booted, in the order given (so a is peer 0 of its server), and
are kept for the next test that wants the same, unless the test failed or says
fresh=True, which also asks for new ones. A parameter named `report` gets a
function that adds results of its own: report(verdict, name, reason); `lab` is
what starts guests and servers, for tests that do it themselves.
"""


#: Returned by a test that has reported all its results itself.
COUNTED = "counted"


class Skip(Exception):
    """Raised by a test that cannot run here; the words say why."""


def guests(fresh=False, **machines):
    def mark(function):
        function.machines = machines
        function.fresh = fresh
        return function
    return mark


def needs(check):
    """Skip the test if check() returns a reason; asked just before the test."""
    def mark(function):
        function.checks = [*getattr(function, "checks", []), check]
        return function
    return mark


def kernels(*names):
    """The test uses these kernels without being given guests: see debugkernel.py."""
    def mark(function):
        function.kernels = set(names)
        return function
    return mark


def full(function):
    """Run the test in make check-full only: it takes minutes."""
    function.full = True
    return function


def skip(reason):
    raise Skip(reason)
