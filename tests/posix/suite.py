"""The POSIX cases, compared with what Debian's Linux answers."""

suite("posix-1", ["tests/posix/run", "--quick", "--cpus", "1"], seconds=400)
suite("posix-2", ["tests/posix/run", "--cpus", "2"], seconds=900, long=True)
