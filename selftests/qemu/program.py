# SPDX-License-Identifier: GPL-2.0-or-later
"""program: a test program of layer 1 that is written in Python.

    import program

    def test_two_and_two_is_four():
        assert 2 + 2 == 4

    program.main()

Each function test_... of the program is a TAP line, in the order of the file. It
may raise Skip, as the tests of scenario.py do. scripts/check sets the path by
which programs in host/ find the modules of qemu/.
"""
import sys
import traceback

from scenario import Skip


def main():
    tests = [(name.removeprefix("test_").replace("_", " "), value)
             for name, value in vars(sys.modules["__main__"]).items()
             if name.startswith("test_")]
    print(f"TAP version 13\n1..{len(tests)}", flush=True)
    results = [_run(number, *test) for number, test in enumerate(tests, 1)]
    sys.exit(0 if all(results) else 1)


def _run(number, name, function):
    """Print the line of one test; whether it did not fail."""
    try:
        function()
    except Skip as reason:
        print(f"ok {number} {name} # SKIP {' '.join(str(reason).split())}")
    except Exception as error:
        known = isinstance(error, AssertionError) and str(error)
        text = str(error) if known else traceback.format_exc(limit=-3)
        for line in text.splitlines():
            print(f"# {line}")
        print(f"not ok {number} {name}", flush=True)
        return False
    else:
        print(f"ok {number} {name}", flush=True)
    return True
