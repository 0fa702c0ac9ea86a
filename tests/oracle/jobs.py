"""Test jobs: run a list of them inside a system, and remember what Linux answered.

A job is a command with its files; tests/posix/driver.c runs many in one boot and streams the
results. If the system crashes or hangs, that is the running job's result, and the others go on
in a new boot. What Linux answered is kept under build/oracle/golden, one file a job, under a
key made of all that the answer depends on: the kernel, the shells, the job and its files.

Left to others: which jobs there are and what is right (tests/posix/run, tests/ash/run).
"""

import base64
import json
import os
import select
import shlex
import shutil
import subprocess
import time

import guest

BOOT_SECONDS = 90       # from QEMU's start to the first job
GRACE_SECONDS = 20      # beyond a job's own limit, which the driver enforces
CRASHED = "crashed"     # status of a job that took the system with it

# Files of the root archive whose content decides what a job prints.
TOOLS = ("bin/busybox", "bin/bash", "bin/bash-static", "bin/mksh", "etc/passwd", "etc/group")


class Job:
    """name; words to execute; files {path below /t: (bytes, mode)}; the driver's settings."""

    def __init__(self, name, words, files, seconds=30, flags="-", folder="-"):
        self.name, self.words, self.files = name, words, files
        self.seconds, self.flags, self.folder = seconds, flags, folder

    def line(self):
        return f"{self.name} {self.seconds} {self.flags} {self.folder} {' '.join(self.words)}\n"

    def content(self):
        parts = [self.line().encode()]
        for path in sorted(self.files):
            data, mode = self.files[path]
            parts += [path.encode(), data, b"%o" % mode]
        return parts


class Result:
    """status (0..255 or CRASHED), stdout and stderr as bytes."""

    def __init__(self, status, out=b"", err=b""):
        self.status, self.out, self.err = status, out, err

    def __eq__(self, other):
        return (self.status, self.out, self.err) == (other.status, other.out, other.err)

    def save(self, path):
        text = json.dumps({"status": self.status, "out": base64.b64encode(self.out).decode(),
                           "err": base64.b64encode(self.err).decode()})
        new = f"{path}.{os.getpid()}"
        with open(new, "w") as f:
            f.write(text)
        os.replace(new, path)

    @staticmethod
    def load(path):
        with open(path) as f:
            d = json.load(f)
        return Result(d["status"], base64.b64decode(d["out"]), base64.b64decode(d["err"]))


# ---------------------------------------------------------------- the tested systems

class Linux:
    name = "linux"

    def command(self, folder, script, options):
        return [os.path.join(guest.REPO, "tests", "oracle", "linux-run"), "--add", folder,
                "--timeout", "36000", *options, "--", script]


class Virtue:
    name = "virtue"

    def command(self, folder, script, options):
        return [os.path.join(guest.REPO, "virtue"), "run", "--boot", "direct",
                "--log", folder + ".log", "--add", folder, "--timeout", "36000", *options, "--",
                script]


SYSTEMS = {s.name: s for s in (Linux(), Virtue())}


# ---------------------------------------------------------------- one boot

