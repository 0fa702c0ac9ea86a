#!/usr/bin/env python3
"""Planted bugs: do the tests notice?

usage: mutants.py [--count N] [--seed S] [--jobs J] [--need K] BUILD

Takes N seeded one-line mutants of exo/core, compiles each with the host model, and runs the unit tests
and then a short fuzz against it.  A mutant is caught if a test fails, crashes or hangs.  One that
the compiler turns into the very same code is no mutant and is replaced.  Prints each
mutant; exit status 1 if fewer than K are caught (default 95 of 100).
BUILD is a build folder in which host-core and fuzz are up to date.
"""
import argparse
import concurrent.futures
import glob
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys

# Compiled without the sanitizers' slower checks; ASan and UBSan stay on.
CFLAGS = ("-std=gnu17 -g0 -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -w -I{overlay} -I. -I{build}/gen").split()
FUZZ = [("60000", "1"), ("60000", "2")]
TIMEOUT = 40

# (pattern, replacements): one match of one pattern on one line is changed.
RULES = [
    (r"(?<![<>=!-])<(?![<=])", ["<=", ">="]), (r"(?<![->=])>(?![>=])", [">=", "<="]),
    (r"<=", ["<", ">"]), (r">=", [">", "<"]), (r"==", ["!="]), (r"!=", ["=="]),
    (r"&&", ["||"]), (r"\|\|", ["&&"]), (r"\+\+", ["--"]), (r"--", ["++"]),
    (r"\+=", ["-="]), (r"-=", ["+="]), (r" \+ ", [" - "]), (r" - ", [" + "]),
    (r" \| ", [" & "]), (r" & (?!~)", [" | "]), (r" & ~", [" & "]),
    (r"if \(!", ["if ("]), (r"\breturn true\b", ["return false"]), (r"\breturn false\b", ["return true"]),
    (r"^\t+[a-z_]+(->|\.)?[a-z_]*\(.*\);$", [""]),             # a call left out
    (r"^\t+[a-z][a-z_>.\[\]\(\)-]* [-+|&]?= .*;$", [""]),       # an assignment left out
    (r"^\t+[a-z][a-z_>.\[\]\(\)-]*(\+\+|--);$", [""]),          # a count left out
]


def lines_of(path):
    """Numbers of lines that are code of a function's body."""
    comment = False
    for number, line in enumerate(open(path), 1):
        text = line.rstrip("\n")
        starts, ends = "/*" in text, "*/" in text
        if not comment and not starts and text.startswith("\t") and "FAIL(" not in text.split("?")[0] \
           and not re.match(r"\t+(case|default|const|static|struct|uint\w+|unsigned|bool|int|log_print|trace)\b", text) \
           and not text.strip().startswith(("#", "\"")):
            yield number, text
        comment = (comment or starts) and not ends


def candidates():
    for path in sorted(glob.glob("exo/core/*.c")):
        for number, text in lines_of(path):
            for pattern, replacements in RULES:
                for match in re.finditer(pattern, text):
                    for new in replacements:
                        yield path, number, text, text[:match.start()] + new + text[match.end():]


