"""Kernel calls per POSIX call: what a command costs in calls of the kernel, from its trace points.

A machine that counts instructions as time runs each command with the recording on; the rings,
copied out after each, tell what came between. What the events are is trace2json.py's to know;
leaves printing to report.py.
"""
import os
import struct
import subprocess
import tempfile
from collections import Counter, namedtuple
from pathlib import Path

import trace2json

# What it is to show, command
COMMANDS = [("a byte at a time", "dd if=/dev/zero of=/dev/null bs=1 count=1000 2> /dev/null"),
            ("one program", "cat /etc/passwd > /dev/null"),
            ("a pipeline of four",
             "find /etc -type f | xargs grep -c root | sort | head -n 3 > /dev/null")]
KINDS = 1 << trace2json.CALL | 1 << trace2json.UPCALL
SYSTEM_CALL, PAGE_FAULT = 0x100, 14
Cost = namedtuple("Cost", "what posix faults kernel")     # kernel: Counter of names


def script():
    lines = ["save() { echo 0 > /dev/trace; cat /dev/trace > /tmp/rings$1; }", "save 0"]
    for number, (_, command) in enumerate(COMMANDS, 1):
        lines += [f"echo {KINDS} > /dev/trace", command, f"save {number}"]
    return "\n".join(lines)


def cost(what, before, after, names):
    """Of the events between two copies of the rings, but for the call that ended the recording."""
    posix, faults, kernel = -1, 0, Counter(machine_ctl=-1)
    for old, new in zip(trace2json.split(before), trace2json.split(after)):
        seen, (head, slots) = struct.unpack_from("<Q", old)[0], struct.unpack_from("<QQ", new)
        if head - seen > slots:
            raise ValueError(f"{what}: more events than the ring holds")
        for i in range(seen, head):
            _, kind, _, code, *_ = trace2json.EVENT.unpack_from(
                new, trace2json.HEAD + i % slots * trace2json.EVENT.size)
            posix += kind == trace2json.UPCALL and code == SYSTEM_CALL
            faults += kind == trace2json.UPCALL and code == PAGE_FAULT
            if kind == trace2json.CALL:
                kernel[names[code]] += 1
    return Cost(what, posix, faults, +kernel)


def measure(build):
    """A Cost for each of COMMANDS, by the machine in the build folder."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"rings{n}" for n in range(len(COMMANDS) + 1)]
        gets = [word for file in files for word in ("--get", f"/tmp/{file.name}={file}")]
        subprocess.run(["./virtue", "run", "--icount", "--cpus", "1", "--log", f"{folder}/log",
                        *gets, "--", script()], check=True, env={**os.environ, "BUILD": str(build)})
        rings = [file.read_bytes() for file in files]
    names = trace2json.call_names()
    return [cost(what, *pair, names) for (what, _), pair in zip(COMMANDS, zip(rings, rings[1:]))]
