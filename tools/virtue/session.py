"""A command run by frames: the host's side of docs/run-protocol.md.

Forwards the streams, passes on Ctrl-C, receives the files asked for. Keeps what the verdict needs:
`status` (None until the machine has said it), `bye`, and `complaints` about files. The bytes are
moved by loop.py.
"""

import collections
import fcntl
import os
import signal
import struct
import termios
import zlib

from . import frames, payload


class Session:
    def __init__(self, options):
        self.to_machine = bytearray()
        self.to_host = collections.deque()
        self.leaving = False
        self.status = None
        self.bye = False
        self.complaints = []
        self._splitter = frames.Splitter()
        self._waiting = bytearray()  # frames to send once the machine is ready
        self._broken = set()
        self._interrupts = 0
        self._files = [Received(path, host_file) for path, host_file in options.get]
        self._file = None
        self._stdin_packed = payload.stdin_is_packed(options)
        self._follows_window = not options.icount
        if os.isatty(0) and not self._stdin_packed:
            self._send(b"Z")
        self.reads_input = not os.isatty(0) and not self._stdin_packed
        self._send_window()

    @property
    def ends_soon(self):
        return self.bye

    def _send(self, kind, data=b""):
        pending = self.to_machine if self._splitter.ready else self._waiting
        pending += frames.build(kind, data)

    def _send_window(self):
        if self._follows_window and os.isatty(1):
            size = fcntl.ioctl(1, termios.TIOCGWINSZ, bytes(8))
            self._send(b"W", size[:4])

    # From the host

    def take_input(self, data):
        if data:
            self._send(b"I", data)
        else:
            self._send(b"Z")

    def take_signal(self, number):
        if number == signal.SIGWINCH:
            self._send_window()
            return True
        self._interrupts += number == signal.SIGINT
        if number != signal.SIGINT or self._interrupts > 1:
            return False
        self._send(b"C", bytes([signal.SIGINT]))
        return True

    def take_broken(self, descriptor):
        """The reader of our output is gone: what a command on the host would get is SIGPIPE."""
        if descriptor not in self._broken:
            self._broken.add(descriptor)
            self._send(b"C", bytes([signal.SIGPIPE]))

    # From the machine

    def take_output(self, data):
        was_ready = self._splitter.ready
        for kind, content in self._splitter.feed(data):
            self._take_frame(kind, content)
        if self._splitter.ready and not was_ready:
            self.to_machine += self._waiting
            self._waiting.clear()

    def _take_frame(self, kind, content):
        if self.bye:
            raise frames.FrameError("a frame after the last one (B)")
        getattr(self, "_take_" + kind.decode())(content)

    def _print(self, descriptor, content):
        if content and descriptor not in self._broken:
            self.to_host.append((descriptor, content))

    def _take_O(self, content):
        self._print(1, content)

    def _take_E(self, content):
        self._print(2, content)

    def _take_S(self, content):
        if len(content) != 1 or self.status is not None:
            raise frames.FrameError("a bad frame of the exit status (S)")
        self.status = content[0]

    def _take_G(self, content):
        if len(content) != 12 or self._file or self.status is None:
            raise frames.FrameError("a file (G) at a wrong place")
        index, error, size = struct.unpack("<HHQ", content)
        if index >= len(self._files):
            raise frames.FrameError(f"file {index} (G), which nobody asked for")
        self._file = self._files[index]
        self._file.start(error, size)

    def _take_D(self, content):
        if not self._file:
            raise frames.FrameError("data (D) of no file")
        self._file.add(content)

    def _take_K(self, content):
        if not self._file or len(content) != 4:
            raise frames.FrameError("a bad end of a file (K)")
        self._file.end(int.from_bytes(content, "little"))
        self._file = None

    def _take_B(self, _):
        self.bye = True

    def close(self):
        """Discards files that did not come whole, and collects all complaints about files."""
        for file in self._files:
            file.close()
            if file.complaint:
                self.complaints.append(f"--get {file.path}: {file.complaint}")


class Received:
    """A file copied out of the machine: it takes its place only when whole and checked."""

    def __init__(self, path, host_file):
        self.path = path
        self.complaint = "did not arrive"
        self._host_file = host_file
        self._part_name = f"{host_file}.part{os.getpid()}"
        self._part = None
        self._error = self._size = self._got = self._crc = 0

    def start(self, error, size):
        self._error, self._size, self._got, self._crc = error, size, 0, 0
        if error:
            self.complaint = os.strerror(error)
            return
        try:
            self._part = open(self._part_name, "wb")
        except OSError as host_error:
            self.complaint = str(host_error)

    def add(self, data):
        self._got += len(data)
        self._crc = zlib.crc32(data, self._crc)
        if self._part:
            self._part.write(data)

    def end(self, crc):
        if not self._part:
            return
        self._part.close()
        self._part = None
        if self._crc != crc or (self._size and self._got != self._size):
            self.complaint = (f"checksum mismatch ({self._got} of {self._size} bytes, "
                              f"CRC-32 {self._crc:08x}, machine says {crc:08x})")
            os.unlink(self._part_name)
            return
        try:
            os.replace(self._part_name, self._host_file)
            self.complaint = None
        except OSError as host_error:
            self.complaint = str(host_error)

    def close(self):
        if self._part:
            self._part.close()
            os.unlink(self._part_name)
