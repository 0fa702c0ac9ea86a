"""The GC runtime: on Linux under sanitizers, every collector with every pager; in the machine."""

GC = f"{BUILD}/tests/gc"

suite("gc-mmu", ["tests/gc/mechanisms", f"{GC}/mmu", f"{GC}/gclab"], seconds=180)
# A program that ends without a verdict is a failure, whichever it is.
EACH = "do {} || echo FAIL $c $p: status $?; done; "
suite("gc-large", ["sh", "-c", "for c in summary bookmark gen gen-card compact semi; " +
                   EACH.format(f"{GC}/large $c")], seconds=120)
suite("gc-revoke", ["sh", "-c", "c=summary; for p in aware lru clock gc-age pointer-free; " +
                    EACH.format(f"{GC}/revoke $c $p") + "p=aware; for c in bookmark gen gen-card compact semi; " +
                    EACH.format(f"{GC}/revoke $c $p")], seconds=180)
suite("gc-revoke-full", ["sh", "-c", "for c in summary bookmark gen gen-card compact semi; do " +
                         "for p in aware lru clock gc-age pointer-free; " +
                         EACH.format(f"{GC}/revoke $c $p full") + "done"])
suite("gc-offers", ["sh", "-c", "for c in summary bookmark compact; do for p in aware gc-age; " +
                    EACH.format(f"{GC}/revoke $c $p offers") + "done; c=gen; for p in pointer-free lru; " +
                    EACH.format(f"{GC}/revoke $c $p offers")], seconds=120)
suite("gc-steps", ["sh", "-c", "for c in summary bookmark gen gen-card compact; do " +
                   "for p in aware lru; " + EACH.format(f"{GC}/steps $c $p") + "done; "], seconds=120)
suite("gc-matrix", ["tests/gc/matrix", f"{GC}/gclab", "6", "trees", "lru-cache"], seconds=240)
suite("gc-errors", ["tests/gc/errors", f"{GC}/gclab", f"{GC}/store"])
suite("gc-progress", ["tests/gc/progress", f"{GC}/gclab"], seconds=360)
suite("gc-matrix-long", ["tests/gc/matrix", f"{GC}/gclab", "4"], seconds=1800, long=True)
suite("gc-figures", ["tests/gc/figures", f"{BUILD}/gclab-linux"], seconds=900, long=True)

suite("gc-bench", ["tests/gc/bench", "--gate"], seconds=400, long=True)

suite("gc-revoke-machine", machine(f"{GC}/revoker.elf", "--cpus", "1", "--icount", session="revoker"), seconds=300)
suite("gc-machine", shell("gctest", "--add", f"{GC}/root"), seconds=300)
suite("gc-machine-all", shell("gctest --all", "--add", f"{GC}/root"), seconds=2400, long=True)
suite("gc-disk", ["tests/gc/disk", "answers"], seconds=240)
suite("gc-disk-shared", ["tests/gc/disk", "shared"], seconds=240)
suite("gc-disk-errors", ["tests/gc/disk", "errors"], seconds=240, long=True)
suite("gc-exocc", ["tests/gc/exocc"])
suite("gc-experiment", ["tests/gc/experiment", "quick", f"{GC}/gclab"], seconds=60)
suite("gc-debian", ["tests/gc/debian"], seconds=600, long=True)
suite("gc-experiment-machines", ["tests/gc/experiment", "machines"], seconds=300, long=True)
