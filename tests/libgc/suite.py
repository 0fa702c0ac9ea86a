"""The libgc-compatible library: its own cases, and programs that know nothing of it."""

ROOT = f"{BUILD}/tests/libgc/root"

suite("libgc-host", [f"{BUILD}/tests/libgc/host"], seconds=120)
suite("libgc-clients", ["tests/libgc/clients", f"{ROOT}/bin"], seconds=120)
