"""Figures of benchmarks: bench.c's lines, medians and quartiles, ratios, and tables of them."""

import re
import statistics

# One line of bench.c: name, iterations, ns (quartiles), time-stamp counts (median).
LINE = re.compile(r"^(\S+) +(\d+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+)$")


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, mid, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, mid, high


def ratio(mine, other):
    """Text of median/median, with ~ in front when the interquartile ranges overlap."""
    (a, b, c), (x, y, z) = mine, other
    tie = a <= z and x <= c and (a, x) != (c, z)
    return f"{'~' if tie else ''}{b / y:.2f}"


def duration(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            return f"{ns / size:.2f} {unit}"
    return f"{ns:.0f} ns"


def columns_print(lines):
    """A table, the first line its head: the first column to the left, the others to the right."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join([line[0].ljust(widths[0])] +
                        [c.rjust(w) for c, w in zip(line[1:], widths[1:])]).rstrip())
