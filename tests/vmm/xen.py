"""Debian's Xen in QEMU, with Debian's toolstack in its dom0: what guests say that it starts.

Dom0 is Debian's kernel (linux-image-amd64) with an initrd of busybox, xl, the daemons that xl needs,
and their libraries (xen-packages). It prints its own log, runs one guest after the other by `xl create`,
prints the console of each as xenconsoled has logged it, and powers off. What is made of that is
left to the callers.
"""

import glob
import gzip
import os
import subprocess

from console import BUILD, TAIL, Wrong
from virtue import newc

HERE = os.path.dirname(os.path.realpath(__file__))
CPU = "max,-smap"               # with SMAP, QEMU 7.2 ends Xen's dom0 at its first return to ring 3
XEN = "com1=115200,8n1 console=com1 noreboot dom0_max_vcpus=1 dom0_mem=512M,max:512M"
FOLDERS = ("bin", "dev", "etc/xen", "guests", "lib64", "modules", "proc", "run/xen", "sys", "var/lib/xen",
           "var/lib/xenstored", "var/log/xen/console", "var/run/xen")
MODULES = ("xen-evtchn", "xen-gntdev", "xen-privcmd", "xenfs/xenfs")
LIBRARIES = "lib/x86_64-linux-gnu"
TOOLS = "usr/lib/xen-4.17/bin"
INIT = f"""#!/bin/busybox sh
/bin/busybox --install /bin
export PATH=/bin:/{TOOLS}
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir /dev/pts /var/lock
mount -t devpts pts /dev/pts
. /log
set -e
for module in /modules/*; do insmod $module; done
mount -t xenfs xen /proc/xen
xenstored
xen-init-dom0
xenconsoled --log=guest
for guest in /guests/*.cfg; do
	xl create -F $guest
	cat /var/log/xen/console/*
	rm /var/log/xen/console/*
done
poweroff -f
"""
GUEST = """type = "pv"
name = "{name}"
kernel = "/guests/{kernel}"
ramdisk = "/guests/initrd"
memory = {memory}
vcpus = {vcpus}
extra = "{append}"
on_poweroff = "destroy"
on_reboot = "destroy"
on_crash = "destroy"
"""


def package(name):
    return f"{BUILD}/pkg/{name}"


def archive_of(init, *folders):
    """Of busybox and an init, to be filled."""
    archive = newc.Archive()
    for name in (*folders, "bin", "dev", "proc"):
        archive.add_directory(name)
    archive.add("dev/console", 0o020600, device=(5, 1))
    archive.add_host_file("bin/busybox", f"{package('busybox-static')}/bin/busybox", newc.FIXED_TIME)
    archive.add_file("init", init.encode(), 0o755)
    return archive


def add_libraries(archive, name):
    for file in glob.glob(f"{package(name)}/{LIBRARIES}/*.so*") + \
            glob.glob(f"{package(name)}/usr/{LIBRARIES}/*.so*"):
        archive.add_host_file(f"{LIBRARIES}/{os.path.basename(file)}", file, newc.FIXED_TIME)


def dom0_initrd(log, guests, files):
    archive = archive_of(INIT, *FOLDERS)
    archive.add_file("log", log.encode())
    archive.add_file("etc/xen/xl.conf", b"autoballoon=0\n")
    with open(f"{HERE}/xen-packages", encoding="ascii") as names:
        for name in names:
            add_libraries(archive, name.strip())
    archive.add_link("lib64/ld-linux-x86-64.so.2", f"/{LIBRARIES}/ld-linux-x86-64.so.2")
    for name in ("xl", "xenstored", "xenconsoled", "xen-init-dom0"):
        archive.add_host_file(f"{TOOLS}/{name}", f"{package('xen-utils-4.17')}/{TOOLS}/{name}",
                              newc.FIXED_TIME)
    for name in MODULES:
        [file] = glob.glob(f"{package('linux-image-amd64')}/lib/modules/*/kernel/drivers/xen/{name}.ko")
        archive.add_host_file(f"modules/{os.path.basename(file)}", file, newc.FIXED_TIME)
    for name, file in files.items():
        archive.add_host_file(f"guests/{name}", file, newc.FIXED_TIME)
    for guest in guests:
        archive.add_file(f"guests/{guest['name']}.cfg", GUEST.format(**guest).encode())
    return archive.pack()


def run(folder, append, log, guests, files, seconds):
    """What the machine printed. append: dom0's command line; log: shell commands in it that print its log;
    guests: what GUEST needs of each; files: those that they name, and `initrd`."""
    with open(f"{folder}/dom0-initrd", "wb") as file:
        file.write(dom0_initrd(log, guests, files))
    with open(f"{folder}/xen", "wb") as file:
        file.write(gzip.open(f"{package('xen-hypervisor-4.17-amd64')}/boot/xen-4.17-amd64.gz").read())
    [kernel] = glob.glob(f"{package('linux-image-amd64')}/boot/vmlinuz-*")
    words = ["qemu-system-x86_64", "-accel", "tcg", "-M", "q35", "-cpu", CPU, "-smp", "1", "-m", "1200M",
             "-nodefaults", "-net", "none", "-display", "none", "-no-reboot", "-serial", "stdio",
             "-kernel", f"{folder}/xen", "-append", XEN,
             "-initrd", f"{kernel} {append},{folder}/dom0-initrd"]
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds,
                              check=False)
    except subprocess.TimeoutExpired as late:
        text = (late.stdout or b"").decode(errors="replace")
        raise Wrong(f"Xen: no end within {seconds} s; the last it said:\n{text[-TAIL:]}") from late
    return done.stdout.decode(errors="replace")
