"""Programs in domains of their own, started from the shell through the proxy protocol."""

suite("domain", shell(". /cases", "--add", f"{BUILD}/tests/domain", "--disk",
                      f"{BUILD}/tests/domain.img"), seconds=120)
# Some fifteen sessions start one after another
suite("domain-sessions", shell(". /sessions", "--cpus", "1", "--add", f"{BUILD}/tests/domain"), seconds=200, long=True)
