"""The hostile libOS matrix (docs/security.md), on one CPU and on two."""

for cpus in (1, 2):
    suite(f"hostile-{cpus}", machine(f"{BUILD}/tests/hostile", "--cpus", str(cpus), session="hostile"),
          seconds=150)
