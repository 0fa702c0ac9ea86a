"""The libgc-compatible library: its own cases, and programs that know nothing of it."""

LIBGC = f"{BUILD}/tests/libgc"

suite("libgc-host", [f"{LIBGC}/host"], seconds=120)
suite("libgc-revoke", [f"{LIBGC}/revoke"])
suite("libgc-clients", ["tests/libgc/clients", f"{LIBGC}/root/bin"], seconds=240)
suite("libgc-machine", shell("libgc-machine", "--add", f"{LIBGC}/root"), seconds=150)
suite("libgc-machine-all", shell("libgc-machine --all", "--add", f"{LIBGC}/root"), seconds=900,
      long=True)
suite("libgc-w3m", shell("libgc-w3m", "--add", f"{LIBGC}/w3m/root"), seconds=240, long=True)
suite("libgc-figure", ["tests/libgc/figure"], seconds=900, long=True)
