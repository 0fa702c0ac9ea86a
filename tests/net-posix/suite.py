"""Programs of Debian that use the network, in the POSIX session; servers built from its
sources; a machine without a network; random calls around sockets."""

suite("net-posix", ["tests/net-posix/run"], seconds=120)
suite("net-posix-bad", ["tests/net-posix/bad"], seconds=120)
for model in ("e1000e", "e1000"):
    suite(f"net-posix-{model}", ["tests/net-posix/run", "--cpus", "1", "--nic", model], seconds=120,
          long=True)
suite("net-posix-servers", ["tests/net-posix/servers"], seconds=200, long=True)
suite("net-posix-fuzz", shell("sh /net/fuzz.sh", "--add", "tests/net-posix/root", "--add",
                              f"{BUILD}/tests/net-posix/root"), seconds=120)
