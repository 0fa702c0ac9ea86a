"""What one run adds to the boot image: the kernel's command line, the overlay archive, modules; and
the payload disc on which GRUB finds them.

The format is in docs/run-protocol.md. Unpacking the overlay is left to the machine.
"""

import os
import shutil
import stat
import subprocess
import sys

from . import newc

# SeaBIOS doesn't show a disc smaller than one cylinder (16 heads of 63 sectors).
SMALLEST_DISC = 1 << 20

# A file as standard input that is larger goes into the overlay, as the line is slow; but not if it
# takes more than an eighth of the machine's memory.
SLOW_INPUT = 32 << 10


class PayloadError(Exception):
    """What the user wants to add cannot be added; the text says why."""


def command_line(options):
    """The kernel's command line."""
    words = ["exit=debug"]
    if options.command is not None:
        words.append("mode=frame")
    if options.seed is not None:
        words.append(f"seed={options.seed}")
    return " ".join(words + options.append)


def stdin_is_packed(options):
    """Whether standard input goes into the overlay: a large file does; under --icount, where frames
    would arrive at an instruction that differs from run to run, all that has an end at all times."""
    if options.command is None:
        return False
    try:
        info = os.fstat(0)
    except OSError:
        return options.icount
    if options.icount:
        return stat.S_ISREG(info.st_mode) or os.isatty(0) or _is_null(info.st_mode)
    memory = int(options.mem[:-1]) << (30 if options.mem.endswith("G") else 20)
    return stat.S_ISREG(info.st_mode) and SLOW_INPUT < info.st_size < memory // 8


def _is_null(mode):
    return stat.S_ISCHR(mode) and os.fstat(0).st_rdev == os.makedev(1, 3)


def _packed_stdin():
    if os.isatty(0):
        return b""
    try:
        with open(0, "rb", closefd=False) as file:
            return file.read()
    except OSError:
        return b""


def _environment():
    """What an interactive session should know of the terminal."""
    lines = [f"TERM={os.environ.get('TERM', 'vt100')}"]
    if sys.stdout.isatty():
        size = os.get_terminal_size(1)
        lines += [f"LINES={size.lines}", f"COLUMNS={size.columns}"]
    return "".join(line + "\n" for line in lines)


def _overlay(options):
    """The overlay archive's bytes."""
    archive = newc.Archive()
    for folder, path in options.guests:
        archive.add_host_tree(folder, newc.FIXED_TIME, path)
    for folder in options.add:
        archive.add_host_tree(folder)
    if options.command is None:
        archive.add_file("run/virtue/env", _environment())
        return archive.pack()
    archive.add_file("run/virtue/cmd", options.command)
    if options.get:
        archive.add_file("run/virtue/get", "".join(path + "\n" for path, _ in options.get))
    if stdin_is_packed(options):
        archive.add_file("run/virtue/stdin", _packed_stdin())
    return archive.pack()


def write_overlay(options, folder):
    """Writes the overlay archive into `folder`; returns its path."""
    path = os.path.join(folder, "overlay.cpio")
    try:
        with open(path, "wb") as file:
            file.write(_overlay(options))
    except (OSError, newc.ArchiveError) as error:
        raise PayloadError(f"--add: {error}") from None
    return path


def _write_tree(options, tree):
    os.makedirs(os.path.join(tree, "modules"))
    write_overlay(options, tree)
    for name, file in options.module:
        shutil.copyfile(file, os.path.join(tree, "modules", name))
    with open(os.path.join(tree, "virtue.cfg"), "w", encoding="ascii") as file:
        file.write(f'set cmdline="{command_line(options)}"\n')
        file.write("set overlay=/overlay.cpio\n")
        file.write(f'set modules="{" ".join(name for name, _ in options.module)}"\n')


def make_disc(options, folder):
    """Makes the payload disc in `folder`; returns its path."""
    tree = os.path.join(folder, "payload")
    disc = os.path.join(folder, "payload.iso")
    _write_tree(options, tree)
    done = subprocess.run(
        ["xorriso", "-as", "mkisofs", "-quiet", "-r", "-V", "VIRTUE_PAYLOAD", "-o", disc, tree],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise PayloadError(f"xorriso failed: {done.stderr.strip()}")
    if os.path.getsize(disc) < SMALLEST_DISC:
        os.truncate(disc, SMALLEST_DISC)
    return disc
