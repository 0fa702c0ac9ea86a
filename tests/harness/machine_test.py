#!/usr/bin/env python3
"""Tests that the promises of ./virtue run hold on the real machine: a command in its POSIX shell,
booted by BIOS, UEFI and directly. Prints `ok NAME` or `FAIL NAME: why`.

    tests/harness/machine_test.py [NAME...]

Ways to fail that only a stand-in for the kernel shows are in harness_test.py; what the shell's
commands do is left to tests/posix.
"""

import hashlib
import os
import sys
import time

sys.dont_write_bytecode = True

import support  # noqa: E402
from support import ALL_BYTES, BUILD, Wrong, case, expect, expect_complaint, expect_result, \
    virtue  # noqa: E402


@case
def streams_and_status():
    result = virtue(script="echo out; echo err >&2; exit 7")
    expect_result(result, 7, b"out\n", b"err\n")


@case
def grub_bios():
    expect_result(virtue(script="echo $((6 * 7))", boot="grub"), 0, b"42\n")


@case
def grub_uefi():
    expect_result(virtue("--uefi", script="echo by uefi; exit 4", boot="grub"), 4, b"by uefi\n")


@case
def one_cpu():
    expect_result(virtue("--cpus", "1", script="echo x | cat"), 0, b"x\n")


@case
def killed_by_a_signal():
    expect_result(virtue(script="kill -TERM $$"), 143)


@case
def out_of_memory():
    """A program that wants more than there is dies, in a call of its too; its memory comes back."""
    result = virtue("--mem", "64M", script="tail /dev/zero > /dev/null; echo $?; "
                    "head -c 8000000 /dev/zero > /tmp/file && echo room")
    expect_result(result, 0, b"137\nroom\n", b"Killed\n")


@case
def command_is_byte_for_byte():
    script = b"printf '%s' '\xff\xfe \"$HOME` \\ ! %d\t*'\n# a comment\n\nexit 5"
    expect_result(virtue(script=script), 5, b"\xff\xfe \"$HOME` \\ ! %d\t*")


@case
def bytes_in_and_out():
    expect_result(virtue(script="cat", stdin=ALL_BYTES * 64), 0, ALL_BYTES * 64)


@case
def stdin_from_a_large_file():
    """Far more than the line could carry in the time."""
    data = os.urandom(1 << 20) * 8
    with open("large", "wb") as file:
        file.write(data)
    with open("large", "rb") as file:
        file.seek(1 << 20)
        script = "dd bs=1M count=1 2>/dev/null | md5sum; wc -c"
        result = virtue("--timeout", "60", script=script, stdin=file)
    wanted = hashlib.md5(data[:1 << 20]).hexdigest()
    expect_result(result, 0, f"{wanted}  -\n{6 << 20}\n".encode())


@case
def stdin_open_but_silent():
    reader, writer = os.pipe()
    try:
        expect_result(virtue(script="echo x", stdin=reader), 0, b"x\n")
    finally:
        os.close(reader)
        os.close(writer)


@case
def stdin_half_read():
    """What the first command leaves belongs to the next."""
    result = virtue(script="read a; echo \"<$a>\"; cat", stdin=b"one\ntwo\nthree\n")
    expect_result(result, 0, b"<one>\ntwo\nthree\n")


@case
def files_in_and_out():
    os.makedirs("in/data")
    with open("in/data/bytes", "wb") as file:
        file.write(ALL_BYTES * 300)
    with open("in/data/run", "w", encoding="ascii") as file:
        file.write("#!/bin/sh\ncat /data/bytes /data/bytes > /twice\n")
    os.chmod("in/data/run", 0o755)
    result = virtue("--add", "in", "--get", "/twice=twice", script="/data/run")
    expect_result(result, 0)
    with open("twice", "rb") as file:
        expect("file", file.read(), ALL_BYTES * 600)


@case
def file_of_proc():
    """Its size is known when it has been read."""
    expect_result(virtue("--get", "/proc/version=version", script="true"), 0)
    with open("version", "rb") as file:
        expect("file begins", file.read(5), b"Linux")


@case
def file_missing():
    result = virtue("--get", "/nothing=out", script="exit 0")
    expect_complaint(result, 125, "/nothing", "No such file")


@case
def hang():
    start = time.monotonic()
    expect_complaint(virtue("--timeout", "3", script="sleep 1000"), 121, "hang")
    expect("in time", time.monotonic() - start < 15, True)


@case
def icount_repeats():
    script = "cat; date +%s%N; cat /proc/uptime; head -c 32 /dev/urandom | md5sum; ls -l /proc/self"
    results = []
    for _ in range(2):
        with open("input", "wb") as file:
            file.write(b"typed\n")
        with open("input", "rb") as file:
            results.append(virtue("--icount", "--seed", "5", script=script, boot=None, stdin=file))
        with open("run.log", "rb") as file:
            results[-1].log = file.read()
    expect_result(results[1], 0, results[0].stdout)
    expect("log", results[1].log, results[0].log)
    if not results[0].stdout.startswith(b"typed\n"):
        raise Wrong(f"stdout is {results[0].stdout!r}")


@case
def terminal_from_a_pipe():
    """The shell on COM2, as a user types: power-off by `exit`."""
    result = virtue("--timeout", "60", stdin=b"echo $((6 * 7))\nexit\n")
    expect("status", result.returncode, 0)
    if b"42" not in result.stdout:
        raise Wrong(f"the terminal shows {result.stdout!r}")


sys.exit(support.main(os.path.join(BUILD, "virtue.iso")))
