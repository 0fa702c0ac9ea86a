"""busybox's own shell tests."""

suite("ash", ["tests/ash/run", "--quick", "--cpus", "1"], seconds=300)
suite("ash-slow", ["tests/ash/run", "--cpus", "2", "-k", "z_slow|signals"], seconds=900, long=True)
