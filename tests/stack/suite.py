"""TCP and UDP by lwIP on the host, on a wire that loses, repeats, delays and spoils frames."""

suite("stack", [f"{BUILD}/tests/stack", "1"])
suite("stack-long", [f"{BUILD}/tests/stack", "30"], seconds=900, long=True)
