"""busybox's own shell tests; with instructions as the time, so that a run repeats."""

suite("ash", ["tests/ash/run", "--quick", "--icount", "--cpus", "1"], seconds=400)
suite("ash-2", ["tests/ash/run", "--icount", "--cpus", "2"], seconds=1200, long=True)