def payload(folder, jobs, shared):
    """Writes /t/driver, /t/jobs and all files of the jobs below a host folder."""
    shutil.rmtree(folder, ignore_errors=True)
    files = {"driver": (guest.read(os.path.join(guest.BUILD, "tests", "posix", "driver")), 0o755),
             "jobs": ("".join(j.line() for j in jobs).encode(), 0o644)}
    files.update(shared)
    for job in jobs:
        files.update(job.files)
    for path, (data, mode) in files.items():
        full = os.path.join(folder, "t", path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as f:
            f.write(data)
        os.chmod(full, mode)


class Stream:
    """The driver's output: pieces of it come in, begins and results go out."""

    def __init__(self):
        self.data = b""

    def feed(self, piece):
        """Yields ("B", name, None) and ("R", name, Result)."""
        self.data += piece
        while b"\n" in self.data:
            line, rest = self.data.split(b"\n", 1)
            words = line.decode("ascii", "replace").split(" ")
            if words[0] == "B" and len(words) == 2:
                self.data = rest
                yield "B", words[1], None
            elif words[0] == "R" and len(words) == 5:
                status, out, err = (int(w) for w in words[2:])
                if len(rest) < out + err:
                    return
                self.data = rest[out + err:]
                yield "R", words[1], Result(status, rest[:out], rest[out:out + err])
            else:
                raise guest.Failure(f"not a line of the driver: {line[:200]!r}")


def boot(system, folder, jobs, options):
    """One boot. Yields (name, Result); a last (name, Result CRASHED) if a job ended the system."""
    command = system.command(folder, "/t/driver /t/jobs", options)
    seconds = {job.name: job.seconds for job in jobs}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    fd, stream, running = process.stdout.fileno(), Stream(), None
    limit = time.monotonic() + BOOT_SECONDS
    why = "hang"
    try:
        while True:
            left = limit - time.monotonic()
            if left <= 0:
                break
            if not select.select([fd], [], [], left)[0]:
                continue
            piece = os.read(fd, 65536)
            if not piece:
                why = f"status {process.wait()}"
                break
            for kind, name, result in stream.feed(piece):
                running = name if kind == "B" else None
                limit = time.monotonic() + seconds.get(name, 30) + GRACE_SECONDS
                if result:
                    yield name, result
    finally:
        process.terminate()     # the tool ends its machine with itself
        try:
            errors = process.communicate(timeout=10)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            errors = process.communicate()[1]
    if running:
        yield running, Result(CRASHED, stream.data, f"{why}\n".encode() + errors[-2000:])


def run(system, jobs, shared, options=(), name="jobs"):
    """Runs jobs, in as many boots as crashes make necessary; yields (Job, Result) in order.

    The files lie in build/tests/NAME-SYSTEM afterwards, the kernel's log beside it.
    """
    left = list(jobs)
    folder = os.path.join(guest.BUILD, "tests", f"{name}-{system.name}")
    while left:
        payload(folder, left, shared)
        by_name = {job.name: job for job in left}
        for ended, result in boot(system, folder, left, options):
            yield by_name.pop(ended), result
        if len(by_name) == len(left):
            command = shlex.join(system.command(folder, "/t/driver /t/jobs", options))
            raise guest.Failure(f"{system.name} ran no job at all; try: {command}")
        left = list(by_name.values())


# ---------------------------------------------------------------- what Linux answered

def root_tools():
    """The content of TOOLS in the root archive, and Linux's version."""
    parts, data, at = [os.path.basename(guest.linux_kernel()).encode()], \
        guest.read(guest.root_archive()), 0
    while data[at:at + 6] == b"070701":
        fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        size, length = fields[6], fields[11]
        name = data[at + 110:at + 110 + length - 1].decode("latin-1").lstrip("./")
        at += (110 + length + 3) & ~3
        if name in TOOLS:
            parts += [name.encode(), data[at:at + size]]
        at += (size + 3) & ~3
    return guest.digest(*parts)


class Golden:
    """Linux's answers, run where missing."""

    def __init__(self, shared, name):
        self.shared, self.name = shared, name
        self.folder = os.path.join(guest.BUILD, "oracle", "golden")
        os.makedirs(self.folder, exist_ok=True)
        driver = guest.read(os.path.join(guest.BUILD, "tests", "posix", "driver"))
        parts = [root_tools().encode(), driver]
        for path in sorted(shared):
            parts += [path.encode(), shared[path][0]]
        self.base = guest.digest(*parts).encode()

    def path(self, job):
        return os.path.join(self.folder, guest.digest(self.base, *job.content()))

    def fill(self, jobs):
        """Makes sure that all jobs have an answer: with instructions as the time, so that the
        host's load has no part in it."""
        missing = [j for j in jobs if not os.path.exists(self.path(j))]
        if missing:
            guest.complain(f"oracle: running {len(missing)} jobs on Linux")
        for job, result in run(SYSTEMS["linux"], missing, self.shared, ("--icount",), self.name):
            if result.status == CRASHED:
                raise guest.Failure(f"{job.name} crashed Linux: {result.err.decode()}")
            result.save(self.path(job))

    def get(self, job):
        return Result.load(self.path(job))
