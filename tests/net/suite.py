"""Packet filters on the host: the language, the demultiplexer, its compiled code, its cost."""

NET = f"{BUILD}/tests/net"

suite("net", [NET])
suite("net-pairs", [NET, "pairs", "10000000", "16", "2"], seconds=1500, long=True)
suite("net-pairs-1000", [NET, "pairs", "10000", "1000", "3"], seconds=300, long=True)
suite("net-spaces", [NET, "spaces", "300", "4"], seconds=300, long=True)
