"""What the GC experiments measure: cells, each one run of gclab, and the sets of them.

A cell is one benchmark under one collector, pager and memory limit on one system. Cells of one
`boot` run one after the other in one machine; all others have a machine of their own. Left to
others: running them (machines.py), and what is made of the figures (report.py).
"""

from dataclasses import dataclass, field

COLLECTORS = ("summary", "bookmark", "gen", "gen-card", "compact", "semi")
PAGERS = ("aware", "lru", "clock", "gc-age", "pointer-free")
BENCHES = ("trees", "binary-trees", "lru-cache", "graph", "transactions")

AWARE, OBLIVIOUS = ("summary", "aware"), ("semi", "lru")

# In a pager's place: the runtime takes all the memory it wants, and Linux swaps. As Debian ships
# it; with a longer read-ahead; and with heaps that cost Linux more.
SWAP, TUNED, MEMFD, UFFD = "swap", "swap-tuned", "swap-memfd", "swap-uffd"


@dataclass(frozen=True)
class Swap:
    """The heap is what that mechanism of --mmu makes of it; 2^cluster pages are read at once."""
    mmu: str
    cluster: int
    about: str


SWAPS = {SWAP: Swap("none", 3, "its own swap"), TUNED: Swap("none", 7, "its own swap, tuned"),
         MEMFD: Swap("mprotect", 3, "its own swap, memfd"),
         UFFD: Swap("uffd", 3, "its own swap, memfd and userfaultfd")}
SWAPS_AT = 96 << 10     # KiB; the limit at which they are compared


@dataclass(frozen=True)
class Cell:
    """One run. `memory` in KiB, 0: no limit; `small`: the benchmark's size divided by 2^small."""
    experiment: str
    system: str                 # virtue, linux
    collector: str
    pager: str
    memory: int = 0
    bench: str = "trees"
    small: int = 0
    heap: int = 256             # MiB of addresses
    store: str = "disk"         # disk: the throttled one (Linux's swap space is there); memory:
                                # frames outside the limit
    icount: bool = False        # time is instructions; without a disk
    wants: tuple = ()           # pauses, utilisation, map: files that it leaves besides its figures
    boot: str = ""              # cells with the same name share a machine
    round: int = 1
    rounds: int = field(default=1, compare=False)       # how many there are at least
    seconds: int = field(default=10, compare=False)     # a guess, for the plan

    @property
    def name(self):
        words = [self.experiment, self.system, self.bench, self.collector, self.pager,
                 f"{self.memory}K", f"s{self.small}", f"h{self.heap}"]
        return "_".join(words + ([f"r{self.round}"] if self.round > 1 else []))

    @property
    def swaps(self):
        """On Linux the disk is a swap partition, and the program in a cgroup with the limit."""
        return self.system == "linux" and self.memory > 0 and self.store == "disk"

    def options(self):
        """gclab's words; a cell of Linux's swap has no limit that gclab knows of."""
        swap = SWAPS.get(self.pager)
        words = ["--bench", self.bench, "--collector", self.collector, "--pager",
                 "lru" if swap else self.pager, "--small", str(self.small),
                 "--heap", f"{self.heap}M", "--quiet"]
        if swap and self.collector == "semi":   # others want to know what was written
            words += ["--mmu", swap.mmu]
        if self.memory and not swap:
            words += ["--mem", f"{self.memory}K"]
            words += ["--store", "swap" if self.swaps else "disk" if self.store == "disk" else
                      f"memory:{self.heap}"]
        return words


def memory(limits, systems=("virtue", "linux"), more=()):
    """Time and I/O over the limit: trees in full size, 64 MiB live, on the throttled disk."""
    curves = ("pauses", "utilisation")
    for limit in (0,) + limits:
        few = {"memory": limit << 10, "wants": curves}
        if "virtue" in systems:
            slow = 8 if not limit else 50
            yield Cell("memory", "virtue", *AWARE, **few, rounds=3 if limit != 48 else 1,
                       seconds=8 if limit != 48 else 60)
            yield Cell("memory", "virtue", *OBLIVIOUS, **few, seconds=slow)
            for pair in (("semi", "aware"),) + more:
                yield Cell("memory", "virtue", *pair, **few, seconds=slow)
        if "linux" in systems:
            slow = 20 if not limit else 40
            for collector in ("semi",) + tuple({c for c, _ in more}):
                yield Cell("memory", "linux", collector, SWAP, **few, seconds=slow)
            if limit:
                yield Cell("memory", "linux", "semi", TUNED, **few, seconds=slow)
            yield Cell("memory", "linux", *AWARE, **few, seconds=20 if limit != 48 else 60)


