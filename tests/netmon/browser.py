"""Debian's Chromium without a screen, from build/whole/ (tools/fetch): pages, what is in them, and
what they complain about.

It is spoken to in the DevTools protocol, by two pipes: messages of JSON, each ended by a zero byte.
Nothing of the user's is read or written; what it needs lies in a folder of the caller's.
"""

import base64
import json
import os
import select
import subprocess
import time

NAME = "chromium-headless-shell"
LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/nss",
             "usr/lib/x86_64-linux-gnu/pulseaudio")
# In a container the sandbox has not the rights, nor /dev/shm the size, that it wants.
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
           "--no-first-run", "--disable-background-networking", "--remote-debugging-pipe",
           "--window-size=1000,900")
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig><dir>{tree}/usr/share/fonts</dir><cachedir>{folder}/fonts</cachedir></fontconfig>
"""
ANSWER_SECONDS = 60


class BrowserError(Exception):
    """It does not run, does not answer, or refuses; the text says what."""


def tree(build):
    """Where it was unpacked, or None."""
    path = os.path.join(os.path.abspath(build), "whole", NAME)
    return path if os.path.exists(path) else None


class Browser:
    def __init__(self, unpacked, folder):
        fonts = os.path.join(folder, "fonts.conf")
        with open(fonts, "w", encoding="utf-8") as file:
            file.write(FONTS.format(tree=unpacked, folder=folder))
        libraries = ":".join(os.path.join(unpacked, d) for d in LIBRARIES)
        environment = {"PATH": "/usr/bin:/bin", "HOME": folder, "TMPDIR": folder,
                       "FONTCONFIG_FILE": fonts, "LD_LIBRARY_PATH": libraries}
        self.errors = []
        self._log = open(os.path.join(folder, "browser.log"), "w+", encoding="utf-8",
                         errors="replace")
        self._number = 0
        self._buffer = b""
        self._session = None
        program = os.path.join(unpacked, "usr/lib/chromium", NAME)
        self._start([program, *OPTIONS, f"--user-data-dir={folder}/user"], environment)

    def _start(self, command, environment):
        """It reads from descriptor 3 and writes to descriptor 4."""
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        words = ["/bin/sh", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "sh", *command]
        self._process = subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL,
                                         stdout=self._log, stderr=self._log,
                                         pass_fds=(theirs_in, theirs_out))
        os.close(theirs_in)
        os.close(theirs_out)

    def _messages(self, seconds):
        """Those that have come, after waiting for the next one."""
        if not select.select([self._in], [], [], max(0, seconds))[0]:
            raise BrowserError(f"no answer from the browser: {self.tail()}")
        data = os.read(self._in, 1 << 20)
        if not data:
            raise BrowserError(f"the browser ended: {self.tail()}")
        *whole, self._buffer = (self._buffer + data).split(b"\0")
        return [json.loads(message) for message in whole]

    def _note(self, message):
        """What DevTools' console would show in red."""
        method, p = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = p["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and p["type"] in ("error", "assert"):
            words = [str(a.get("value", a.get("description"))) for a in p["args"]]
            self.errors.append(" ".join(words))
        elif method == "Log.entryAdded" and p["entry"]["level"] == "error":
            self.errors.append(f"{p['entry']['text']} {p['entry'].get('url', '')}")

    def call(self, method, **params):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        answer, end = None, time.monotonic() + ANSWER_SECONDS
        while not answer:
            for got in self._messages(end - time.monotonic()):
                self._note(got)
                answer = got if got.get("id") == self._number else answer
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error'].get('message')}")
        return answer["result"]

    def open(self, address):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for part in ("Runtime", "Log", "Page"):
            self.call(f"{part}.enable")
        failed = self.call("Page.navigate", url=address).get("errorText")
        if failed:
            raise BrowserError(f"{address}: {failed}")
        end = time.monotonic() + ANSWER_SECONDS
        while self.value("document.readyState") != "complete":
            if time.monotonic() > end:
                raise BrowserError(f"{address}: not loaded within {ANSWER_SECONDS} s")
            time.sleep(0.1)

    def value(self, script):
        """Of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in result:
            raise BrowserError(f"{script}: {result['exceptionDetails']['text']}")
        return result["result"].get("value")

    def picture(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def tail(self):
        self._log.seek(0)
        return self._log.read()[-500:]

    def close(self):
        """Its other processes end with it: they lose their pipes."""
        self._process.kill()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)
        self._log.close()
