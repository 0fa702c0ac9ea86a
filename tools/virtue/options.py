"""The options of `./virtue run` and `./virtue gdb`, checked before anything starts.

A value that is wrong ends the program with a line that names it and status 125. What the options
mean to QEMU is left to machine.py.
"""

import argparse
import collections
import os
import re
import shlex
import socket
import sys

STATUS_USAGE = 125

EPILOG = """\
The command is everything after `--`, one argument, run by the POSIX shell byte for byte.
Without it, the machine's shell is on this terminal: Ctrl-A X leaves.

exit status: the command's own, or
  120  the kernel panicked            122  reset or triple fault
  121  hang: --timeout passed         123  no verdict: it ended without a status
  125  wrong option, or the harness itself failed (so did a --get)
  130  ended by a second Ctrl-C (the first one goes to the command)
each with a line `virtue: ...` on standard error. The kernel's log is in build/run.log.
"""


def fail(message):
    print(f"virtue: {message}", file=sys.stderr)
    sys.exit(STATUS_USAGE)


class Parser(argparse.ArgumentParser):
    def error(self, message):
        fail(f"{message} (see ./virtue {self.prog.split()[-1]} --help)")


def _memory(text):
    match = re.fullmatch(r"([0-9]+)([MG])", text)
    if not match or int(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 512M or 2G")
    return text


def _count(low, high):
    def check(text):
        if not re.fullmatch(r"[0-9]{1,20}", text) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")
        return int(text)
    return check


def _folder(text):
    if not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
    return text


def _file(text):
    if not os.path.isfile(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a file")
    return text


def _new_file(text):
    folder = os.path.dirname(text) or "."
    if not text or not os.path.isdir(folder) or os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"cannot write to {text!r}")
    return text


def _get(text):
    path, separator, host_file = text.partition("=")
    if not separator or not path.startswith("/") or "\n" in path:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form /path=hostfile")
    return path, _new_file(host_file)


def _module(text):
    name, separator, file = text.partition("=")
    if not separator or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=FILE")
    return name, _file(file)


def _guests(text):
    names = text.split(",")
    for name in names:
        if not re.fullmatch(r"[a-z0-9-]+", name):
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of names such as debian,grub")
    return names


NIC_MODELS = ("virtio", "e1000e", "e1000")
DISK_MODELS = ("virtio", "ahci", "nvme")
Disk = collections.namedtuple("Disk", "file model drive")


def _disk(text):
    file, *settings = text.split(",")
    model, drive = "virtio", []
    for setting in settings:
        name, _, value = setting.partition("=")
        if name == "model" and value in DISK_MODELS:
            model = value
        elif name and value and name not in ("model", "file", "format", "id", "if"):
            drive.append(setting)
        else:
            raise argparse.ArgumentTypeError(
                f"{setting!r} is neither model={'|'.join(DISK_MODELS)} nor OPTION=VALUE of QEMU's -drive")
    return Disk(_file(file), model, drive)


Forward = collections.namedtuple("Forward", "protocol host address machine")


def _forward(text):
    match = re.fullmatch(r"(?:(tcp|udp):)?([0-9]{1,5}):(?:([0-9]+(?:\.[0-9]+){3}):)?([0-9]{1,5})", text)
    if (not match or not all(0 < int(port) < 65536 for port in (match[2], match[4])) or
            not all(int(byte) < 256 for byte in (match[3] or "").split(".") if byte)):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not of the form [tcp:|udp:]PORT:[ADDRESS:]PORT, the host's and the machine's")
    return Forward(match[1] or "tcp", int(match[2]), match[3] or "", int(match[4]))


def _words(text):
    if not re.fullmatch(r"[A-Za-z0-9_=.,:/+@% -]*", text):
        raise argparse.ArgumentTypeError(f"{text!r}: a word may have letters, digits, _=.,:/+@%-")
    return text


def _arguments(text):
    try:
        return shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None


def _add_machine_options(parser, build):
    add = parser.add_argument
    add("--mem", type=_memory, metavar="SIZE", help="memory (default 512M, with --guests 1G)")
    add("--cpus", type=_count(1, 255), default=2, metavar="N", help="CPUs (default 2)")
    add("--cpu", default="max", metavar="MODEL", help="QEMU's CPU model (default max)")
    add("--boot", choices=("grub", "direct"),
        help="by GRUB (default), or direct: without discs, faster (default with --icount)")
    add("--uefi", action="store_true", help="boot by UEFI instead of BIOS")
    add("--accel", choices=("tcg", "kvm"), default="tcg",
        help="tcg (default), or kvm: not verified")
    add("--icount", action="store_true",
        help="count instructions as time: with the same input a run repeats bit for bit")
    add("--seed", type=_count(0, 2**63 - 1), metavar="N",
        help="seed of all random numbers (with --icount: default 1)")
    add("--qemu", type=_arguments, action="extend", default=[], metavar="'...'",
        help="further arguments for QEMU")
    add("--append", type=_words, action="append", default=[], metavar="WORDS",
        help="further words for the kernel's command line")
    add("--disk", type=_disk, action="append", default=[], metavar="FILE[,model=M][,...]",
        help="a disk, raw: virtio (default), ahci or nvme; further settings are those of QEMU's -drive, "
             "e.g. throttling.iops-total=2000 (may be repeated)")
    add("--nic", choices=(*NIC_MODELS, "none"),
        help="the network card, on QEMU's user network (default virtio; with --icount, or with a network or "
             "machine by --qemu, none)")
    add("--hostfwd", type=_forward, action="append", default=[], metavar="[udp:]PORT:[ADDRESS:]PORT",
        help="connections to a port of the host (127.0.0.1) go to one of the machine (may be repeated)")
    add("--iso", type=_file, metavar="FILE", help=f"boot image (default {build}/virtue.iso)")
    add("--module", type=_module, action="append", default=[], metavar="NAME=FILE",
        help="a further boot module (for kernel tests, with --append session=NAME)")


def _add_session_options(parser, build):
    add = parser.add_argument
    add("--add", type=_folder, action="append", default=[], metavar="DIR",
        help="merge a folder into the root file system (may be repeated)")
    add("--guests", type=_guests, nargs="?", const="all", metavar="NAME,...",
        help="bring Debian's kernels, all or those named, as /guests/NAME for `vmm run`")
    add("--get", type=_get, action="append", default=[], metavar="/PATH=FILE",
        help="copy a file out afterwards (may be repeated)")
    add("--timeout", type=_count(0, 10**6), metavar="SECONDS",
        help="0 is none (default: 120 for a command, none for a terminal)")
    add("--log", type=_new_file, default=os.path.join(build, "run.log"), metavar="FILE",
        help=f"the kernel's log (default {build}/run.log)")
    add("--keep", action="store_true", help="keep the run's files, and say where they are")


def _parser(verb, about):
    return Parser(prog=f"./virtue {verb}", usage=f"./virtue {verb} [options] [-- 'COMMAND']",
                  description=about, epilog=EPILOG, allow_abbrev=False,
                  formatter_class=argparse.RawDescriptionHelpFormatter)


def parse(verb, about, arguments, build):
    """The options as a namespace, with `command` (bytes, or None) and `build` added."""
    parser = _parser(verb, about)
    _add_machine_options(parser, build)
    _add_session_options(parser, build)
    if verb == "run":
        parser.add_argument("--gdb", action="store_true",
                            help="wait for a debugger (./virtue gdb, in another terminal)")
    before, after = arguments, []
    if "--" in arguments:
        at = arguments.index("--")
        before, after = arguments[:at], arguments[at + 1:]
        if len(after) != 1:
            parser.error(f"after -- comes one argument, the quoted command; there are {len(after)}")
    options = parser.parse_args(_joined(before))
    options.command = os.fsencode(after[0]) if after else None
    options.build = build
    _complete(parser, options)
    return options


def _joined(arguments):
    """`--qemu VALUE` as `--qemu=VALUE`: argparse would take a VALUE such as -S for an option."""
    arguments = list(arguments)
    for at in range(len(arguments) - 2, -1, -1):
        if arguments[at] == "--qemu":
            arguments[at:at + 2] = [f"--qemu={arguments[at + 1]}"]
    return arguments


def _complete(parser, options):
    """Defaults and rules that concern several options."""
    if options.get and options.command is None:
        parser.error("--get needs a command")
    if options.icount and options.accel == "kvm":
        parser.error("--icount needs --accel tcg")
    if options.boot is None:
        options.boot = "direct" if options.icount else "grub"
    if options.icount and options.disk:
        parser.error("--disk doesn't go with --icount: disks answer in the host's time, not the machine's")
    _complete_network(parser, options)
    if options.icount and options.boot == "grub":
        parser.error("--icount needs --boot direct: discs answer at times that don't repeat")
    if options.uefi and options.boot == "direct":
        parser.error("--uefi needs --boot grub" + (", so not --icount" * options.icount))
    if options.icount and options.seed is None:
        options.seed = 1
    if options.timeout is None:
        options.timeout = 0 if options.command is None else 120
    if options.mem is None:
        options.mem = "1G" if options.guests else "512M"
    _complete_guests(parser, options)
    if options.iso is None:
        options.iso = os.path.join(options.build, "virtue.iso")
        if not os.path.isfile(options.iso):
            parser.error(f"there is no {options.iso}: build it with `make`")


def _complete_network(parser, options):
    if options.icount and (options.hostfwd or options.nic not in (None, "none")):
        parser.error("a network doesn't go with --icount: it answers in the host's time, not the machine's")
    if options.nic is None:
        own = {"-nic", "-netdev", "-net", "-machine", "-M"} & set(options.qemu)
        options.nic = "none" if options.icount or own else NIC_MODELS[0]
    if options.hostfwd and options.nic == "none":
        parser.error("--hostfwd needs a network card (--nic)")
    for forward in options.hostfwd:
        if sum(forward[:2] == other[:2] for other in options.hostfwd) > 1:
            parser.error(f"--hostfwd: {forward.protocol} port {forward.host} of the host is named twice")
        kind = socket.SOCK_STREAM if forward.protocol == "tcp" else socket.SOCK_DGRAM
        with socket.socket(socket.AF_INET, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, forward.protocol == "tcp")
            try:
                probe.bind(("127.0.0.1", forward.host))
            except OSError as error:
                parser.error(f"--hostfwd: {forward.protocol} port {forward.host} of the host: "
                             f"{error.strerror}")


def _complete_guests(parser, options):
    """The folders to merge: (host folder, path in the machine)."""
    root = os.path.join(options.build, "guests", "root", "guests")
    names = options.guests or []
    if names == ["all"]:
        names = sorted(os.listdir(root)) if os.path.isdir(root) else ["debian"]
    for name in names:
        if not os.path.isfile(os.path.join(root, name, "guest.conf")):
            parser.error(f"--guests: there is no {root}/{name}: build it with `make guests`")
    options.guests = [(os.path.join(root, name), f"guests/{name}") for name in names]
