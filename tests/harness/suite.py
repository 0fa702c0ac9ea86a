"""The run harness: with a stand-in for the kernel that fails in each way, and on the machine."""

suite("harness", ["tests/harness/harness_test.py"], seconds=180)
suite("run", ["tests/harness/machine_test.py"], seconds=180)
suite("gdb", ["tests/harness/gdb_test.py"], seconds=120, long=True)
