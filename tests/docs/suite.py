"""The commands of the README; the generated pages and the table of system calls."""

suite("readme", ["tests/docs/readme"], seconds=300)
suite("generated", ["tests/docs/generated"])
