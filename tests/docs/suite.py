"""The commands of the README."""

suite("readme", ["tests/docs/readme"], seconds=300)
