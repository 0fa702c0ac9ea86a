#!/usr/bin/env python3
"""Tests that bad input of a boot names the fault and stops: damaged, hostile or missing boot
modules, too little memory, machines without what the kernel needs. Prints `ok NAME` or
`FAIL NAME: why`.

    tests/harness/badinput_test.py [NAME...]

Bad programs and archives inside a running session are left to tests/posix and tests/guest.
"""

import os
import shutil
import struct
import subprocess
import sys

sys.dont_write_bytecode = True

import support  # noqa: E402
from support import BUILD, Wrong, case, expect_complaint, virtue  # noqa: E402

SMALL = "--timeout", "20"
PARTS = {name: os.path.join(BUILD, file) for name, file in (
    ("kernel", "kernel.elf"), ("init", "init.elf"), ("posix", "posix.elf"), ("root", "root.cpio"))}


def content(name):
    with open(PARTS[name], "rb") as file:
        return bytearray(file.read())


def boot(*options, **changed):
    """A run of a boot image some of whose parts are other bytes, or missing (None)."""
    with open("bad.iso.list", "w", encoding="utf-8") as parts:
        for name, path in PARTS.items():
            data = changed.get(name, path)
            if data is None:
                continue
            if data is not path:
                path = os.path.abspath(name)
                with open(path, "wb") as file:
                    file.write(data)
            parts.write(f"{name}={path}\n")
    with open("bad.iso", "wb"):
        pass
    return virtue("--iso", "bad.iso", *SMALL, *options, script="echo alive")


def segment_changed(name, offset, value):
    """The program with a word of its first loadable segment's header changed."""
    data = content(name)
    at, size, count = (struct.unpack_from(kind, data, where)[0]
                       for kind, where in (("<Q", 32), ("<H", 54), ("<H", 56)))
    for header in range(at, at + size * count, size):
        if struct.unpack_from("<I", data, header)[0] == 1:
            struct.pack_into("<Q", data, header + offset, value)
            return data
    raise Wrong(f"{name} has no loadable segment")


VADDR, FILE_SIZE = 16, 32
KERNELS_OWN = 0xFFFF808000000000


@case
def init_missing():
    expect_complaint(boot(init=None), 120, "there is no boot module named init")


@case
def init_truncated():
    expect_complaint(boot(init=content("init")[:20000]), 120, "module init is cut off")


@case
def init_no_elf():
    expect_complaint(boot(init=b"#!/bin/sh\necho\n" * 100), 120, "module init")


@case
def init_at_the_kernels_addresses():
    expect_complaint(boot(init=segment_changed("init", VADDR, KERNELS_OWN)), 120, "module init",
                     f"{KERNELS_OWN:x}")


@case
def init_with_a_huge_segment():
    expect_complaint(boot(init=segment_changed("init", FILE_SIZE, 1 << 62)), 120, "module init")


@case
def session_missing():
    expect_complaint(boot(posix=None), 120, "there is no boot module 'posix'")


@case
def session_truncated():
    for size in (0, 10, 64, 100000):
        expect_complaint(boot(posix=content("posix")[:size]), 120, "posix")


@case
def session_at_the_kernels_addresses():
    expect_complaint(boot(posix=segment_changed("posix", VADDR, KERNELS_OWN)), 120, "module posix")


@case
def session_with_a_huge_segment():
    expect_complaint(boot(posix=segment_changed("posix", FILE_SIZE, 1 << 62)), 120, "module posix",
                     "outside the file")


@case
def session_of_another_abi():
    """The version is the last word of the program's note."""
    data = content("posix")
    at = data.index(b"Virtue\0")
    words = struct.unpack_from("<3I", data, at - 12)
    struct.pack_into("<I", data, at + 8, 99)
    if words[0] != 7:
        raise Wrong("the note is not where this test looks for it")
    expect_complaint(boot(posix=data), 120, "module posix", "99")


@case
def root_missing():
    expect_complaint(boot(root=None), 123, "there is no boot module 'root'")


@case
def root_truncated():
    expect_complaint(boot(root=content("root")[:500000]), 123, "root is not a good archive")


@case
def root_noise():
    expect_complaint(boot(root=bytes(range(256)) * 20), 123, "root is not a good archive")


@case
def root_with_bad_headers():
    """A magic number, a length that leaves the archive, digits that are none; all in the middle."""
    good = content("root")
    header = good.index(b"070701", 1000)
    for offset, bad in ((0, b"070799"), (54, b"FFFFFFF0"), (94, b"FFFFFFFF"), (94, b"00000000"),
                        (54, b"12 45x78")):
        data = bytearray(good)
        data[header + offset:header + offset + len(bad)] = bad
        expect_complaint(boot(root=data), 123, "root is not a good archive")


@case
def too_little_memory_for_the_image():
    expect_complaint(virtue("--mem", "16M", *SMALL, script="true"), 125, "too little")


@case
def too_little_memory_for_grub():
    result = virtue("--mem", "4M", *SMALL, script="true", boot="grub")
    expect_complaint(result, result.returncode)
    with open("run.log", "rb") as log:
        if result.returncode not in (121, 122, 123) or b"memory" not in log.read():
            raise Wrong(f"status {result.returncode}, and the log doesn't speak of memory")


@case
def too_little_memory_for_the_kernel():
    expect_complaint(virtue("--mem", "16M", *SMALL, script="true", boot="grub"), 120,
                     "too little memory")


@case
def too_little_memory_for_the_files():
    """Enough for the kernel and not for the session's files; how much that is changes with their size."""
    for megabytes in range(18, 64, 2):
        result = virtue("--mem", f"{megabytes}M", *SMALL, script="true", boot="grub")
        if result.returncode != 120:
            break
    expect_complaint(result, 123, "too little memory for the files of module root")


@case
def no_acpi():
    """All works, but for the power-off, and the log says so."""
    result = virtue("--qemu", "-machine q35,acpi=off", *SMALL, script="echo alive")
    expect_complaint(result, 121, "no power-off")
    if result.stdout != b"alive\n":
        raise Wrong(f"stdout is {result.stdout!r}")


@case
def unknown_machine():
    expect_complaint(virtue("--qemu", "-machine microvm", *SMALL, script="true"), 120, "no clock")


@case
def cpu_without_64_bits():
    expect_complaint(virtue("--cpu", "qemu32", "--timeout", "4", script="true"), 121,
                     "this CPU has no 64-bit")


@case
def cpu_without_what_is_needed():
    for feature in ("xsave", "nx", "apic"):
        expect_complaint(virtue("--cpu", f"max,-{feature}", *SMALL, script="true"), 120,
                         f"without {feature.upper()}")


@case
def session_that_crashes():
    """A program overwrites the library that it runs on: that ends the session, and is said."""
    program = os.path.join(BUILD, "tests", "harness", "smash")
    words = subprocess.run(["nm", PARTS["posix"]], check=True, capture_output=True, text=True)
    where = " ".join(line.split()[0] for line in words.stdout.splitlines()
                     if line.endswith((" ready_head", " ready_end")))
    os.makedirs("in/bin")
    shutil.copy(program, "in/bin/smash")
    script = f"/bin/smash {where}; echo alive"
    expect_complaint(virtue("--add", "in", *SMALL, script=script), 123, "the session failed",
                     "posix: exception")
    typed = f"/bin/smash {where}\n".encode()
    result = virtue("--add", "in", "--timeout", "30", stdin=typed)
    if result.returncode != 123 or b"the session failed" not in result.stderr:
        raise Wrong(f"on the terminal: {result.returncode}, {result.stderr!r}")


sys.exit(support.main(os.path.join(BUILD, "virtue.iso")))
