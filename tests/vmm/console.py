"""What the tests with real guests share: a machine, its console, what is expected of it.

A Machine is one ./virtue run whose command's streams are read and written here, as by a user with much
patience: `expect` waits for a pattern in what came since the last match. What is tested is left
to the callers.
"""

import errno
import os
import pty
import re
import selectors
import shlex
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD") or os.path.join(TOP, "build"))
PROMPT = r"guest:/[a-z]*# "
TAIL = 1500
PATIENCE = 600          # seconds for one expectation, on a host that is very busy


class Wrong(Exception):
    """What a case found."""


def need(what, condition):
    if not condition:
        raise Wrong(what)


class Machine:
    """`command` runs in the machine's shell; without one, the shell itself, on a terminal. Options are
    ./virtue run's."""

    def __init__(self, command, *options, log="vmm"):
        self.words = [os.path.join(TOP, "virtue"), "run", "--icount", "--timeout", "0", "--log",
                      os.path.join(BUILD, "tests", "logs", f"{log}.log"), *options]
        if command:
            self.words += ["--", command]
            (theirs, self._keys), (self._screen, shown) = os.pipe(), os.pipe()
        else:
            self._keys, theirs = pty.openpty()
            self._screen, shown = os.dup(self._keys), os.dup(theirs)
        self._process = subprocess.Popen(self.words, stdin=theirs, stdout=shown, stderr=shown, cwd=TOP)
        os.close(theirs)
        os.close(shown)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._screen, selectors.EVENT_READ)
        self._text = ""
        self.all = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        os.close(self._keys)
        os.close(self._screen)

    def _more(self, deadline):
        """Takes what comes; False at the end of file."""
        if not self._selector.select(max(0, deadline - time.monotonic())):
            return True
        try:
            data = os.read(self._screen, 65536)
        except OSError as error:
            if error.errno != errno.EIO:        # a terminal that nobody has open any more
                raise
            data = b""
        text = data.decode(errors="replace")
        self._text += text
        self.all += text
        return bool(data)

    def expect(self, pattern, seconds=PATIENCE):
        """Waits for the pattern; the text before it is given back, the match is in self.match."""
        deadline, alive = time.monotonic() + seconds, True
        while True:
            self.match = re.search(pattern, self._text)
            if self.match:
                before = self._text[:self.match.start()]
                self._text = self._text[self.match.end():]
                return before
            if not alive or time.monotonic() > deadline:
                why = f"not within {seconds} s" if alive else "the machine ended"
                raise Wrong(f"no {pattern!r} ({why}); the last it said:\n{self.all[-TAIL:]}")
            alive = self._more(deadline)

    def send(self, text):
        data = text.encode()
        while data:
            data = data[os.write(self._keys, data):]

    def shell(self, command, status=0, seconds=PATIENCE):
        """Runs a command in the guest's shell; what it printed, the echo left out."""
        self.send(f"echo '='BEGIN; {command}; echo '='END $?\n")
        self.expect(r"=BEGIN\r?\n", seconds)
        output = self.expect(r"=END (\d+)\r?\n", seconds)
        if int(self.match[1]) != status:
            raise Wrong(f"{command}: status {self.match[1]}, not {status}:\n{output[-TAIL:]}")
        return output.replace("\r", "")

    def end(self, status, seconds=PATIENCE):
        """Waits for the machine's end, by the command's status."""
        deadline = time.monotonic() + seconds
        while self._more(deadline):
            if time.monotonic() > deadline:
                raise Wrong(f"no end within {seconds} s; the last it said:\n{self.all[-TAIL:]}")
        got = self._process.wait()
        if got != status:
            raise Wrong(f"status {got}, not {status}; the last it said:\n{self.all[-TAIL:]}")


def run_cases(cases):
    """Runs (name, function) pairs, prints a line each; whether all passed."""
    good = True
    for name, function in cases:
        start = time.monotonic()
        try:
            function()
            print(f"ok {name} ({time.monotonic() - start:.0f} s)", flush=True)
        except (Wrong, OSError, subprocess.CalledProcessError) as error:
            first, *rest = str(error).splitlines()
            print(f"FAIL {name}: {first}", flush=True)
            for line in rest:
                print("  " + line.replace("\x1b", "<ESC>"))
            good = False
    return good


def complain(text):
    print(text, file=sys.stderr, flush=True)


def quoted(*words):
    return shlex.join(words)
