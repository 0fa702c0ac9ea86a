"""The verbs of ./virtue: run, log. (gdb is in debugger.py.)"""

import contextlib
import os
import re
import shutil
import sys
import tempfile

from . import boot, debugger, loop, machine, options, payload, session, terminal, verdict

EXTENDED_STATE = re.compile(r"(FPR|FCW|XMM|YMM|ZMM|Opmask)|\s*$")
USAGE = """\
usage: ./virtue run [options] [-- 'COMMAND']    run a command, or without one the machine's shell
       ./virtue gdb [options] [-- 'COMMAND']    the same under gdb
       ./virtue log                             print the kernel's log of the last run
./virtue run --help lists the options.
"""


def run(arguments, build):
    chosen = options.parse("run", "Boots the machine in QEMU and runs a command in its POSIX shell.",
                           arguments, build)
    with _run_folder(chosen) as folder:
        try:
            return _run(chosen, folder)
        except (machine.MachineError, boot.BootError, payload.PayloadError) as error:
            options.fail(error)


def _run(chosen, folder):
    if chosen.accel == "kvm":
        print("virtue: --accel kvm is not verified", file=sys.stderr)
    client = session.Session(chosen) if chosen.command is not None else terminal.Terminal()
    started = machine.Machine(chosen, folder)
    moved = loop.Loop(started, client, chosen.timeout)
    mode = contextlib.nullcontext() if chosen.command is not None else terminal.raw_mode()
    try:
        if chosen.gdb:
            print("virtue: waiting for ./virtue gdb", file=sys.stderr)
        with mode:
            moved.run()
        if moved.stopped in ("timeout", "stuck"):
            _log_registers(started, chosen.log)
    finally:
        started.stop()
        client.close()
    return _report(*verdict.judge(started, client, moved, chosen), client.complaints)


def _log_registers(started, log):
    """A machine that hangs leaves where its CPUs are at the end of its log."""
    lines = started.ask("info registers -a").splitlines()
    with open(log, "a", encoding="utf-8") as file:
        file.write("\nvirtue: the CPUs' registers when time was up\n")
        file.writelines(line + "\n" for line in lines if not EXTENDED_STATE.match(line))


def _report(status, line, complaints):
    for text in ([line] if line else []) + list(complaints if status < verdict.PANIC else []):
        print(f"virtue: {text}", file=sys.stderr)
    return verdict.HARNESS if complaints and status == 0 else status


@contextlib.contextmanager
def _run_folder(chosen):
    os.makedirs(chosen.build, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="run.", dir=chosen.build)
    try:
        yield folder
    finally:
        if chosen.keep:
            print(f"virtue: kept {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder)


def log(arguments, build):
    if arguments:
        options.fail("log takes no arguments")
    try:
        with open(os.path.join(build, "run.log"), "rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
    except FileNotFoundError:
        options.fail("there was no run yet")
    return 0


def _open_closed_streams():
    """A stream that our caller closed is an empty one, not the next file we open."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def main(arguments):
    _open_closed_streams()
    build = os.environ.get("BUILD") or os.path.relpath(
        os.path.join(os.path.dirname(__file__), "..", "..", "build"))
    verbs = {"run": run, "log": log, "gdb": debugger.gdb}
    if arguments and arguments[0] in ("help", "--help", "-h"):
        print(USAGE, end="")
        return 0
    if not arguments or arguments[0] not in verbs:
        print(USAGE, end="", file=sys.stderr)
        return options.STATUS_USAGE
    return verbs[arguments[0]](arguments[1:], build)
