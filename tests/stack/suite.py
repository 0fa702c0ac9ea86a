"""TCP and UDP by lwIP: on the host, on a wire that loses, repeats, delays and spoils frames; in the
machine, with connections from outside."""

suite("stack", [f"{BUILD}/tests/stack", "1"])
suite("stack-e1000e", ["tests/stack/run", "e1000e"], seconds=120)
suite("stack-virtio", ["tests/stack/run", "--cpus", "1", "virtio"], seconds=120, long=True)
suite("stack-e1000", ["tests/stack/run", "e1000"], seconds=120, long=True)
suite("stack-long", [f"{BUILD}/tests/stack", "30"], seconds=900, long=True)