class Bench:
    def __init__(self, build):
        self.build = build
        self.sources = sorted(glob.glob("exo/core/*.c") + glob.glob("exo/net/*.c"))
        self.tests = [os.path.join(build, "h", os.path.splitext(s)[0] + ".o")
                      for s in sorted(glob.glob("tests/host/test_*.c")) + ["tests/host/actors.c"]]
        self.model = [os.path.join(build, "h", os.path.splitext(s)[0] + ".o")
                      for s in sorted(glob.glob("tests/host/model*.c")) + ["tests/host/audit.c"]]
        self.fuzz = [os.path.join(build, "h/tests/host/fuzz.o")]
        self.folder = os.path.join(build, "mutants")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)

    def compile(self, source, output, overlay):
        flags = [f.format(overlay=overlay, build=self.build) for f in CFLAGS]
        return subprocess.run(["gcc", *flags, "-c", "-o", output, source], stderr=subprocess.DEVNULL).returncode == 0

    def code(self, obj):
        text = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", obj], capture_output=True, text=True).stdout
        return hashlib.sha256("\n".join(text.splitlines()[2:]).encode()).hexdigest()

    def objects(self, path, replacement):
        return [replacement if s == path else os.path.join(self.build, "h", os.path.splitext(s)[0] + ".o")
                for s in self.sources]

    def original(self, path):
        """The unchanged file, compiled in the same way, to compare with."""
        obj = os.path.join(self.folder, os.path.basename(path)[:-2] + ".orig.o")
        if not os.path.exists(obj):
            self.compile(path, obj, ".")
        return self.code(obj)

    def mutate(self, index, path, number, new):
        """The object of a mutant, or None if it does not compile or is no change."""
        folder = os.path.join(self.folder, str(index))
        os.makedirs(folder, exist_ok=True)
        lines = open(path).read().split("\n")
        lines[number - 1] = new
        # In the source's own folder's place, so that "header.h" is found by -iquote.
        source = os.path.join(folder, os.path.basename(path))
        open(source, "w").write("\n".join(lines))
        obj = source[:-2] + ".o"
        flags = [f.format(overlay="exo/core", build=self.build) for f in CFLAGS]
        if subprocess.run(["gcc", *flags, "-iquote", "exo/core", "-c", "-o", obj, source],
                          stderr=subprocess.DEVNULL).returncode:
            return None
        return None if self.code(obj) == self.original(path) else obj

    def run(self, command):
        """None if it passed, else why not."""
        # A session of its own: host-core runs each test in a child, which is to end with it.
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              start_new_session=True) as process:
            try:
                output, _ = process.communicate(timeout=TIMEOUT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return "hang"
        if process.returncode == 0:
            return None
        fails = [l.split()[2].rstrip(":") for l in output.splitlines() if l.startswith("FAIL host-core")]
        return ", ".join(fails[:2]) or "fuzz"

    def judge(self, path, obj):
        folder = os.path.dirname(obj)
        core = self.objects(path, obj)
        for name, main, commands in (("host-core", self.tests, [["-x"]]), ("fuzz", self.fuzz, [list(f) for f in FUZZ])):
            binary = os.path.join(folder, name)
            link = ["gcc", "-fsanitize=address,undefined", "-o", binary, *core, *self.model, *main]
            if subprocess.run(link, stderr=subprocess.DEVNULL).returncode:
                raise SystemExit(f"mutants: {binary} does not link: is the build folder up to date?")
            for args in commands:
                why = self.run([binary, *args])
                if why:
                    shutil.rmtree(folder)
                    return why
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--need", type=int, default=None)
    options = parser.parse_args()
    need = options.count * 95 // 100 if options.need is None else options.need
    bench = Bench(options.build)
    pool = list(candidates())
    random.Random(options.seed).shuffle(pool)
    chosen, seen = [], set()
    for path, number, old, new in pool:
        if len(chosen) == options.count:
            break
        if (path, number) in seen:
            continue
        obj = bench.mutate(len(chosen), path, number, new)
        if obj:
            seen.add((path, number))
            chosen.append((path, number, old, new, obj))
    caught = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as threads:
        verdicts = threads.map(lambda m: bench.judge(m[0], m[4]), chosen)
        for (path, number, old, new, _), why in zip(chosen, verdicts):
            caught += why is not None
            print(f"{'caught' if why else 'MISSED'} {path}:{number}: {old.strip()}  =>  {new.strip() or '(left out)'}"
                  + (f"  [{why}]" if why else ""), flush=True)
    verdict = "ok" if caught >= need else "FAIL"
    print(f"{verdict} mutants: {caught} of {len(chosen)} caught (at least {need}), seed {options.seed}")
    return caught < need


if __name__ == "__main__":
    sys.exit(main())
