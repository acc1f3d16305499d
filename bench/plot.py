# SPDX-License-Identifier: GPL-2.0-or-later
"""plot: groups of bars on a logarithmic scale, as SVG. For bench/run."""
import math
from html import escape

COLOURS = ("#1b6ca8", "#4aa3df", "#888888", "#c0504d", "#e0a030", "#6a9f58")
BAR, GAP, HEIGHT, LEFT, TOP = 18, 24, 220, 56, 46


def bars(title, groups):
    """groups: (name, [(kind, value)]) each; values above 0."""
    kinds = list(dict.fromkeys(kind for _, values in groups for kind, _ in values))
    values = [value for _, pairs in groups for _, value in pairs]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    width = LEFT + sum(len(pairs) * BAR + GAP for _, pairs in groups) + 130

    def y(value):
        return TOP + HEIGHT * (high - math.log10(value)) / (high - low)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}"'
             f' height="{TOP + HEIGHT + 40}" font-family="sans-serif" font-size="11">',
             '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="{LEFT}" y="20" font-size="14">{escape(title)}</text>']
    for power in range(low, high + 1):
        at = y(10 ** power)
        parts.append(f'<line x1="{LEFT}" x2="{width - 120}" y1="{at:.1f}" y2="{at:.1f}"'
                     ' stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">'
                     f'{10 ** power:g}</text>')
    x = LEFT + GAP / 2
    for name, pairs in groups:
        for kind, value in pairs:
            top = y(value)
            parts.append(f'<rect x="{x:.0f}" y="{top:.1f}" width="{BAR - 2}"'
                         f' height="{TOP + HEIGHT - top:.1f}"'
                         f' fill="{COLOURS[kinds.index(kind) % len(COLOURS)]}">'
                         f'<title>{escape(kind)} {value:.1f}</title></rect>')
            x += BAR
        parts.append(f'<text x="{x - len(pairs) * BAR / 2:.0f}" y="{TOP + HEIGHT + 16}"'
                     f' text-anchor="middle">{escape(name)}</text>')
        x += GAP
    for number, kind in enumerate(kinds):
        at = TOP + 16 * number
        parts.append(f'<rect x="{width - 110}" y="{at}" width="10" height="10"'
                     f' fill="{COLOURS[number % len(COLOURS)]}"/>')
        parts.append(f'<text x="{width - 94}" y="{at + 9}">{escape(kind)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
