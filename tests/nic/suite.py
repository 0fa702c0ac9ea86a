"""Network cards in the machine, with a peer on the wire that watches what comes out."""

RUN = "tests/nic/run"
ECHO = "tests/nic/echo"

suite("nic-drivers", [f"{BUILD}/tests/nic-drivers"])
suite("nic-e1000e", [RUN, "e1000e"])
suite("nic-e1000", [RUN, "e1000"])
suite("nic-virtio", [RUN, "virtio"])
suite("nic-echo", [ECHO, "e1000e"])
for model in ("e1000e", "e1000", "virtio"):
    suite(f"nic-{model}-1", [RUN, "--cpus", "1", model], long=True)
    suite(f"nic-{model}-lines", [RUN, "--nomsi", model], long=True)
