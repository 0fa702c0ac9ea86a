#!/usr/bin/env python3
"""make report: how large the kernel is, its longest functions, its deepest stack, and how often
the POSIX libOS calls it.

usage: report.py [--json] BUILD

Lines of code: no blanks, no comments, of everything linked into the kernel (.c and .S files) except
drivers/; at most 6,000 without storage, network and gates, 8,000 with them.  Headers, which
declare, are counted beside.  Of the VMM (libos/vmm), headers too: at most 7,000, and 300 for each
of its disks.  The deepest stack is the longest path through gcc's call graph
(-fcallgraph-info=su), with the calls through tables added by hand; it must fit the 16 KiB of a CPU.
Kernel calls per POSIX call are counted in a run of the machine (kernelcalls.py).  Exit status 1: a
limit is exceeded.
"""
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
import kernelcalls  # noqa: E402

LINES_MAX = 6000
ALL_MAX = 8000
STORAGE = {"exo/core/ring.c", "exo/core/disk.c", "exo/arch/pci.c", "exo/arch/disks.c"}
NETWORK = {"exo/core/flow.c", "exo/core/packet.c", "exo/core/net.c", "exo/arch/nets.c"} | {
    f"exo/net/{name}.c" for name in ("cube", "view", "demux", "compile")}
GATES = {"exo/core/gate.c"}
STACK_MAX = 12288
VMM_MAX = 7000
# Each disk with all that is its alone.
VMM_DISKS = {"disk_plain": ("disk_plain.c",), "disk_cow": ("disk_cow.c", "cow.h")}
DISK_MAX = 299
# Calls through pointers: who may call whom (prefixes).
INDIRECT = {"call_dispatch": "call_", "pins": "frame_", "table_sweep": "",
            "interrupt": "block_interrupt", "irq_msi": "net_interrupt",
            "call_domain_destroy": "end_"}


def strip(text):
    """The text without comments; string and character literals are kept."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return token.sub(lambda m: re.sub(r"[^\n]", "", m[0]) if m[0][0] == "/" else m[0], text)


def code_lines(path):
    return sum(1 for line in strip(path.read_text()).splitlines() if line.strip())


def vmm_lines():
    return sum(code_lines(p) for p in Path("libos/vmm").iterdir() if p.suffix in (".c", ".h", ".S"))


def disk_lines():
    """Of each disk, by its name."""
    return {name: sum(code_lines(Path("libos/vmm", part)) for part in parts)
            for name, parts in VMM_DISKS.items()}


def functions(path):
    """(lines, name) of each function: from a line that ends a signature to a brace in column 0."""
    found, start, name = [], None, None
    lines = path.read_text().splitlines()
    for i, line in enumerate(lines):
        if line == "{" and start is None:
            head = " ".join(lines[max(0, i - 3):i])
            match = re.findall(r"(\w+)\([^()]*(?:\([^()]*\)[^()]*)*\)\s*$", head)
            start, name = i, match[-1] if match else "?"
        elif line.startswith("}") and start is not None:
            found.append((i - start + 1, name, str(path)))
            start = None
    return found


def call_graph(sources, build, flags):
    """Stack use of each function and who calls whom."""
    use, edges = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for source in sources:
            out = Path(folder) / (str(source).replace("/", "_") + ".o")
            command = ["gcc", *flags, "-I.", f"-I{build}/gen", "-fcallgraph-info=su",
                       "-c", str(source), "-o", str(out)]
            subprocess.run(command, check=True)
        for info in Path(folder).glob("*.ci"):
            text = info.read_text()
            for title, label in re.findall(r'node: \{ title: "([^"]+)" label: "([^"]*)"', text):
                size = re.search(r"(\d+) bytes", label)
                if size:
                    use[short(title)] = int(size.group(1))
            for a, b in re.findall(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', text):
                edges.setdefault(short(a), set()).add(short(b))
    for caller, prefix in INDIRECT.items():
        if caller in use and prefix:
            called = {f for f in use if f.startswith(prefix) and f != caller}
            edges.setdefault(caller, set()).update(called)
    return use, edges


def short(title):
    return title.split(":")[-1]


def deepest(use, edges):
    """(bytes, path) of the deepest chain; panic's is left out: it doesn't return."""
    memo, active = {}, set()

    def depth(f):
        if f in memo:
            return memo[f]
        if f in active or f in ("panic", "panic_trap") or f not in use:
            return 0, ()
        active.add(f)
        best, path = 0, ()
        for g in edges.get(f, ()):
            d, p = depth(g)
            if d > best:
                best, path = d, p
        active.discard(f)
        memo[f] = use[f] + 8 + best, (f, *path)
        return memo[f]

    return max((depth(f) for f in list(use)), default=(0, ()))


def main():
    as_json = "--json" in sys.argv
    build = [a for a in sys.argv[1:] if not a.startswith("--")][0]
    files = sorted(p for folder in ("exo/core", "exo/arch", "exo/abi", "exo/net")
                   for p in Path(folder).rglob("*") if p.suffix in (".c", ".h", ".S"))
    by_folder, headers, later = {}, 0, 0
    for path in files:
        lines = code_lines(path)
        if path.suffix == ".h":
            headers += lines
        else:
            by_folder[str(path.parent)] = by_folder.get(str(path.parent), 0) + lines
            later += lines if str(path) in STORAGE | NETWORK | GATES else 0
    total = sum(by_folder.values())
    longest = sorted((f for p in files if p.suffix == ".c" for f in functions(p)), reverse=True)
    sizes = sorted(n for n, _, _ in longest)
    flags = ["-std=gnu17", "-O2", "-ffreestanding", "-mno-red-zone", "-mgeneral-regs-only",
             "-fno-stack-protector", "-fno-omit-frame-pointer", "-fpie", "-fvisibility=hidden"]
    stack, path = deepest(*call_graph([p for p in files if p.suffix == ".c"], build, flags))
    report = {"lines": by_folder, "lines_total": total, "later": later, "headers": headers,
              "functions": len(sizes), "median": sizes[len(sizes) // 2],
              "vmm": vmm_lines(), "p90": sizes[len(sizes) * 9 // 10], "longest": longest[:8],
              "stack": stack, "stack_path": path}
    costs = kernelcalls.measure(build)
    report["kernel_calls"] = [cost._asdict() for cost in costs]
    if as_json:
        print(json.dumps(report, indent=1))
    else:
        for folder, lines in by_folder.items():
            print(f"{lines:6} lines of code in {folder}")
        print(f"{total:6} in all (limit {ALL_MAX}), {total - later} without storage, network and "
              f"gates (limit {LINES_MAX}); and {headers} in headers")
        print(f"functions: {len(sizes)}, median {report['median']} lines, 90 % within "
              f"{report['p90']}; the longest:")
        for n, name, where in longest[:8]:
            print(f"{n:6} {name} ({where})")
        print(f"{report['vmm']:6} in libos/vmm (limit {VMM_MAX})")
        print(f"deepest stack: {stack} bytes (limit {STACK_MAX}): {' > '.join(path)}")
        print("kernel calls per POSIX call:")
        for c in costs:
            calls = ", ".join(f"{n} {name}" for name, n in c.kernel.most_common())
            print(f"{c.kernel.total() / c.posix:6.2f} {c.what}: {c.posix} POSIX calls and "
                  f"{c.faults} page faults; {calls}")
    return (total - later > LINES_MAX or total > ALL_MAX or stack > STACK_MAX or
            report["vmm"] > VMM_MAX or max(disk_lines().values()) > DISK_MAX)


if __name__ == "__main__":
    sys.exit(main())
