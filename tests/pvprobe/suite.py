"""The PV probe: a guest kernel and its user on a toy monitor, on one CPU and on two."""

for cpus in (1, 2):
    suite(f"pvprobe-{cpus}", machine(f"{BUILD}/tests/pvprobe", "--cpus", str(cpus), session="pvprobe"))
