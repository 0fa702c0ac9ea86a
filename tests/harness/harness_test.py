#!/usr/bin/env python3
"""Tests ./virtue: statuses, streams, files, bad options, against the test kernel (fake.c), whose
scripts fail in each way a machine can. Prints `ok NAME` or `FAIL NAME: why`.

    tests/harness/harness_test.py [NAME...]

What a real machine does with the session's frames is tested elsewhere.
"""

import importlib.machinery
import importlib.util
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True

import support  # noqa: E402
from support import ALL_BYTES, BUILD, TOP, Wrong, case, command, expect, expect_complaint, \
    expect_result, virtue  # noqa: E402
from virtue import frames, newc  # noqa: E402

# Statuses

@case
def streams_and_status():
    result = virtue(script="out to stdout\nerr to stderr\nstatus 7")
    expect_result(result, 7, b"to stdout\n", b"to stderr\n")


@case
def grub_bios():
    result = virtue(script="out by grub\ncmdline\nstatus 3", boot="grub")
    expect_result(result, 3, b"by grub\nexit=debug mode=frame\n")


@case
def grub_uefi():
    expect_result(virtue("--uefi", script="out by uefi\nstatus 4", boot="grub"), 4, b"by uefi\n")


@case
def grub_module():
    with open("extra", "wb") as file:
        file.write(b"module")
    expect_result(virtue("--module", "ktest=extra", script="out x", boot="grub"), 0, b"x\n")
    with open("run.log", "rb") as file:
        expect("log", b"module ktest" in file.read(), True)


@case
def grub_cannot_load():
    with open("large", "wb") as file:
        file.truncate(32 << 20)
    result = virtue("--mem", "16M", "--module", "ktest=large", script="out x", boot="grub")
    expect_complaint(result, 123, "no verdict: GRUB: cannot load: ")
    with open("run.log", "rb") as file:
        expect("log names the step", b"GRUB: cannot load: " in file.read(), True)


@case
def panic():
    result = virtue(script="out before\npanic the message")
    expect_complaint(result, 120, "panic: the message", "run.log")
    expect("stdout", result.stdout, b"before\n")


@case
def hang():
    start = time.monotonic()
    expect_complaint(virtue("--timeout", "2", script="hang"), 121, "hang", "2 s", "run.log")
    expect("in time", time.monotonic() - start < 10, True)
    with open("run.log", "rb") as file:
        expect("log has registers", b"EIP=" in file.read(), True)


@case
def triple_fault():
    expect_complaint(virtue(script="triple"), 122, "triple fault")


@case
def reset():
    expect_complaint(virtue(script="reset"), 122, "reset")


@case
def no_status():
    expect_complaint(virtue(script="out x\npoweroff"), 123, "without an exit status")


@case
def no_bye():
    expect_complaint(virtue(script="nobye"), 123, "before all was sent")


@case
def bad_frame():
    expect_complaint(virtue(script="badframe"), 123, "no frame starts with 3f")


@case
def qemu_argument_unknown():
    expect_complaint(virtue("--qemu", "-nonsense", script="out x"), 125, "-nonsense")


@case
def qemu_device_unknown():
    """QEMU finds out when its monitor has long answered."""
    expect_complaint(virtue("--qemu", "-device nonsense", script="out x"), 125, "nonsense")


# Streams

@case
def output_is_8_bit_clean():
    expect_result(virtue(script="bytes 40"), 0, ALL_BYTES * 40)


@case
def command_is_byte_for_byte():
    script = b"out \xff\xfe '\"$`\\ !\t\nfile /run/virtue/cmd"
    result = virtue(script=script)
    expect_result(result, 0, script.split(b"\n")[0][4:] + b"\n" + script)


@case
def stdin_arrives_with_its_end():
    expect_result(virtue(script="echo", stdin=ALL_BYTES * 64), 0, ALL_BYTES * 64)


@case
def stdin_from_a_file():
    with open("input", "wb") as file:
        file.write(ALL_BYTES * 3)
    with open("input", "rb") as file:
        expect_result(virtue(script="echo", stdin=file), 0, ALL_BYTES * 3)


