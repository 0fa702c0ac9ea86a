"""The POSIX cases, compared with what Debian's Linux answers.

With instructions as the time a run repeats whatever else the host does. On CPUs that really run
at once, in real time, it does not, and a case that takes seconds has less room on a busy host.
"""

suite("posix-1", ["tests/posix/run", "--quick", "--icount", "--cpus", "1"], seconds=400)
suite("posix-2", ["tests/posix/run", "--icount", "--cpus", "2"], seconds=800, long=True)
suite("posix-2-real", ["tests/posix/run", "--quick", "--cpus", "2"], seconds=600, long=True)
suite("strace", shell(". /cases", "--add", "tests/posix/strace"))
suite("scarce", shell("scarce", "--mem", "96M", "--nic", "none", "--add",
                      f"{BUILD}/tests/posix/scarce"), seconds=180)
