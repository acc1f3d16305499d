# SPDX-License-Identifier: GPL-2.0-or-later
"""reasons: why a goal of the benchmark is missed, where we know."""

#: Goal, the beginning of what is measured, and why. The first that fits counts.
REASONS = (
    ("P3", "", "See [interrupts.md](interrupts.md)."),
    ("P5", "", "A compare-and-swap publishes each batch, and tells an end that was taken"
     " over that it was; it waits for all stores before it, where the reference has"
     " a plain store. Of one machine, runs gave 0.8 to 1.2."),
    ("P6", "", "Large messages come at 0.9 to 1.0 of the reference's speed, in place at"
     " 1.2 and more, while a line takes 35 to 60 ns between the two processors; in spells"
     " in which it takes 110 and more, at 0.4 to 0.8. That the hypervisor then has them"
     " on cores that share no cache is a guess. It is not how the payload is aligned: the"
     " reference is as fast 8 bytes off a line."),
    ("P7", "time", "The instructions are the same to within one; what is left is how the"
     " two programs lie in memory, and noise."),
    ("P8", "", "Two lines change hands for a message, the index and the message itself, and"
     " only one in the comparison. Who waits asks for both at once, which is why it is not"
     " twice."),
    ("P9", "streams between guests: times faster than tcp-batch", "64 messages of 64 bytes"
     " by one writev() are three packets: TCP pays for these, not for each message."),
)


def why(number, what):
    """The reason, or nothing known."""
    return next((text for goal, begins, text in REASONS
                 if goal == number and what.startswith(begins)), "Not known.")


def part(goals):
    """Lines that say why what is missed is missed."""
    missed = [(number, what) for number, what, _, _, met in goals if not met]
    if not missed:
        return
    yield "\nWhat is missed, and why:\n"
    for number, what in missed:
        yield f"- {number}, {what}: {why(number, what)}"
