"""The session's frames: type (1 byte), length (2 bytes, little endian), payload.

What the types mean is in docs/run-protocol.md, and left to session.py.
"""

import struct

LARGEST = 4096
READY = b"R\x08\x00VIRTUE 1"
TO_HOST = b"OESGDKB"


class FrameError(Exception):
    """The guest sent something that is no frame."""


def build(kind, payload=b""):
    return kind + struct.pack("<H", len(payload)) + payload


def build_all(kind, data):
    """As many frames as the data needs."""
    return b"".join(build(kind, data[at:at + LARGEST]) for at in range(0, len(data), LARGEST))


class Splitter:
    """Cuts a stream of bytes into frames. Bytes before the ready frame (firmware's) are dropped."""

    def __init__(self):
        self.ready = False
        self._buffer = bytearray()

    def feed(self, data):
        """Yields (type, payload) of each frame that these bytes complete."""
        self._buffer += data
        if not self.ready and not self._find_ready():
            return
        while len(self._buffer) >= 3:
            kind, size = self._buffer[0], int.from_bytes(self._buffer[1:3], "little")
            if kind not in TO_HOST or size > LARGEST:
                raise FrameError(f"no frame starts with {self._buffer[:8].hex(' ')}")
            if len(self._buffer) < 3 + size:
                return
            payload = bytes(self._buffer[3:3 + size])
            del self._buffer[:3 + size]
            yield bytes([kind]), payload

    def _find_ready(self):
        at = self._buffer.find(READY)
        if at < 0:
            del self._buffer[:-len(READY)]
            return False
        del self._buffer[:at + len(READY)]
        self.ready = True
        return True
