"""Pauses the machines under test at random, as a busy host does.

A test of a machine runs by the host's clock, and any host may leave QEMU without a processor for
a tenth of a second, between any two instructions of the guest's. What a case may then not say is
how long something took; this finds the cases that do. Whole processes stop: virtual processors
that stop one by one need a loaded host (several runs at once).

Left to others: which suites run, and what they say (tests/run).
"""

import os
import random
import signal
import threading
import time

MACHINE = "qemu-system"
BETWEEN = 0.3  # seconds, the mean of the time from pause to pause
SHORTEST, LONGEST = 0.005, 0.4


def parents():
    """{process: (its name, its parent)} of all that run"""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:  # it has ended
            continue
        name, rest = text[text.index("(") + 1:].rsplit(")", 1)
        found[int(pid)] = name, int(rest.split()[1])
    return found


def machines():
    """The machines among this process's descendants."""
    processes, found = parents(), []
    for pid, (name, parent) in processes.items():
        while name.startswith(MACHINE) and parent in processes and parent != os.getpid():
            parent = processes[parent][1]
        if name.startswith(MACHINE) and parent == os.getpid():
            found.append(pid)
    return found


def pause(pid, seconds):
    try:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        pass


def keep_pausing(chance):
    while True:
        time.sleep(chance.expovariate(1 / BETWEEN))
        running = machines()
        if running:
            long = SHORTEST * (LONGEST / SHORTEST) ** chance.random()
            pause(chance.choice(running), long)


def start(seed):
    """Pauses the machines of this process's suites from now on. The same seed gives the same pauses,
    though not at the same instructions."""
    threading.Thread(target=keep_pausing, args=(random.Random(seed),), daemon=True).start()