@case
def stdin_closed():
    words = ["sh", "-c", 'exec "$@" <&-', "sh", *command(script="echo\nout end")]
    result = subprocess.run(words, capture_output=True, timeout=60)
    expect_result(result, 0, b"end\n")


@case
def stdin_open_but_silent():
    reader, writer = os.pipe()
    try:
        start = time.monotonic()
        expect_result(virtue(script="out x", stdin=reader), 0, b"x\n")
        expect("in time", time.monotonic() - start < 20, True)
    finally:
        os.close(reader)
        os.close(writer)


@case
def stdin_that_nobody_reads():
    expect_result(virtue(script="out x", stdin=bytes(1 << 20)), 0, b"x\n")


@case
def stdout_that_nobody_reads():
    """Like a command on the host, ours gets SIGPIPE when the reader has gone."""
    process = subprocess.Popen(command(script="bytes 2000\nsignal"), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(10)
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    expect("stderr", err, b"")
    expect("status", process.returncode, 0)


@case
def stdout_read_slowly():
    process = subprocess.Popen(command(script="bytes 1000\nstatus 5"), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE)
    time.sleep(2)
    out, _ = process.communicate(timeout=60)
    expect("stdout", out, ALL_BYTES * 1000)
    expect("status", process.returncode, 5)


# Files

@case
def files_in_and_out():
    os.makedirs("in/sub")
    with open("in/sub/data", "wb") as file:
        file.write(ALL_BYTES * 100)
    result = virtue("--add", "in", "--get", "/sub/data=out", script="status 6")
    expect_result(result, 6)
    with open("out", "rb") as file:
        expect("file", file.read(), ALL_BYTES * 100)


@case
def file_missing():
    result = virtue("--get", "/nothing=out", script="out x")
    expect_complaint(result, 125, "/nothing", "No such file")
    expect("file exists", os.path.exists("out"), False)


@case
def file_spoilt():
    os.mkdir("in")
    with open("in/data", "wb") as file:
        file.write(b"content")
    with open("out", "wb") as file:
        file.write(b"old")
    result = virtue("--add", "in", "--get", "/data=out", script="badcrc")
    expect_complaint(result, 125, "/data", "checksum mismatch")
    with open("out", "rb") as file:
        expect("old file", file.read(), b"old")
    expect("files", sorted(os.listdir()), ["in", "out", "run.log"])


@case
def file_complaint_leaves_the_status():
    result = virtue("--get", "/nothing=out", script="status 9")
    expect_complaint(result, 9, "/nothing")


# Repeating

def _icount_run(seed, **more):
    return virtue("--icount", "--seed", str(seed), script="time\ncmdline\nfile /run/virtue/stdin\n"
                  "bytes 100\ntime", boot=None, **more)


@case
def icount_repeats():
    with open("input", "wb") as file:
        file.write(b"typed\n")
    results = []
    for _ in range(2):
        with open("input", "rb") as file:
            results.append(_icount_run(7, stdin=file))
    expect_result(results[0], 0, results[1].stdout)
    expect("seed in the command line", b" seed=7\ntyped\n" in results[0].stdout, True)


# Signals

def _started(script):
    """A run whose script has printed a line."""
    process = subprocess.Popen(command(script="out ready\n" + script), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    expect("first line", process.stdout.readline(), b"ready\n")
    return process


@case
def interrupt_reaches_the_command():
    process = _started("signal\nstatus 130")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    expect("output", (out, err, process.returncode), (b"2\n", b"", 130))


@case
def second_interrupt_ends():
    process = _started("hang")
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    expect("result", (err, process.returncode), (b"virtue: ended by signal 2\n", 130))


def _qemu_of(process):
    with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
        [child] = map(int, file.read().split())
    return child


def _expect_gone(pid):
    for _ in range(100):
        if not os.path.exists(f"/proc/{pid}"):
            return
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            if file.read().split(") ")[1][0] == "Z":
                return
        time.sleep(0.05)
    raise Wrong(f"QEMU ({pid}) still runs")


@case
def terminated():
    process = _started("hang")
    qemu = _qemu_of(process)
    process.terminate()
    process.communicate(timeout=30)
    expect("status", process.returncode, 128 + signal.SIGTERM)
    _expect_gone(qemu)


@case
def killed_takes_qemu_along():
    process = _started("hang")
    qemu = _qemu_of(process)
    process.kill()
    process.communicate(timeout=30)
    _expect_gone(qemu)
    support.empty_build_folder()


# Terminal

class Typist:
    """A run without a command on a terminal of its own."""

    def __init__(self):
        self.seen = b""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            words = command()
            os.execv(words[0], words)

    def wait_for(self, text):
        deadline = time.monotonic() + 20
        while text not in self.seen:
            ready, _, _ = select.select([self.terminal], [], [], deadline - time.monotonic())
            try:
                data = os.read(self.terminal, 1000) if ready else b""
            except OSError:
                data = b""
            if not data:
                raise Wrong(f"the terminal shows {self.seen!r}, not {text!r}")
            self.seen += data

    def type(self, keys):
        os.write(self.terminal, keys)

    def end(self):
        """The exit status."""
        try:
            while data := os.read(self.terminal, 1000):
                self.seen += data
        except OSError:
            pass
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@case
def terminal_keys_and_power_off():
    typist = Typist()
    typist.wait_for(b"fake terminal")
    typist.type(b"a\x03\x01a")
    typist.wait_for(b"[a][\x03][\x01]")
    typist.type(b"q")
    expect("status", typist.end(), 0)


@case
def terminal_left_by_ctrl_a_x():
    typist = Typist()
    typist.wait_for(b"fake terminal")
    typist.type(b"\x01x")
    expect("status", typist.end(), 0)


@case
def terminal_panic():
    typist = Typist()
    typist.wait_for(b"fake terminal")
    typist.type(b"p")
    expect("status", typist.end(), 120)
    expect("line", b"virtue: panic: asked for" in typist.seen, True)


@case
def terminal_from_a_pipe():
    result = virtue(stdin=b"ab")
    expect_result(result, 0, b"fake terminal\r\n[a][b][\x04]")


# Options

BAD_OPTIONS = [
    (["--hostfwd", "8080"], "'8080' is not of the form"),
    (["--hostfwd", "8080:10.0.2.300:80"], "10.0.2.300"),
    (["--hostfwd", "8080:80", "--hostfwd", "tcp:8080:81"], "tcp port 8080 of the host is named twice"),
    (["--mem", "12"], "--mem: '12'"), (["--mem", "0M"], "--mem"), (["--cpus", "0"], "--cpus: '0'"),
    (["--cpus", "x"], "--cpus: 'x'"), (["--seed", "-1"], "--seed"),
    (["--timeout", "soon"], "--timeout: 'soon'"), (["--accel", "xen"], "--accel"),
    (["--add", "nowhere"], "--add: 'nowhere'"), (["--get", "x=y"], "--get: 'x=y'"),
    (["--get", "/x"], "--get: '/x'"), (["--get", "/x=no/where"], "'no/where'"),
    (["--log", "no/where"], "--log"), (["--append", "a'b"], "--append"),
    (["--qemu", "'"], "--qemu"), (["--module", "a=nowhere"], "--module: 'nowhere'"),
    (["--iso", "nowhere"], "--iso: 'nowhere'"), (["--unknown"], "--unknown"), (["word"], "word"),
    (["--icount", "--accel", "kvm"], "--icount"), (["--uefi"], "--uefi"),
]


@case
def bad_options():
    for options, part in BAD_OPTIONS:
        expect_complaint(virtue(*options, script="out x"), 125, part)


@case
def two_commands():
    words = [*command(script="out"), "x"]
    expect_complaint(subprocess.run(words, capture_output=True, timeout=20), 125, "there are 2")


@case
def get_without_a_command():
    expect_complaint(virtue("--get", "/x=y"), 125, "--get")


@case
def add_of_a_pipe():
    os.mkdir("in")
    os.mkfifo("in/pipe")
    expect_complaint(virtue("--add", "in", script="out x"), 125, "in/pipe")


@case
def kvm_is_marked():
    """Whether or not it then starts."""
    result = virtue("--accel", "kvm", "--timeout", "1", "--cpu", "nonsense", script="out x")
    expect("mark", b"kvm is not verified" in result.stderr, True)


# Parts

@case
def frames_after_noise():
    splitter = frames.Splitter()
    sent = b"noise R\x08\x00" + frames.READY + frames.build(b"O", b"abc") + frames.build(b"B")
    got = [frame for at in range(len(sent)) for frame in splitter.feed(sent[at:at + 1])]
    expect("frames", got, [(b"O", b"abc"), (b"B", b"")])


@case
def frames_too_long():
    splitter = frames.Splitter()
    try:
        list(splitter.feed(frames.READY + b"O\x01\x10"))
    except frames.FrameError:
        return
    raise Wrong("a frame of 4097 bytes was accepted")


@case
def archive_is_what_cpio_reads():
    archive = newc.Archive()
    archive.add_file("a/b/file", b"content", 0o755)
    archive.add_link("link", "a/b/file")
    expect("equal again", archive.pack(), archive.pack())
    busybox = os.path.join(BUILD, "pkg", "busybox-static", "bin", "busybox")
    subprocess.run([busybox, "cpio", "-id"], input=archive.pack(), check=True, capture_output=True)
    with open("link", "rb") as file:
        expect("content", file.read(), b"content")
    expect("mode", os.stat("a/b/file").st_mode & 0o777, 0o755)


JUDGED = [
    ("ok a\nok b\n", 0, 2, 0),
    ("ok a\nFAIL b: why\n", 1, 1, 1),
    ("ok a\n", 120, 1, 1),                      # ended with an error that no case explains
    ("ok a\n", None, 1, 1),                     # time was up
    ("nothing\n", 0, 0, 1),                     # no case
    ("ok a\n2 passed, 0 failed\n", 0, 1, 1),    # a case got lost
    ("ok a\n1 passed, 0 failed\n", 0, 1, 0),
    ("FAIL a: why\n0 passed, 1 failed\n", 0, 0, 1),
    ("okay\nFAILED\n ok a\nok b\n", 0, 1, 0),
]


def load_runner():
    sys.path.append(os.path.join(TOP, "tests"))
    loader = importlib.machinery.SourceFileLoader("runner", os.path.join(TOP, "tests", "run"))
    runner = importlib.util.module_from_spec(importlib.util.spec_from_loader("runner", loader))
    loader.exec_module(runner)
    return runner


@case
def runner_judges():
    runner = load_runner()
    for output, status, passed, failed in JUDGED:
        got_passed, failures = runner.judge(output, status, 60)
        expect(f"verdict on {output!r}, {status}", (got_passed, len(failures)), (passed, failed))


@case
def runner_repeats():
    runner = load_runner()
    runner.LOGS = os.getcwd()
    runner.show = lambda result: None
    sometimes = ["sh", "-c", "test -e seen && echo ok a || { : >seen; echo FAIL a: b; }"]
    never = ["sh", "-c", "echo FAIL a: b"]
    for again, command, result in (
            (True, sometimes, (1, 0, ["s"])), (False, sometimes, (0, 1, [])),
            (True, never, (0, 1, [])), (True, ["echo", "ok a"], (1, 0, []))):
        suite = runner.Suite("s", command, 60, False, False)
        results, unsteady = runner.run_chosen([suite], 1, again)
        got = sum(r.passed for r in results), sum(len(r.failures) for r in results), unsteady
        expect(f"{command}, again {again}", got, result)
        for name in ("seen", "s.out"):
            if os.path.exists(name):
                os.unlink(name)


@case
def leaves_no_files():
    virtue(script="out x")
    expect("files", os.listdir(support.settings["build"]), ["direct.elf"])


sys.exit(support.main(os.path.join(BUILD, "tests", "harness", "fake.iso")))
