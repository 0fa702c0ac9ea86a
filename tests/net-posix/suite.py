"""Programs of Debian that use the network, in the POSIX session."""

suite("net-posix", ["tests/net-posix/run"], seconds=120)
