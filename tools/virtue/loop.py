"""The one loop of a run: moves bytes between the machine, the host's streams and a client, without
blocking on any of them, until the machine ends, time is up, or somebody ends it.

The client (session.Session or terminal.Terminal) says what the bytes mean. It has:

  reads_input     whether it takes standard input now
  take_input(b)   bytes of standard input; b"" is its end
  take_output(b)  bytes from COM2; may raise frames.FrameError
  take_signal(n)  a signal of the host's; returns whether the run goes on
  take_broken(d)  nobody reads the host's descriptor d any more
  leaving         whether the run is to end now
  to_machine      bytearray: bytes for COM2
  to_host         deque of (descriptor, bytes): output for the host, in order
  ends_soon       whether the machine has said that it is about to power off
"""

import os
import select
import signal
import stat
import time

from . import frames

BUFFER_LIMIT = 65536
CHUNK = 4096  # what a pipe takes without blocking when it is writable
FILE_POLL_SECONDS = 0.005
POWER_OFF_SECONDS = 10
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH)


class Loop:
    """After run(): `stopped` says why it ended: "ended" (the machine did), "timeout", "stuck" (no
    power-off after its announcement), "signal" (of number `signal`), "left", "frame" (`error`)."""

    def __init__(self, machine, client, seconds):
        self.machine = machine
        self.client = client
        self.stopped = None
        self.signal = 0
        self.error = None
        self._deadline = time.monotonic() + seconds if seconds else None
        self._power_off_deadline = None
        self._input_open = True
        self._polls_file = _is_file(machine.output_descriptor)
        self._signals, self._signals_in = os.pipe()
        for end in (self._signals, self._signals_in):
            os.set_blocking(end, False)

    def run(self):
        before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
        wake_before = signal.set_wakeup_fd(self._signals_in, warn_on_full_buffer=False)
        try:
            while not self.stopped:
                self._step()
        finally:
            signal.set_wakeup_fd(wake_before)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._signals)
            os.close(self._signals_in)

    def _step(self):
        ready = self._wait()
        if self._signals in ready:
            self._handle_signals()
        if not self.machine.ended and self.machine.monitor.fileno() in ready:
            self.machine.handle_monitor()
        if self.machine.input_descriptor in ready and not self.machine.ended:
            del self.client.to_machine[:self.machine.write(self.client.to_machine)]
        if self._wants_input() and 0 in ready:
            self._read_input()
        got = self._read_output()
        if self.client.to_host and self.client.to_host[0][0] in ready:
            self._write_host()
        self._check_end(got)

    # Waiting

    def _wait(self):
        """Descriptors that are ready, after waiting for one if need be."""
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        if not self.machine.ended:
            poll.register(self.machine.monitor, select.POLLIN)
            if self.client.to_machine:
                poll.register(self.machine.input_descriptor, select.POLLOUT)
        if self._wants_input():
            poll.register(0, select.POLLIN)
        if self.client.to_host:
            poll.register(self.client.to_host[0][0], select.POLLOUT)
        elif not self._polls_file:
            poll.register(self.machine.output_descriptor, select.POLLIN)
        return {descriptor for descriptor, _ in poll.poll(self._patience())}

    def _patience(self):
        """Milliseconds to wait at most, or None."""
        if self.machine.ended and not self.client.to_host:
            return 0
        limits = [limit - time.monotonic()
                  for limit in (self._deadline, self._power_off_deadline) if limit]
        if self._polls_file and not self.client.to_host:
            limits.append(FILE_POLL_SECONDS)
        return max(0, min(limits)) * 1000 if limits else None

    def _wants_input(self):
        return (self._input_open and self.client.reads_input and not self.machine.ended
                and len(self.client.to_machine) < BUFFER_LIMIT)

    # Moving

    def _handle_signals(self):
        for number in os.read(self._signals, 64):
            if number != signal.SIGCHLD and not self.client.take_signal(number):
                self.stopped, self.signal = "signal", number

    def _read_input(self):
        try:
            data = os.read(0, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._input_open = bool(data)
        self.client.take_input(data)

    def _read_output(self):
        """Whether the machine had something to say."""
        if self.client.to_host:
            return True
        data = self.machine.read()
        if data:
            try:
                self.client.take_output(data)
            except frames.FrameError as error:
                self.stopped, self.error = "frame", error
        return bool(data)

    def _write_host(self):
        descriptor, data = self.client.to_host.popleft()
        try:
            data = data[os.write(descriptor, data[:CHUNK]):]
        except BlockingIOError:
            pass
        except OSError:
            self.client.take_broken(descriptor)
            return
        if data:
            self.client.to_host.appendleft((descriptor, data))

    # Ending

    def _check_end(self, got):
        now = time.monotonic()
        if self.client.ends_soon and not self._power_off_deadline:
            self._power_off_deadline = now + POWER_OFF_SECONDS
        if self.stopped:
            return
        if self.machine.ended and not got and not self.client.to_host:
            self.stopped = "ended"
        elif self.client.leaving:
            self.stopped = "left"
        elif self._deadline and now >= self._deadline:
            self.stopped = "timeout"
        elif self._power_off_deadline and now >= self._power_off_deadline \
                and not self.client.to_host and not self.machine.ended:
            self.stopped = "stuck"


def _is_file(descriptor):
    return stat.S_ISREG(os.fstat(descriptor).st_mode)