def swaps():
    """What other heaps cost Linux's own swap; `memory` has those that count."""
    for pager in (UFFD, MEMFD):
        yield Cell("swap", "linux", "semi", pager, memory=SWAPS_AT, seconds=60)


def barriers(small):
    """Hardware dirty bits (gen) against cards (gen-card), by instructions, in unlimited memory."""
    for system in ("virtue", "linux"):
        for bench in BENCHES:
            for collector in ("gen", "gen-card"):
                yield Cell("barriers", system, collector, "aware", bench=bench, small=small,
                           heap=256 >> min(small, 2), store="memory", icount=True,
                           boot=f"barriers-{system}-{bench}", seconds=5)


def matrix(small, factors, system, benches=BENCHES, pagers=PAGERS):
    """Every collector with every pager and benchmark, by counts of pages, paging to memory."""
    size = {"trees": 1400, "binary-trees": 700, "lru-cache": 1500, "graph": 740,
            "transactions": 950}         # KiB, of benchmarks of a sixty-fourth
    for bench in benches:
        for collector in COLLECTORS:
            # Linux takes long to boot under -icount
            boot = f"matrix-{system}-{bench}" + (f"-{collector}" if system == "virtue" else "")
            for factor in factors:
                for pager in pagers:
                    yield Cell("matrix", system, collector, pager, bench=bench, boot=boot,
                               memory=int((size[bench] << 6 >> small) * factor), small=small,
                               heap=512 >> small, store="memory", icount=True, seconds=2)


def disk_matrix(small, limits):
    """The same on the throttled disk, and under Linux's swap."""
    for bench in BENCHES:
        for limit in limits:
            some = {"bench": bench, "small": small, "memory": (limit << 10) >> small,
                    "heap": 256 >> small}
            for collector in COLLECTORS:
                yield Cell("disk", "linux", collector, SWAP, **some, seconds=30)
                for pager in PAGERS:
                    yield Cell("disk", "virtue", collector, pager, **some, seconds=20)


def film():
    """The page map over time of both pairs, in memory that holds the live data, not the garbage."""
    for pair in (OBLIVIOUS, AWARE):
        yield Cell("film", "virtue", *pair, memory=12 << 10, small=3, heap=32, wants=("map",),
                   seconds=15)


def tiny():
    """A cell of each kind that takes no time, for the tests."""
    some, curves = {"small": 5, "heap": 16, "memory": 2300}, ("pauses", "utilisation")
    yield Cell("memory", "virtue", *AWARE, wants=curves, **some)
    yield Cell("memory", "virtue", *OBLIVIOUS, wants=curves, **some)
    yield Cell("memory", "linux", "semi", SWAP, wants=curves, **some)
    yield Cell("film", "virtue", *AWARE, wants=("map",), **some)


LIMITS = (224, 192, 160, 128, 96, 72, 48)


def default_set():
    return [*film(), *memory(LIMITS), *swaps(), *barriers(2), *matrix(6, (1,), "virtue"),
            *matrix(6, (1,), "linux", ("trees", "lru-cache"), ("aware", "lru"))]


def full_set():
    more = (("gen", "lru"), ("bookmark", "aware"), ("gen", "aware"), ("compact", "aware"))
    limits = (240, 224, 208, 192, 176, 160, 144, 128, 112, 96, 80, 64, 48)
    return [*film(), *memory(limits, more=more), *swaps(), *barriers(0),
            *matrix(6, (1, 1.5, 2), "virtue"), *matrix(6, (1, 1.5, 2), "linux"),
            *disk_matrix(2, (128, 96, 64, 48))]


SETS = {"default": default_set, "full": full_set, "tiny": lambda: list(tiny())}
