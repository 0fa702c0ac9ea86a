"""netmon's live page in headless Chromium."""

suite("netmon", ["tests/netmon/run"], seconds=300, long=True)
