"""Running a command on Debian's Linux in QEMU: archives, the machine, and the frames.

Provides what linux-run, the POSIX runner and the bench share: the initramfs, the command line
of the Linux machine, and the host's half of a session with tests/oracle/init.c. Archives and
frames are those of ./virtue (tools/virtue). Leaves to others: fetching Debian's packages and
building the root archive; both are inputs.
"""

import binascii
import glob
import hashlib
import os
import select
import stat
import struct
import subprocess
import sys
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(REPO, "tools"))
from virtue import frames, newc  # noqa: E402

BUILD = os.environ.get("BUILD", os.path.join(REPO, "build"))
NO_VERDICT, HANG = 123, 121

# What makes Linux fast and repeatable; printed with every measurement.
LINUX_SETTINGS = "quiet mitigations=off nokaslr tsc=reliable random.trust_cpu=on panic=-1"


class Failure(Exception):
    """An input is missing or wrong; the text tells the user what to do."""


# ---------------------------------------------------------------- the session

class Session:
    """Takes frames; hands stdout and stderr on, and gathers the status and the files."""

    def __init__(self, out, err, files):
        self.out, self.err = out, err
        self.files = files          # [(guest path, host path)]
        self.status = None
        self.done = False
        self.current = None         # (host path, bytearray, errno) of the file being received

    def take(self, kind, payload):
        if kind == b"O":
            self.out(payload)
        elif kind == b"E":
            self.err(payload)
        elif kind == b"S":
            self.status = payload[0]
        elif kind == b"G":
            index, errno, _ = struct.unpack("<HHQ", payload)
            self.current = (self.files[index], bytearray(), errno)
        elif kind == b"D":
            self.current[1].extend(payload)
        elif kind == b"K":
            self.file_end(struct.unpack("<I", payload)[0])
        elif kind == b"B":
            self.done = True
        else:
            raise Failure(f"unknown frame {kind!r} from the guest")

    def file_end(self, crc):
        (guest, host), data, errno = self.current
        if errno:
            raise Failure(f"--get {guest}: {os.strerror(errno)}")
        if binascii.crc32(data) != crc:
            raise Failure(f"--get {guest}: checksum differs")
        with open(host, "wb") as f:
            f.write(data)


# ---------------------------------------------------------------- the Linux machine

def linux_kernel():
    """Path of Debian's vmlinuz: $VIRTUE_LINUX, or the fetched package's."""
    path = os.environ.get("VIRTUE_LINUX")
    found = [path] if path else glob.glob(
        os.path.join(BUILD, "pkg", "linux-image-amd64", "boot", "vmlinuz-*"))
    if not found:
        raise Failure("no Linux kernel: run `make posix-tests`")
    return max(found)


def root_archive():
    """Path of the root archive, the same one Virtue boots with."""
    path = os.environ.get("VIRTUE_ROOT", os.path.join(BUILD, "root.cpio"))
    if not os.path.exists(path):
        raise Failure(f"no root archive {path}: run `make`")
    return path


def init_program():
    """The static init for Linux, built on demand."""
    source = os.path.join(REPO, "tests", "oracle", "init.c")
    target = os.path.join(BUILD, "oracle", "init")
    if not os.path.exists(target) or os.path.getmtime(target) < os.path.getmtime(source):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        subprocess.run(["musl-gcc", "-std=gnu17", "-O2", "-static", "-o", target + ".new", source],
                       check=True)
        os.replace(target + ".new", target)
    return target


def read(path):
    with open(path, "rb") as f:
        return f.read()


def initramfs(files=(), trees=()):
    """Root archive + the oracle's init + host folders + single files, as one initramfs."""
    extra = newc.Archive()
    for tree in trees:
        extra.add_host_tree(tree)
    extra.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    extra.add_file("init", read(init_program()), 0o755)
    for name, data in files:
        extra.add_file(name, data)
    return read(root_archive()) + extra.pack()


def qemu_linux(initrd, cpus=1, mem="512M", icount=False, append="", serials=(), cpu="max"):
    """The command line of the Linux machine; `serials` are QEMU -serial back ends in order."""
    words = ["qemu-system-x86_64", "-accel", "tcg", "-M", "q35", "-cpu", cpu,
             "-smp", str(cpus), "-m", mem, "-nodefaults", "-net", "none", "-display", "none",
             "-no-reboot", "-kernel", linux_kernel(), "-initrd", initrd,
             "-append", f"console=ttyS0 {LINUX_SETTINGS} {append}".strip()]
    if icount:
        words += ["-icount", "shift=0,sleep=off"]
    for back in serials:
        words += ["-serial", back]
    return words


def stop(process):
    process.kill()
    process.wait()


def session_run(words, session, timeout):
    """Runs QEMU, whose stdout is COM2, until the bye frame. Returns the run's status."""
    splitter = frames.Splitter()
    deadline = time.monotonic() + timeout
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    fd = process.stdout.fileno()
    try:
        while not session.done:
            left = deadline - time.monotonic()
            if left <= 0:
                return HANG
            if not select.select([fd], [], [], left)[0]:
                continue
            data = os.read(fd, 65536)
            if not data:
                return NO_VERDICT
            for frame in splitter.feed(data):
                session.take(*frame)
    finally:
        stop(process)
    return NO_VERDICT if session.status is None else session.status


def digest(*chunks):
    """One short key of many byte strings, for caches."""
    h = hashlib.sha256()
    for chunk in chunks:
        h.update(struct.pack("<Q", len(chunk)) + chunk)
    return h.hexdigest()[:24]


def complain(text):
    print(text, file=sys.stderr, flush=True)
