"""QEMU's monitor, at FOLDER/monitor: the disk `disk0` is pulled out."""

import socket


def pull_out(folder):
    """The device's registers are gone from one moment to the next."""
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.connect(f"{folder}/monitor")
        monitor.settimeout(10)
        for words in (b"", b"qom-set /machine/peripheral/disk0 realized false\n"):
            monitor.sendall(words)
            text = b""
            while not text.endswith(b"(qemu) "):
                text += monitor.recv(4096)
