"""How long the machine waited for a CPU of the host: what other programs took from a measurement.

Linux notes for each thread how long it was ready and did not run (/proc/PID/task/TID/schedstat).
Of QEMU's threads only the one that runs the guest's CPU counts, the busiest: what the others wait
for mostly happens at the same time. Where the host does not tell, it is 0. What a hypervisor below
the host takes is not in it.
"""

import glob
import os
import time


def _parents():
    found = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                text = file.read()
        except OSError:
            continue            # it has ended
        name, rest = text.split("(", 1)[1].rsplit(")", 1)
        found[int(text.split(" ", 1)[0])] = (int(rest.split()[1]), name)
    return found


def machine_below(pid):
    """The QEMU that `pid` started, at whatever depth; None: there is none now."""
    parents = _parents()
    for child, (parent, name) in parents.items():
        while parent > 1 and parent != pid:
            parent = parents.get(parent, (0, ""))[0]
        if parent == pid and name.startswith("qemu-system"):
            return child
    return None


def waited(machine):
    """ns that the busiest thread was ready and did not run."""
    busiest = (0, 0)
    for task in glob.glob(f"/proc/{machine}/task/*/schedstat"):
        try:
            with open(task, encoding="ascii") as file:
                ran, ready, _ = (int(word) for word in file.read().split())
        except (OSError, ValueError):
            continue
        busiest = max(busiest, (ran, ready))
    return busiest[1]


class Meter:
    """Stretches of a run, by number: how long each took by the host's clock, and which part of
    that the machine waited."""

    def __init__(self, pid):
        self.pid, self.machine, self.began = pid, None, {}
        self.part, self.ms = {}, {}

    def _now(self):
        self.machine = self.machine or machine_below(self.pid)
        return time.monotonic_ns(), waited(self.machine) if self.machine else 0

    def begin(self, number):
        self.began[number] = self._now()

    def end(self, number):
        (start, before), (end, after) = self.began.pop(number), self._now()
        self.ms[number] = (end - start) // 1000000
        self.part[number] = max(0, after - before) / max(1, end - start)
