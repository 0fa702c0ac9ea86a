"""The hardware-free core on the model machine: unit tests, fuzzer, coverage."""

FUZZ = f"{BUILD}/tests/fuzz"

suite("core", [f"{BUILD}/tests/host-core"])
suite("drivers-host", [f"{BUILD}/tests/host-drivers"])
suite("core-fuzz", [FUZZ, "200000", "1"], seconds=120)
suite("core-fuzz-long", [FUZZ, "10000000"], seconds=1800, long=True)
suite("core-forest-long", ["env", "FOREST=2000000", "FOREST_SEED=2", f"{BUILD}/tests/host-core", "net_forest"],
      seconds=600, long=True)
suite("core-coverage", ["make", "-s", f"BUILD={BUILD}", "coverage"], seconds=300, long=True)
