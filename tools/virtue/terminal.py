"""An interactive session: COM2 is a terminal, shown on the host's. Ctrl-A X leaves, Ctrl-A A sends
one Ctrl-A, Ctrl-A H prints this.

All keys but Ctrl-A go to the machine, whose POSIX session does the rest (line editing, Ctrl-C).
Where standard input isn't a terminal its bytes go in as if typed once the machine has shown
something (before, its UART isn't set up), and its end as Ctrl-D.
"""

import collections
import contextlib
import os
import signal
import termios
import tty

ESCAPE = b"\x01"
END_OF_FILE = b"\x04"
HELP = b"\r\nCtrl-A X  leave    Ctrl-A A  send Ctrl-A    Ctrl-A H  this help\r\n"


class Terminal:
    ends_soon = False
    status = None
    bye = False
    complaints = ()

    def __init__(self):
        self.to_machine = bytearray()
        self.to_host = collections.deque()
        self.leaving = False
        self._is_tty = os.isatty(0)
        self.reads_input = self._is_tty
        self._escaped = False

    def take_input(self, data):
        if not self._is_tty:
            self.to_machine += data or END_OF_FILE
            return
        if not data:
            self.leaving = True
        for key in data:
            self._take_key(bytes([key]))

    def _take_key(self, key):
        if not self._escaped:
            self._escaped = key == ESCAPE
            if not self._escaped:
                self.to_machine += key
            return
        self._escaped = False
        if key in b"xX":
            self.leaving = True
        elif key in b"hH?":
            self.to_host.append((1, HELP))
        elif key in b"aA\x01":
            self.to_machine += ESCAPE

    def take_output(self, data):
        self.reads_input = True
        self.to_host.append((1, data))

    def take_signal(self, number):
        return number == signal.SIGWINCH

    def take_broken(self, _):
        self.leaving = True

    def close(self):
        pass


@contextlib.contextmanager
def raw_mode():
    """The host's terminal passes every key on, until the end of the block."""
    if not os.isatty(0):
        yield
        return
    before = termios.tcgetattr(0)
    try:
        tty.setraw(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
