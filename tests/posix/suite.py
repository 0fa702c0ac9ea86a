"""The POSIX cases, compared with what Debian's Linux answers.

With instructions as the time a run repeats whatever else the host does. On CPUs that really run
at once, in real time, the cases need a quiet host: by hand, `tests/posix/run --cpus 2`.
"""

suite("posix-1", ["tests/posix/run", "--quick", "--icount", "--cpus", "1"], seconds=400)
suite("posix-2", ["tests/posix/run", "--icount", "--cpus", "2"], seconds=400, long=True)
suite("strace", shell(". /cases", "--add", "tests/posix/strace"))
