"""The web server: its TCP on the host, on a wire that loses and spoils frames; in the machine, asked
from outside, on such a wire too."""

suite("web", [f"{BUILD}/tests/web", "1"])
suite("web-e1000e", ["tests/web/run", "e1000e"], seconds=120)
suite("web-virtio", ["tests/web/run", "virtio"], seconds=120, long=True)
suite("web-e1000", ["tests/web/run", "--cpus", "2", "e1000"], seconds=120, long=True)
suite("web-shared", ["tests/web/shared", "e1000e"], seconds=120)
suite("web-shared-virtio", ["tests/web/shared", "virtio"], seconds=120, long=True)
suite("web-lossy", ["tests/web/lossy", "e1000e"], seconds=500, long=True)
suite("web-long", [f"{BUILD}/tests/web", "30"], seconds=600, long=True)
suite("web-sessions", ["tests/web/sessions", "e1000e", "1"], seconds=120)
suite("web-sessions-2", ["tests/web/sessions", "e1000e", "2"], seconds=120, long=True)
suite("web-sessions-virtio", ["tests/web/sessions", "virtio", "1"], seconds=120, long=True)
