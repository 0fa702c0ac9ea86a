#!/usr/bin/env python3
"""Line coverage of the hardware-free core by the host tests.

usage: coverage.py BUILD MINIMUM     BUILD: a build folder made with --coverage, tests already run
Prints a line per file of exo/core with the lines that were not reached, and the sum;
exit status 1 if that is below MINIMUM percent.
"""
import glob
import gzip
import json
import os
import subprocess
import sys
import tempfile


def lines_of(gcda):
    """(source, {line: count}) pairs of one object's counts."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["gcov", "--json-format", "--object-file", gcda, gcda], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL)
        for name in glob.glob(os.path.join(folder, "*.gz")):
            with gzip.open(name) as file:
                for source in json.load(file)["files"]:
                    yield source["file"], {l["line_number"]: l["count"] for l in source["lines"]}


def ranges(numbers):
    out = []
    for n in numbers:
        if out and out[-1][1] == n - 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in out)


def main(build, minimum):
    counts = {}
    for gcda in glob.glob(os.path.join(build, "h/**/*.gcda"), recursive=True):
        for source, lines in lines_of(os.path.abspath(gcda)):
            source = os.path.normpath(source)
            if source.startswith("exo/core/"):
                known = counts.setdefault(source, {})
                for line, count in lines.items():
                    known[line] = known.get(line, 0) + count
    total = reached = 0
    for source in sorted(counts):
        lines = counts[source]
        missed = sorted(l for l, c in lines.items() if not c)
        total += len(lines)
        reached += len(lines) - len(missed)
        print(f"{source:28} {100 * (len(lines) - len(missed)) / len(lines):6.1f} %  {ranges(missed)}")
    percent = 100 * reached / total if total else 0
    verdict = "ok" if percent >= float(minimum) else "FAIL"
    print(f"{verdict} coverage of exo/core: {reached} of {total} lines, {percent:.1f} % (at least {minimum})")
    return verdict != "ok"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
