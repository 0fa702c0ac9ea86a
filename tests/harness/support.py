"""What the tests of ./virtue share: cases, expectations, running it in an empty folder.

A test file declares cases with @case and ends with `support.main(iso)`; each case prints `ok NAME`
or `FAIL NAME: why`. What is tested is left to the files.
"""

import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TOP, "tools"))

BUILD = os.path.abspath(os.environ.get("BUILD") or os.path.join(TOP, "build"))
ALL_BYTES = bytes(range(256))
CASES = {}
settings = {"iso": None, "build": None}


class Wrong(Exception):
    """What a case found."""


def case(function):
    CASES[function.__name__] = function
    return function


def command(*options, script=None, boot="direct"):
    words = [os.path.join(TOP, "virtue"), "run", "--iso", settings["iso"], "--log", "run.log"]
    words += ["--boot", boot] if boot else []
    words += options
    return words + (["--", script] if script is not None else [])


def virtue(*options, script=None, boot="direct", stdin=b"", **more):
    if isinstance(stdin, bytes):
        more["input"] = stdin
    else:
        more["stdin"] = stdin
    return subprocess.run(command(*options, script=script, boot=boot), capture_output=True,
                          timeout=100, **more)


def expect(what, got, wanted):
    if got != wanted:
        raise Wrong(f"{what} is {got!r:.300}, not {wanted!r:.300}")


def expect_result(result, status, out=b"", err=b""):
    expect("stderr", result.stderr, err)
    expect("stdout", result.stdout, out)
    expect("status", result.returncode, status)


def expect_complaint(result, status, *parts):
    """One `virtue:` line with all these parts, and nothing else."""
    expect("status", result.returncode, status)
    lines = result.stderr.decode().splitlines()
    if len(lines) != 1 or not lines[0].startswith("virtue: "):
        raise Wrong(f"stderr is {result.stderr!r}, not one virtue: line")
    for part in parts:
        if part not in lines[0]:
            raise Wrong(f"{lines[0]!r} doesn't say {part!r}")


def empty_build_folder():
    """A build folder that holds nothing but the direct loader."""
    build = settings["build"]
    shutil.rmtree(build, ignore_errors=True)
    os.mkdir(build)
    os.symlink(os.path.join(BUILD, "direct.elf"), os.path.join(build, "direct.elf"))


def _run(name):
    """Runs a case in an empty folder, with a build folder of its own."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as above:
        os.chdir(folder)
        settings["build"] = os.path.join(above, "build")
        os.environ["BUILD"] = settings["build"]
        empty_build_folder()
        try:
            CASES[name]()
            print(f"ok {name}", flush=True)
            return True
        except (Wrong, subprocess.SubprocessError, OSError) as error:
            print(f"FAIL {name}: {error}", flush=True)
            return False
        finally:
            os.chdir("/")


def main(iso):
    """Runs the cases that the command line names, or all, on a boot image; the exit status."""
    settings["iso"] = iso
    names = sys.argv[1:] or list(CASES)
    failed = [name for name in names if not _run(name)]
    return 1 if failed else 0
