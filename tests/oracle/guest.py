"""Running a command on Debian's Linux in QEMU: archives, the machine, and the frames.

Provides what linux-run, the POSIX runner and the bench share: a newc archive writer, the
parser of the frames of docs/run-protocol.md, and the command line of the Linux machine.
Leaves to others: fetching Debian's packages and building the root archive (both are inputs).
"""

import binascii
import hashlib
import os
import select
import stat
import struct
import subprocess
import sys
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(REPO, "build"))
NO_VERDICT, HANG = 123, 121

# What makes Linux fast and repeatable; printed with every measurement.
LINUX_SETTINGS = "quiet mitigations=off nokaslr tsc=reliable random.trust_cpu=on panic=-1"


class Failure(Exception):
    """An input is missing or wrong; the text tells the user what to do."""


# ---------------------------------------------------------------- archives

class Archive:
    """A newc cpio archive in memory: the format Linux and Virtue unpack over their root."""

    def __init__(self):
        self.parts = []
        self.names = set()

    def entry(self, name, mode, data=b"", mtime=0, rdev=(0, 0)):
        name = name.strip("/")
        parent = os.path.dirname(name)
        if parent and parent not in self.names:
            self.entry(parent, stat.S_IFDIR | 0o755)
        if name in self.names and stat.S_ISDIR(mode):
            return
        self.names.add(name)
        raw = name.encode() + b"\0"
        fields = (len(self.parts) + 1, mode, 0, 0, 1, int(mtime), len(data), 0, 0, *rdev,
                  len(raw), 0)
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + raw
        self.parts.append(head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4))

    def file(self, name, data, mode=0o644):
        self.entry(name, stat.S_IFREG | mode, data)

    def tree(self, host):
        """The files below a host folder, at their paths relative to it, owned by root."""
        for folder, dirs, files in os.walk(host):
            dirs.sort()
            for item in sorted(dirs + files):
                path = os.path.join(folder, item)
                st = os.lstat(path)
                data = b""
                if stat.S_ISLNK(st.st_mode):
                    data = os.readlink(path).encode()
                elif stat.S_ISREG(st.st_mode):
                    with open(path, "rb") as f:
                        data = f.read()
                elif not stat.S_ISDIR(st.st_mode):
                    continue
                self.entry(os.path.relpath(path, host), st.st_mode, data, st.st_mtime)

    def bytes(self):
        trailer = Archive()
        trailer.entry("TRAILER!!!", 0)
        body = b"".join(self.parts + trailer.parts)
        return body + bytes(-len(body) % 512)


# ---------------------------------------------------------------- frames

class Frames:
    """Splits a byte stream into frames (type, payload)."""

    def __init__(self):
        self.buffer = b""

    def feed(self, data):
        self.buffer += data
        while len(self.buffer) >= 3:
            kind, size = struct.unpack_from("<cH", self.buffer)
            if len(self.buffer) < 3 + size:
                return
            yield kind, self.buffer[3:3 + size]
            self.buffer = self.buffer[3 + size:]


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
    """Path of Debian's vmlinuz: $VIRTUE_LINUX, or the newest below build/."""
    path = os.environ.get("VIRTUE_LINUX")
    if path:
        return path
    found = []
    for folder, _, names in os.walk(os.path.join(BUILD, "oracle", "linux")):
        found += [os.path.join(folder, n) for n in names if n.startswith("vmlinuz-")]
    if not found:
        raise Failure("no Linux kernel below build/oracle/linux: run `make oracle`")
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
    extra = Archive()
    for tree in trees:
        extra.tree(tree)
    extra.entry("dev/console", stat.S_IFCHR | 0o600, rdev=(5, 1))
    extra.file("init", read(init_program()), 0o755)
    for name, data in files:
        extra.file(name, data)
    return read(root_archive()) + extra.bytes()


def qemu_linux(initrd, cpus=1, mem="512M", icount=None, append="", serials=(), cpu="max"):
    """The command line of the Linux machine; `serials` are QEMU -serial back ends in order."""
    words = ["qemu-system-x86_64", "-accel", "tcg", "-M", "q35", "-cpu", cpu,
             "-smp", str(cpus), "-m", mem, "-nodefaults", "-net", "none", "-display", "none",
             "-no-reboot", "-kernel", linux_kernel(), "-initrd", initrd,
             "-append", f"console=ttyS0 {LINUX_SETTINGS} {append}".strip()]
    if icount is not None:
        words += ["-icount", f"shift={icount},sleep=off"]
    for back in serials:
        words += ["-serial", back]
    return words


def stop(process):
    process.kill()
    process.wait()


def session_run(words, session, timeout):
    """Runs QEMU, whose stdout is COM2, until the bye frame. Returns the run's status."""
    frames = Frames()
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
            for frame in frames.feed(data):
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
