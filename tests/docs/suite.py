"""The commands of the README; the generated pages, the table of system calls, `make report`."""

suite("readme", ["tests/docs/readme"], seconds=300)
suite("generated", ["tests/docs/generated"])
suite("report", ["tests/docs/report"], seconds=180, long=True)
