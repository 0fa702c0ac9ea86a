"""./virtue gdb: a debugger on the machine, with symbols of all images.

Attaches to a machine that waits (./virtue run --gdb in another terminal), or starts one whose
session gets no input. What the debugger can print is in tools/gdb/virtue.py.
"""

import os
import shutil
import signal
import subprocess
import sys
import time

from . import machine, options

HELPERS = os.path.join(os.path.dirname(__file__), "..", "gdb", "virtue.py")
START_SECONDS = 30


def gdb(arguments, build):
    options.parse("gdb", "Starts the machine under gdb.", arguments, build)
    if not shutil.which("gdb"):
        options.fail("gdb is not installed")
    path = machine.debugger_socket(build)
    started = None if _waits(path) else _start(arguments, build, path)
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is gdb's
        return subprocess.run(_gdb_command(build, path),
                              preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
                              ).returncode
    finally:
        if started:
            started.terminate()
            started.wait()


def _gdb_command(build, path):
    command = ["gdb", "-q", "-ex", f"source {HELPERS}"]
    for name in ("kernel.elf", "posix.elf", "init.elf"):
        image = os.path.join(build, name)
        if os.path.exists(image):
            command += ["-ex", f"virtue symbols {image}"]
    return command + ["-ex", f"target remote {path}"]


def _waits(path):
    """Whether a machine listens at this socket (a connection would be the debugger's only one)."""
    try:
        with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
            return any(line.rstrip().endswith(os.path.basename(path)) and
                       os.path.exists(path) for line in file)
    except OSError:
        return False


def _start(arguments, build, path):
    if os.path.exists(path):
        os.unlink(path)
    script = os.path.join(os.path.dirname(__file__), "..", "..", "virtue")
    command = [sys.executable, script, "run", "--gdb", "--timeout", "0", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + START_SECONDS
    while not os.path.exists(path):
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()
            options.fail("the machine doesn't start")
        time.sleep(0.05)
    return process
