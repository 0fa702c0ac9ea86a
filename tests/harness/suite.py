"""The run harness and the build's tools, tested with a stand-in for the kernel."""

suite("harness", ["tests/harness/harness_test.py"], seconds=180)
