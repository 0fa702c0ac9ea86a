#!/usr/bin/env python3
"""Tests the debugger's commands (tools/gdb/virtue.py) on the machine, stopped in a call of the
session. Prints `ok NAME` or `FAIL NAME: why`.

What the structures mean is left to the kernel's own tests.
"""

import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

STOP = ["virtue boot", "hbreak call_wait", "continue", "delete"]
# command, what its output must have
EXPECTED = [
    ("virtue cpus", r"cpu 0: \w+ at 0xffff80[0-9a-f]+, privilege 0"),
    ("virtue domains", r"^256 +active +[1-9]\d* +[1-9]"),
    ("virtue frames", r"^domain 256: data \d+, pt1 \d+, pt2 \d+, pt3 \d+, pt4 \d+"),
    ("virtue frame 256", r"frame 0x100: object"),
    ("virtue caps 256", r"^1 +domain +0x3f"),
    ("virtue caps 1", r"1 is no domain"),
    ("virtue pt &kernel_main", r"level 4: table \S+, entry 257: [^\n]*\n(level .*\n)+"
                               r"0x[0-9a-f]+ is physical 0x2[0-9a-f]{5}$"),
    ("virtue pt 0x10", r"not mapped"),
    ("virtue map", r"^0x0000000000400000-0x[0-9a-f]+ ru"),
    ("virtue pt", r"usage: virtue pt ADDRESS"),
]


def session(commands):
    """gdb's output, a marker line before that of each command."""
    lines = STOP + [line for command in commands for line in (f"echo \\n=====\\n", command)]
    text = "\n".join(lines + ["kill", "quit"]) + "\n"
    result = subprocess.run(["./virtue", "gdb", "--boot", "direct", "--", "true"], input=text,
                            cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            timeout=100)
    return result.stdout.replace("(gdb) ", "").split("=====\n")


def main():
    subprocess.run([os.path.join(TOP, "tools", "need"), "gdb"], check=True)
    before, *outputs = session([command for command, _ in EXPECTED])
    if len(outputs) != len(EXPECTED):
        print(f"FAIL start: gdb said {before[-500:]!r}")
        return 1
    failed = 0
    for (command, pattern), output in zip(EXPECTED, outputs):
        if re.search(pattern, output, re.MULTILINE):
            print(f"ok {command}")
        else:
            failed += 1
            print(f"FAIL {command}: {output[:500]!r} lacks {pattern!r}")
    return 1 if failed else 0


sys.exit(main())
