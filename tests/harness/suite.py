"""The run harness: with a stand-in for the kernel that fails in each way, on the machine, and with
bad boot images and machines."""

suite("harness", ["tests/harness/harness_test.py"], seconds=180)
suite("run", ["tests/harness/machine_test.py"], seconds=180)
suite("badinput", ["tests/harness/badinput_test.py"], seconds=240)
suite("gdb", ["tests/harness/gdb_test.py"], seconds=120, long=True)
