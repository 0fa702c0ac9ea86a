"""How the machine gets its kernel and modules: QEMU's arguments for it.

grub    the boot image and a payload disc, by BIOS or UEFI: what a user's PC does
direct  QEMU's loader puts the same files into memory before the first instruction, and direct.elf
        (tools/boot) stands in for GRUB: no disc answers at a time of its own, so a run can repeat

Both give the kernel the same command line and modules (docs/run-protocol.md).
"""

import os

from . import payload

OVMF = "/usr/share/OVMF"
DIRECT_END = 0x1a00000  # direct.elf lies below (tools/boot/build.mk); QEMU puts the files behind it


class BootError(Exception):
    """The machine cannot be booted so; the text says why."""


def quoted(path):
    """A path inside one of QEMU's comma-separated arguments."""
    return path.replace(",", ",,")


def arguments(options, folder):
    """(QEMU's arguments, descriptors that they mention)"""
    if options.boot == "direct":
        return _direct(options, folder)
    return _firmware(options, folder) + _discs(options, payload.make_disc(options, folder)), ()


def _firmware(options, folder):
    if not options.uefi:
        return []
    variables = os.path.join(folder, "vars.fd")
    try:
        with open(f"{OVMF}/OVMF_VARS_4M.fd", "rb") as source, open(variables, "wb") as copy:
            copy.write(source.read())
    except OSError as error:
        raise BootError(f"--uefi: {error} (Debian's package ovmf)") from None
    code = f"if=pflash,format=raw,readonly=on,unit=0,file={OVMF}/OVMF_CODE_4M.fd"
    return ["-drive", code, "-drive", f"if=pflash,format=raw,unit=1,file={quoted(variables)}"]


def _discs(options, disc):
    """Both have a boot index, as OVMF shows GRUB no other disc. The payload is no CD, as a BIOS
    shows GRUB only the CD it boots from."""
    boot = f"if=none,id=boot,media=cdrom,readonly=on,format=raw,file={quoted(options.iso)}"
    extra = f"if=none,id=payload,readonly=on,format=raw,file={quoted(disc)}"
    return ["-drive", boot, "-device", "ide-cd,drive=boot,bus=ide.0,bootindex=0",
            "-drive", extra, "-device", "virtio-blk-pci,drive=payload,bootindex=1"]


def _boot_files(options):
    """(name, file) of the kernel and each module of the boot image, from the list beside it."""
    try:
        with open(options.iso + ".list", encoding="utf-8") as file:
            return [tuple(line.rstrip("\n").split("=", 1)) for line in file]
    except OSError as error:
        raise BootError(f"--boot direct: {error}") from None


def _check_fits(options, files):
    """QEMU itself doesn't mind loading files to where there is no memory."""
    need = DIRECT_END + sum(os.path.getsize(file) + 4096 for file in files)
    have = int(options.mem[:-1]) << (30 if options.mem.endswith("G") else 20)
    if have < need:
        raise BootError(f"--mem {options.mem} is too little: --boot direct needs {need >> 20}M and "
                        "what the machine itself uses")


def _direct(options, folder):
    """QEMU takes file names apart at blanks and commas, so it sees them by plain links."""
    files = _boot_files(options) + [("overlay", payload.write_overlay(options, folder))]
    files += options.module
    names = os.path.join(folder, "direct")
    os.mkdir(names)
    loader = os.path.join(options.build, "direct.elf")
    for name, file in [("loader", loader)] + files:
        if not os.path.isfile(file):
            raise BootError(f"--boot direct: there is no {file}: build it with `make`")
        os.symlink(os.path.abspath(file), os.path.join(names, name))
    _check_fits(options, [file for _, file in files])
    descriptor = os.open(names, os.O_PATH)
    seen = f"/proc/self/fd/{descriptor}"
    modules = ",".join(f"{seen}/{name} {name}" for name, _ in files)
    return ["-kernel", f"{seen}/loader", "-append", payload.command_line(options),
            "-initrd", modules], (descriptor,)
