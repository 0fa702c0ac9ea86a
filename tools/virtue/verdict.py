"""From what happened to an exit status and one line of explanation.

QEMU ends with status 0 after a power-off, but also after a triple fault: only the machine's own
word (a status frame, and the announcement that all is sent) makes a run a success.
"""

import os
import re

PANIC, HANG, RESET, NO_VERDICT, HARNESS = 120, 121, 122, 123, 125
QEMU_PANIC_STATUS = 0x3C << 1 | 1  # the kernel writes 0x3c to isa-debug-exit


def judge(machine, client, loop, options):
    """(status, line): the line is None when there is nothing to explain."""
    for rule in (_stopped_by_us, _panic, _reset, _qemu_failed, _power_off):
        verdict = rule(machine, client, loop, options)
        if verdict:
            return verdict
    said = machine.complaint.splitlines()[-1:]
    why = "".join(f": {line}" for line in said)
    return NO_VERDICT, f"no verdict: QEMU ended with status {machine.status}{why} ({options.log})"


def _stopped_by_us(_, client, loop, options):
    if loop.stopped == "timeout":
        return HANG, f"hang: no end within {options.timeout} s{_halted(options)} ({options.log})"
    if loop.stopped == "stuck":
        return HANG, f"hang: no power-off after the command's end{_halted(options)} ({options.log})"
    if loop.stopped == "signal":
        return 128 + loop.signal, f"ended by signal {loop.signal}"
    if loop.stopped == "frame":
        return NO_VERDICT, f"no verdict: COM2 sent {loop.error} ({options.log})"
    if loop.stopped == "left":
        return 0, None
    return None


def _panic(machine, _client, _loop, options):
    if machine.status == QEMU_PANIC_STATUS or machine.reason == "guest-panic":
        return PANIC, f"{_panic_message(options.log)} ({options.log})"
    return None


def _panic_message(log):
    """The kernel's own line of the panic, and what led to it."""
    text = _end_of(log)
    lines = re.findall(r"\bpanic(?: on CPU \d+)?:[^\r\n]*", text, re.IGNORECASE)
    message = lines[-1] if lines else "panic"
    return message + _last_words(text) if "first domain" in message else message


def _halted(options):
    """Why the machine stopped, if it has said so: it may be one that cannot be switched off."""
    lines = re.findall(r"^\w+: (this (?:CPU|machine) has no[^\r\n]*)", _end_of(options.log),
                       re.MULTILINE)
    return f": {lines[-1]}" if lines else ""


def _end_of(log):
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.path.getsize(log) - 65536))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _last_words(text):
    """What the session or the first domain wrote last into the log, of its own end apart."""
    lines = re.findall(r"^((?:init|posix): [^\r\n]*)", text, re.MULTILINE)
    lines = [line for line in lines if not line.startswith("init: the session has ")]
    return f": {lines[-1]}" if lines else ""


def _boot_loader(text):
    """What GRUB could not load, if it ended the run (grub.cfg: tools/mkiso)."""
    lines = re.findall(r"GRUB: cannot load: [^\r\n]*", text)
    return lines[-1].rstrip() if lines else None


def _reset(machine, _client, _loop, options):
    if machine.reason == "guest-reset":
        return RESET, f"reset or triple fault ({options.log})"
    return None


def _qemu_failed(machine, _client, _loop, _options):
    if not machine.started or (machine.status == 1 and machine.complaint):
        return HARNESS, f"QEMU doesn't start: {machine.complaint or machine.status}"
    return None


def _power_off(machine, client, _loop, options):
    if machine.reason != "guest-shutdown" or machine.status != 0:
        return None
    text = _end_of(options.log)
    if "init: the session has failed" in text:
        return NO_VERDICT, f"no verdict: the session failed{_last_words(text)} ({options.log})"
    if options.command is None:
        return 0, None
    if client.status is None:
        why = _boot_loader(text) or "powered off without an exit status"
        return NO_VERDICT, f"no verdict: {why} ({options.log})"
    if not client.bye:
        return NO_VERDICT, f"no verdict: powered off before all was sent ({options.log})"
    return client.status, None
