"""The VMM libOS: its hardware-free files on the host, its guests in the machine."""

suite("vmm-store", [f"{BUILD}/tests/vmm-store"])
suite("vmm-store-long", [f"{BUILD}/tests/vmm-store", "2000000", "7"], seconds=300, long=True)
