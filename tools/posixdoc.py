#!/usr/bin/env python3
"""make docs: docs/posix.md, from libos/posix/syscalls.def and syscalls.notes.

usage: posixdoc.py > docs/posix.md

Provides the two files as data (calls_read, notes_read), what must hold of them (problems), and
the page. That the cases named as tests exist is checked by tests/docs/generated.
"""
import re
import sys
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent.parent / "libos/posix"
ROW = re.compile(r'^X\((\d+), (\w+), (\w+), (\w+), "([^"]+)"\)$')
STATES = {
    "FULL": "as Linux; the test compares what it prints with Linux's answer",
    "PARTIAL": "a part is missing: see the table",
    "FAKE": "succeeds without doing it",
    "NONE": "known, but `ENOSYS`",
    "PRIVATE": "not one of Linux's",
}


class Call(NamedTuple):
    number: int
    name: str
    state: str
    handler: str
    test: str


def calls_read():
    """The rows of syscalls.def, in order of number."""
    calls = []
    for line in (FOLDER / "syscalls.def").read_text().splitlines():
        if line.startswith("X("):
            match = ROW.match(line)
            if not match:
                sys.exit(f"posixdoc: not a row: {line}")
            calls.append(Call(int(match[1]), *match.groups()[1:]))
    return sorted(calls)


def notes_read():
    """({name: text}, [absent calls]) of syscalls.notes."""
    notes, absent = {}, []
    for line in (FOLDER / "syscalls.notes").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        names, _, text = line.partition(": ")
        if names == "absent":
            absent += text.split()
        else:
            notes.update((name, text) for name in names.split())
    return notes, absent


def problems(calls, notes, absent):
    """What is wrong with the data, as lines."""
    names = {c.name for c in calls}
    numbers = [c.number for c in calls]
    noted = {c.name for c in calls if c.state in ("PARTIAL", "FAKE")}
    return ([f"{c.name}: no state {c.state}" for c in calls if c.state not in STATES] +
            [f"two rows have the number {n}" for n in set(numbers) if numbers.count(n) > 1] +
            [f"{name}: no note says what is missing" for name in sorted(noted - set(notes))] +
            [f"{name}: a note, but not PARTIAL or FAKE" for name in sorted(set(notes) - noted)] +
            [f"{name}: listed as absent, but has a row" for name in absent if name in names])


def page(calls, notes, absent):
    out = ["# The system calls of the POSIX libOS", "",
           "Generated from `libos/posix/syscalls.def` and `syscalls.notes` by `make docs`. A test"
           " is a case of `tests/posix/run` (`-k NAME` repeats it), or a suite of `tests/run`.", "",
           "| state | calls | meaning |", "| --- | --- | --- |"]
    out += [f"| {state} | {sum(c.state == state for c in calls)} | {text} |"
            for state, text in STATES.items()]
    out += ["", "## Fakes", ""]
    out += [f"- `{c.name}`: {notes[c.name]}" for c in calls if c.state == "FAKE"]
    out += ["", "## Not here", "",
            f"{len(absent)} calls of Linux 6.1 have no row. They, and every unknown number, give"
            " `ENOSYS` and leave one line in the log, the first time each: `system call 29 is not"
            " there (name[pid])`.", "",
            ", ".join(f"`{name}`" for name in absent) + ".", "",
            "## All calls", "", "| number | call | state | other than on Linux | test |",
            "| --- | --- | --- | --- | --- |"]
    out += [f"| {c.number} | {c.name} | {c.state} | {notes.get(c.name, '')} |"
            f" {'' if c.test == '-' else c.test} |" for c in calls]
    return "\n".join(out) + "\n"


def main():
    calls, (notes, absent) = calls_read(), notes_read()
    wrong = problems(calls, notes, absent)
    if wrong:
        sys.exit("\n".join(f"posixdoc: {line}" for line in wrong))
    sys.stdout.write(page(calls, notes, absent))


if __name__ == "__main__":
    main()
