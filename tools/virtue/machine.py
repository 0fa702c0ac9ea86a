"""QEMU: its command line, its process, and what it says of its own end.

COM2 goes through a pair of named pipes rather than a socket: bytes leave the UART one at a time,
and a socket would charge each with a buffer of its own. Under --icount the outward one is a plain
file, which never makes the machine wait, so that time in the machine doesn't depend on how fast
the host reads.

How it boots is left to boot.py, the meaning of the session's bytes left to session.py and
terminal.py, of the end to verdict.py.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import time

from . import boot

QEMU = "qemu-system-x86_64"
PR_SET_PDEATHSIG = 1
RTC_START = "2020-01-01T00:00:00"


class MachineError(Exception):
    """The machine cannot be started; the text says why."""


def _clock(options):
    arguments = ["-seed", str(options.seed)] if options.seed is not None else []
    if options.icount:
        arguments += ["-icount", "shift=0,sleep=off", "-rtc", f"base={RTC_START},clock=vm"]
    return arguments


def _serial_ports(options, com2):
    return ["-chardev", f"file,id=com1,path={boot.quoted(options.log)}", "-serial", "chardev:com1",
            "-chardev", f"pipe,id=com2,path={boot.quoted(com2)}", "-serial", "chardev:com2"]


def _debugger(options):
    if not getattr(options, "gdb", False):
        return []
    path = debugger_socket(options.build)
    if os.path.exists(path):
        os.unlink(path)
    return ["-chardev", f"socket,id=gdb,server=on,wait=off,path={boot.quoted(path)}",
            "-gdb", "chardev:gdb", "-S"]


def debugger_socket(build):
    return os.path.join(build, "gdb.sock")


def _disks(options):
    arguments = []
    for n, disk in enumerate(options.disk):
        drive = ",".join([f"if=none,id=drive{n},format=raw,file={boot.quoted(disk.file)}", *disk.drive])
        device = {"virtio": "virtio-blk-pci", "ahci": f"ide-hd,bus=ide.{n + 1}", "nvme": "nvme"}[disk.model]
        arguments += ["-drive", drive, "-device", f"{device},id=disk{n},drive=drive{n},serial=virtue{n}"]
    return arguments


def _network(options):
    if options.nic == "none":
        return []
    model = {"virtio": "virtio-net-pci", "e1000e": "e1000e", "e1000": "e1000"}[options.nic]
    forwards = (f",hostfwd={f.protocol}:127.0.0.1:{f.host}-{f.address}:{f.machine}" for f in options.hostfwd)
    return ["-netdev", "user,id=net0" + "".join(forwards), "-device", f"{model},netdev=net0,romfile="]


def command_line(options, folder, boot_arguments, monitor):
    """QEMU's arguments; `monitor` is the descriptor of the monitor's socket."""
    return [QEMU, "-name", "virtue", "-machine", "q35", "-accel", options.accel,
            "-cpu", options.cpu, "-smp", str(options.cpus), "-m", options.mem,
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
            *boot_arguments, *_disks(options), *_network(options), *_clock(options),
            *_serial_ports(options, os.path.join(folder, "com2")),
            "-chardev", f"socket,id=qmp,fd={monitor}", "-mon", "chardev=qmp,mode=control",
            *_debugger(options), *options.qemu]


def _die_with_parent():
    """In the child: QEMU must not outlive a harness that is killed, nor see its Ctrl-C."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Machine:
    """One QEMU process, from start to end.

    ended        whether it is gone
    status       its exit status then (negative: a signal)
    reason       why it shut down by its own account ('guest-reset', ...), or None
    complaint    what it printed, for an error message
    """

    def __init__(self, options, folder):
        self.ended = False
        self.status = None
        self.reason = None
        self._started = False
        self._com2_in, self._com2_out = self._open_com2(options, folder)
        self._errors = os.path.join(folder, "qemu.err")
        self.monitor, theirs = socket.socketpair()
        self._monitor_text = b""
        self._replies = []
        boot_arguments, descriptors = boot.arguments(options, folder)
        arguments = command_line(options, folder, boot_arguments, theirs.fileno())
        self._write_arguments(folder, arguments)
        with open(self._errors, "wb") as errors:
            self._process = self._start(arguments, (theirs.fileno(), *descriptors), errors)
        theirs.close()
        self.monitor.sendall(b'{"execute": "qmp_capabilities"}\n')
        self.monitor.setblocking(False)

    @staticmethod
    def _open_com2(options, folder):
        inward, outward = (os.path.join(folder, f"com2.{end}") for end in ("in", "out"))
        os.mkfifo(inward)
        if options.icount:
            os.close(os.open(outward, os.O_CREAT | os.O_WRONLY))
            return os.open(inward, os.O_RDWR | os.O_NONBLOCK), os.open(outward, os.O_RDONLY)
        os.mkfifo(outward)
        return (os.open(inward, os.O_RDWR | os.O_NONBLOCK),
                os.open(outward, os.O_RDWR | os.O_NONBLOCK))

    @staticmethod
    def _write_arguments(folder, arguments):
        with open(os.path.join(folder, "qemu.args"), "w", encoding="utf-8") as file:
            file.writelines(argument + "\n" for argument in arguments)

    @staticmethod
    def _start(arguments, descriptors, errors):
        try:
            return subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=errors,
                                    stderr=errors, pass_fds=descriptors,
                                    preexec_fn=_die_with_parent)
        except OSError as error:
            raise MachineError(f"cannot start {QEMU}: {error}") from None

    # COM2

    @property
    def input_descriptor(self):
        return self._com2_in

    @property
    def output_descriptor(self):
        return self._com2_out

    def read(self):
        """The bytes that COM2 has sent by now, perhaps none."""
        try:
            return os.read(self._com2_out, 65536)
        except BlockingIOError:
            return b""

    def write(self, data):
        """Gives COM2 some of these bytes; how many it took."""
        try:
            return os.write(self._com2_in, data)
        except BlockingIOError:
            return 0

    # Monitor

    def handle_monitor(self):
        """Reads what the monitor says; to be called when its socket is readable."""
        try:
            text = self.monitor.recv(65536)
        except BlockingIOError:
            return
        except ConnectionError:
            text = b""
        if not text:
            self._collect()
            return
        *lines, self._monitor_text = (self._monitor_text + text).split(b"\n")
        for line in lines:
            self._handle_message(json.loads(line))

    def _handle_message(self, message):
        if "QMP" in message:
            self._started = True
        elif message.get("event") == "SHUTDOWN":
            self.reason = message["data"]["reason"]
        elif "return" in message:
            self._replies.append(message["return"])

    def ask(self, command, seconds=2):
        """The answer of QEMU's human monitor to a command, or '' if it doesn't answer."""
        self._replies.clear()
        request = {"execute": "human-monitor-command", "arguments": {"command-line": command}}
        deadline = time.monotonic() + seconds
        try:
            self.monitor.send(json.dumps(request).encode() + b"\n")
            while not any(isinstance(reply, str) for reply in self._replies):
                self.handle_monitor()
                if self.ended or time.monotonic() > deadline:
                    return ""
                time.sleep(0.01)
        except OSError:
            return ""
        return next(reply for reply in self._replies if isinstance(reply, str))

    # End

    def _collect(self):
        self.status = self._process.wait()
        self.ended = True

    def stop(self):
        """Ends QEMU if it still runs."""
        if self.ended:
            return
        self._process.terminate()
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._collect()

    @property
    def started(self):
        """Whether QEMU accepted its arguments."""
        return self._started

    @property
    def complaint(self):
        with open(self._errors, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
