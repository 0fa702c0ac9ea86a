"""./virtue: starts the machine in QEMU, carries the session, and gives a verdict.

options   what the user may say, checked
newc      cpio archives in the newc format
payload   what one run adds to the boot image: command line, overlay, modules
boot      how the machine gets kernel and modules: by GRUB, or directly
machine   QEMU: its command line, its process, its events
frames    the session's frames: splitting, building
session   a command run by frames: streams, signals, files copied out
terminal  an interactive session
verdict   from what happened to an exit status and one line
commands  `./virtue run`, `log`, `gdb`

What the machine must do for this is in docs/run-protocol.md.
"""
