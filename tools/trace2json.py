#!/usr/bin/env python3
"""Turns the kernel's trace rings into a file that Perfetto and chrome://tracing open.

usage: trace2json.py [--khz N] RINGS > trace.json

RINGS holds the rings of all CPUs, one after the other, as the kernel exports them (struct
exo_trace_head and events, exo/abi/abi.h).  One track a CPU shows which context runs, with its
calls inside; upcalls, interrupts, signals and shootdowns are instants.
"""
import argparse
import json
import re
import struct
import sys
from pathlib import Path

PAGE = 4096
HEAD = 64
EVENT = struct.Struct("<QBBHIQQ")
CALL, RETURN, UPCALL, SWITCH, SHOOTDOWN, IRQ, SIGNAL = range(7)
HERE = Path(__file__).resolve().parent.parent


def call_names():
    table = (HERE / "exo/abi/calls.abi").read_text()
    return {int(n): name for n, name in re.findall(r"^call (\d+) (\w+)", table, re.M)}


def events(ring):
    """A ring's events, oldest first; nothing if it was never written."""
    head, slots = struct.unpack_from("<QQ", ring)
    for i in range(max(0, head - slots), head):
        yield EVENT.unpack_from(ring, HEAD + (i % slots) * EVENT.size)


class Track:
    """One CPU: what runs, and the call that is open."""

    def __init__(self, out, names, cpu):
        self.out, self.names, self.cpu = out, names, cpu
        self.running = self.call = None

    def add(self, name, us, phase, **more):
        self.out.append({"name": name, "ph": phase, "ts": us, "pid": 1, "tid": self.cpu, **more})

    def event(self, us, kind, code, context, a, b):
        if kind == SWITCH and code == 1:
            if self.running:
                self.add(self.running, us, "E")
            self.running = f"context {a:#x} of domain {b:#x}"
            self.add(self.running, us, "B")
        elif kind == CALL:
            self.call = (us, code, a, b)
        elif kind == RETURN and self.call and self.call[1] == code:
            begin = self.call[0]
            self.add(self.names.get(code, str(code)), begin, "X", dur=us - begin,
                     args={"arg1": hex(self.call[2]), "arg2": hex(self.call[3]), "status": a & 0xff, "value": hex(b)})
            self.call = None
        else:
            self.instant(us, kind, code, a, b)

    def instant(self, us, kind, code, a, b):
        texts = {UPCALL: ("upcall system call" if code == 0x100 else "upcall event" if code == 0x101
                          else f"upcall exception {code}", {"address": hex(a), "rip": hex(b)}),
                 SWITCH: ("root", {"pfn": hex(a)}),
                 SHOOTDOWN: ("shootdown", {"va": hex(a), "pages": b}),
                 IRQ: (f"interrupt {code:#x}", {}),
                 SIGNAL: ("signal", {"context": hex(a), "bits": hex(b)})}
        if kind in texts:
            name, args = texts[kind]
            self.add(name, us, "i", s="t", args=args)


def split(data):
    """The rings, whose heads tell how long they are."""
    rings = []
    while data:
        slots = struct.unpack_from("<QQ", data)[1] if len(data) >= HEAD else 0
        size = -(-(HEAD + slots * EVENT.size) // PAGE) * PAGE
        if not slots or size > len(data):
            sys.exit("trace2json: these are no trace rings")
        rings.append(data[:size])
        data = data[size:]
    return rings


def convert(data, khz):
    names, out = call_names(), []
    for cpu, ring in enumerate(split(data)):
        track = Track(out, names, cpu)
        out.append({"name": "thread_name", "ph": "M", "pid": 1, "tid": cpu, "args": {"name": f"CPU {cpu}"}})
        for tsc, kind, _, code, context, a, b in events(ring):
            track.event(tsc * 1000 / khz, kind, code, context, a, b)
    return {"traceEvents": out, "displayTimeUnit": "ns"}


def main():
    parser = argparse.ArgumentParser(description="trace rings to Chrome's trace format")
    parser.add_argument("--khz", type=float, default=1e6, help="the TSC's frequency")
    parser.add_argument("rings")
    options = parser.parse_args()
    json.dump(convert(Path(options.rings).read_bytes(), options.khz), sys.stdout)


if __name__ == "__main__":
    main()
