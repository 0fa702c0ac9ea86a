"""cpio archives in the newc format: what the root file system and overlays are packed in.

An archive is built in memory as a dictionary from path to entry, so that later additions replace
earlier ones, and is written sorted by path with fixed inode numbers: equal content gives equal
bytes. Owners are always 0:0. What goes into an archive is left to the callers.
"""

import os
import stat

FIXED_TIME = 1577836800  # 2020-01-01, for everything that isn't a user's file


class ArchiveError(Exception):
    """Something that an archive cannot hold."""


class Archive:
    def __init__(self):
        self.entries = {}

    def add(self, path, mode, data=b"", mtime=FIXED_TIME, device=(0, 0)):
        """Adds one entry; `path` is relative to the root, `mode` has the type bits."""
        name = os.fsencode(path).strip(b"/")
        if not name:
            return
        if isinstance(data, str):
            data = os.fsencode(data)
        if len(data) >= 1 << 32:
            raise ArchiveError(f"{path}: too large for an archive (4 GiB)")
        self.entries[name] = (mode, data, int(mtime), device)

    def add_directory(self, path, mode=0o755):
        self.add(path, stat.S_IFDIR | mode)

    def add_file(self, path, data, mode=0o644):
        self.add(path, stat.S_IFREG | mode, data)

    def add_link(self, path, target):
        self.add(path, stat.S_IFLNK | 0o777, target)

    def add_host_file(self, path, host_path, mtime=None):
        """Copies a file, link or folder entry (not its content) of the host."""
        status = os.lstat(host_path)
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFREG:
            with open(host_path, "rb") as file:
                data = file.read()
        elif kind == stat.S_IFLNK:
            data = os.readlink(os.fsencode(host_path))
        elif kind == stat.S_IFDIR:
            data = b""
        else:
            raise ArchiveError(f"{host_path}: not a file, folder or symbolic link")
        self.add(path, status.st_mode, data, status.st_mtime if mtime is None else mtime)

    def add_host_tree(self, folder, mtime=None, under=""):
        """Copies all that is in a folder of the host, at its path relative to it."""
        for directory, folders, files in os.walk(folder, onerror=_raise):
            for name in folders + files:
                host_path = os.path.join(directory, name)
                path = os.path.join(under, os.path.relpath(host_path, folder))
                self.add_host_file(path, host_path, mtime)

    def _add_parents(self):
        for name in list(self.entries):
            while b"/" in name:
                name = name.rsplit(b"/", 1)[0]
                self.entries.setdefault(name, (stat.S_IFDIR | 0o755, b"", FIXED_TIME, (0, 0)))

    def pack(self):
        """The archive's bytes. Missing parent folders are added."""
        self._add_parents()
        parts = []
        for inode, name in enumerate(sorted(self.entries), 1):
            parts.append(_entry(name, inode, *self.entries[name]))
        parts.append(_entry(b"TRAILER!!!", 0, 0, b"", 0, (0, 0)))
        return b"".join(parts)


def _entry(name, inode, mode, data, mtime, device):
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (inode, mode, 0, 0, links, mtime, len(data), 0, 0, *device, len(name) + 1, 0)
    header = b"070701" + b"".join(b"%08x" % (field & 0xFFFFFFFF) for field in fields)
    return _padded(header + name + b"\0") + _padded(data)


def _padded(data):
    return data + b"\0" * (-len(data) % 4)


def _raise(error):
    raise error
