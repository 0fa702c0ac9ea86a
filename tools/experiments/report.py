"""What is made of finished cells: tables (CSV, figures.md), plots (SVG), the film of the page map.

Of several rounds of a cell the fastest is shown; the CSV has them all. Left to others: cells
(cells.py), drawing (plot.py).
"""

import csv
import json
import os

import plot
from cells import AWARE, MEMFD, OBLIVIOUS, SWAP, SWAPS, SWAPS_AT, TUNED, UFFD

HERE = os.path.dirname(os.path.abspath(__file__))
DISK_RATE = 100000000       # bytes a second, as machines.THROTTLE says
REGENERATE = "make experiment-gc"


class Row:
    """A finished cell's figures, by name."""

    def __init__(self, cell, result):
        self.cell, self.result = cell, result
        self.error = result.get("error", "")
        self.wait = result.get("host_wait_ms", 0)
        self.figures = {k: int(v) for k, v in result.get("row", {}).items()
                        if k not in ("bench", "collector", "pager", "mem", "small", "answer")}
        self.answer = result.get("row", {}).get("answer", "")

    @property
    def ms(self):
        """The time of the run, less what its machine waited for a CPU of the host: a quiet host
        takes at least that. Not less than the disk needs for these bytes: it goes on meanwhile."""
        ms = self.figures["ms"]
        disk = self.pages() * 4096 * 1000 // DISK_RATE if self.cell.store == "disk" else 0
        return ms if self.cell.icount else min(ms, max(ms - self.wait, disk, 1))

    @property
    def pause_ms(self):
        """The worst pause, less the same share."""
        return self.figures["pause_max_us"] * self.ms / max(self.figures["ms"], 1) / 1000

    @property
    def limit(self):
        return self.cell.memory / 1024

    @property
    def series(self):
        c = self.cell
        pager = SWAPS[c.pager].about if c.pager in SWAPS else c.pager
        return f"{c.system.capitalize()}: {c.collector}, {pager}"

    def requests(self):
        """(that read, that write) which the disk was given; 0: not known."""
        return self.figures.get("disk_reads", 0), self.figures.get("disk_writes", 0)

    def pages(self):
        """Pages between memory and disk: the runtime's own I/O, or what Linux swapped."""
        f, swapped = self.figures, self.result.get("swapped")
        if swapped:             # of the runtime's own some may never have left memory
            return swapped.get("pswpin", 0) + swapped.get("pswpout", 0)
        return f["written"] + f["read_mutator"] + f["read_collector"]


class Wrong(Exception):
    """Two runs of one program gave different answers."""


def answers_check(rows):
    """The same program has the same answer under every collector, pager, limit and system."""
    seen = {}
    for row in rows:
        key = (row.cell.bench, row.cell.small)
        if row.answer and seen.setdefault(key, row.answer) != row.answer:
            raise Wrong(f"{row.cell.name}: the answer is {row.answer}, elsewhere {seen[key]}")


def best(rows):
    """One row a cell, the fastest of its rounds; those that did not finish are left out."""
    found = {}
    for row in rows:
        if row.error:
            continue
        key = row.cell.name.rsplit("_r", 1)[0] if row.cell.round > 1 else row.cell.name
        if key not in found or row.ms < found[key].ms:
            found[key] = row
    return list(found.values())


# ---------------------------------------------------------------- tables

def csv_write(path, head, lines):
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(head)
        out.writerows(lines)


CELL = ("system", "bench", "collector", "pager", "limit_kib", "small", "heap_mib", "clock", "round")
SWAPPED = ("pswpin", "pswpout", "pgmajfault")


def cell_columns(cell):
    """What the columns CELL of its row say."""
    return [str(v) for v in (cell.system, cell.bench, cell.collector, cell.pager, cell.memory or "",
                             cell.small, cell.heap, "icount" if cell.icount else "wall", cell.round)]


def cells_write(out, experiment, rows):
    names = list(dict.fromkeys(k for r in rows for k in r.figures))
    head = [*CELL, "host_wait_ms", "answer", *names, *SWAPPED, "error"]
    lines = [[*cell_columns(r.cell), "" if r.cell.icount else r.wait, r.answer,
              *(r.figures.get(n, "") for n in names),
              *(r.result.get("swapped", {}).get(n, "") for n in SWAPPED), r.error] for r in rows]
    csv_write(os.path.join(out, f"{experiment}.csv"), head, lines)


def result_again(row):
    """The result that was written as this row of a table: its figures, no curves, no map."""
    if row["error"]:
        return {"error": row["error"]}
    others = (*CELL, "host_wait_ms", *SWAPPED, "error")
    result = {"row": {k: v for k, v in row.items() if k not in others and v},
              "host_wait_ms": int(row["host_wait_ms"] or 0)}
    if row[SWAPPED[0]]:
        result["swapped"] = {k: int(row[k]) for k in SWAPPED}
    return result


def earlier(out, cells):
    """{name: result} of the cells that the tables in `out` have."""
    found = {}
    for experiment in {c.experiment for c in cells}:
        path = os.path.join(out, f"{experiment}.csv")
        if not os.path.exists(path):
            continue
        with open(path, newline="", encoding="utf-8") as file:
            rows = {tuple(row[k] for k in CELL): row for row in csv.DictReader(file)}
        mine = ((c, rows.get(tuple(cell_columns(c)))) for c in cells if c.experiment == experiment)
        found.update({c.name: result_again(row) for c, row in mine if row})
    return found


def pick(rows, system, collector, pager):
    return {r.cell.memory: r for r in rows
            if (r.cell.system, r.cell.collector, r.cell.pager) == (system, collector, pager)}


def headline(rows):
    """A line for each limit that all three finished: both pairs, Linux's swap at its best, and
    ratios; what Linux takes as it is shipped stands beside it."""
    aware, naive = pick(rows, "virtue", *AWARE), pick(rows, "virtue", *OBLIVIOUS)
    shipped, tuned = (pick(rows, "linux", "semi", swap) for swap in (SWAP, TUNED))
    for limit in sorted(k for k in set(aware) & set(naive) & set(shipped) if k):
        a, o, s = (t[limit] for t in (aware, naive, shipped))
        untuned, s = s.ms, min(s, tuned.get(limit, s), key=lambda r: r.ms)
        yield {"limit_mib": limit // 1024, "aware_ms": a.ms, "oblivious_ms": o.ms, "linux_ms": s.ms,
               "aware_pause_ms": round(a.pause_ms), "oblivious_pause_ms": round(o.pause_ms),
               "linux_pause_ms": round(s.pause_ms), "aware_mib": a.pages() >> 8,
               "oblivious_mib": o.pages() >> 8, "linux_mib": s.pages() >> 8,
               "time_ratio": round(o.ms / a.ms, 1),
               "pause_ratio": round(o.pause_ms / max(a.pause_ms, 1), 1),
               "oblivious_to_linux": round(o.ms / s.ms, 2), "shipped_ms": untuned,
               "oblivious_to_shipped": round(o.ms / untuned, 2),
               "linux_time_ratio": round(s.ms / a.ms, 1),
               "linux_pause_ratio": round(s.pause_ms / max(a.pause_ms, 1), 1)}


def table(head, lines):
    text = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    return text + ["| " + " | ".join(str(v) for v in line) + " |" for line in lines] + [""]


PAIRS, FREE, STEPS, CARDS = (
    "Aware pair, oblivious pair, Linux's swap", "The same without a limit",
    "Linux's swap, from one heap and read-ahead to another", "Cards against dirty bits")


def swap_steps(rows):
    """A line for each way to swap on Linux, and for the oblivious pair: time, and what the disk was
    asked for."""
    ways = [("linux", "semi", swap) for swap in (UFFD, MEMFD, SWAP, TUNED)]
    for way in ways + [("virtue", *OBLIVIOUS)]:
        r = pick(rows, *way).get(SWAPS_AT)
        if not r:
            continue
        f, swap = r.figures, r.result.get("swapped", {})
        read, written = (swap[k] if swap else v for k, v in
                         (("pswpin", f["read_mutator"] + f["read_collector"]),
                          ("pswpout", f["written"])))
        reads, writes = r.requests()
        yield (r.series, 1 << SWAPS[r.cell.pager].cluster if swap else 8, r.ms,
               read >> 8, written >> 8, reads, round(read * 4 / max(reads, 1)), writes,
               round(written * 4 / max(writes, 1)))


def tables_there(path):
    """The tables of an earlier run, by heading: one of part of the experiments leaves the others."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        parts = (part.split("\n") for part in file.read().split("## ")[1:])
        return {head: [line for line in lines if line] + [""] for head, *lines in parts}


def figures_write(out, rows):
    """figures.md: the tables that the pages refer to."""
    path = os.path.join(out, "figures.md")
    tables = tables_there(path)
    memory = [r for r in rows if r.cell.experiment == "memory"]
    lines = list(headline(memory))
    if lines:
        csv_write(os.path.join(out, "headline.csv"), lines[0], [list(x.values()) for x in lines])
        tables[PAIRS] = table([k.replace("_", " ") for k in lines[0]], [x.values() for x in lines])
    free = [r for r in memory if not r.cell.memory]
    if free:
        tables[FREE] = table(["", "ms", "worst pause, ms"],
                             [(r.series, r.ms, round(r.pause_ms)) for r in free])
    if any(r.cell.experiment == "swap" for r in rows):
        steps = swap_steps([r for r in rows if r.cell.experiment in ("swap", "memory")])
        tables[STEPS] = table(["at 96 MiB", "read at once", "ms", "MiB read", "MiB written",
                               "reads", "KiB a read", "writes", "KiB a write"], steps)
    cost = list(barrier_costs(rows))
    if cost:
        tables[CARDS] = table(["system", "bench", "dirty bits", "cards", "cards / dirty bits"], cost)
    text = ["# Figures of the last run", f"Written by `{REGENERATE}`.", ""]
    for head in (PAIRS, FREE, STEPS, CARDS):
        if head in tables:
            text += [f"## {head}", "", *tables[head]]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(text))


# ---------------------------------------------------------------- plots

def by_series(rows):
    found = {}
    for row in sorted(rows, key=lambda r: r.cell.memory):
        found.setdefault(row.series, []).append(row)
    return found


def memory_plots(out, rows):
    limited = [r for r in rows if r.cell.memory]
    for name, title, y, value in (
            ("time", "trees: time", plot.Axis("seconds", log=True), lambda r: r.ms / 1000),
            ("io", "trees: I/O with the disk", plot.Axis("MiB"), lambda r: r.pages() / 256),
            ("pause", "trees: worst pause", plot.Axis("seconds", log=True),
             lambda r: r.pause_ms / 1000)):
        lines = [plot.Line(s, [(r.limit, value(r)) for r in some], s.startswith("Linux"))
                 for s, some in by_series(limited).items()]
        steps = sorted({r.limit for r in limited})
        x = plot.Axis("memory limit, MiB", low=0, high=max(steps, default=1), steps=steps)
        plot.lines_write(os.path.join(out, f"memory-{name}.svg"), title, x, y, lines)


def curve_limit(rows):
    """The limit at which the pairs' pauses differ most: there the curves say most."""
    lines = list(headline(rows))
    if lines:
        return max(lines, key=lambda x: x["pause_ratio"])["limit_mib"] << 10
    return max((r.cell.memory for r in rows), default=0)


def distribution(us):
    """[(ms, per cent of pauses that are no longer)], at most 100 points."""
    n = len(us)
    ranks = sorted({min(n - 1, i * n // 100) for i in range(100)} | {n - 1})
    return [(us[i] / 1000, (i + 1) * 100 / n) for i in ranks]


def curves(out, rows):
    limit = curve_limit(rows)
    some = [r for r in rows if r.cell.memory == limit]
    if any("pauses" not in r.result for r in some):
        return                  # some are known by the tables only: the curves stay
    pauses = {r.series: distribution([int(x) for x in r.result.get("pauses", "").split()])
              for r in some if r.result.get("pauses", "").split()}
    used = {r.series: [(int(a) / 1000, int(b) / 10) for a, b in
                       (line.split() for line in r.result.get("utilisation", "").splitlines())]
            for r in some}
    where = f"{limit / 1024:g} MiB"
    for name, title, x, y, found in (
            ("pauses", f"trees in {where}: pauses", "pause, ms", "% of pauses, at most so long",
             pauses),
            ("utilisation", f"trees in {where}: mutator utilisation of the worst window",
             "window, ms", "% for the program", used)):
        csv_write(os.path.join(out, f"{name}.csv"), ["series", x, y],
                  [(s, round(a, 3), round(b, 2)) for s, points in found.items() for a, b in points])
        plot.lines_write(os.path.join(out, f"{name}.svg"), title, plot.Axis(x, log=True),
                         plot.Axis(y, high=100),
                         [plot.Line(s, p, s.startswith("Linux")) for s, p in found.items()], False)


def barrier_costs(rows):
    """(system, bench, ms of dirty bits, ms of cards, ratio)"""
    some = {(r.cell.system, r.cell.bench, r.cell.collector): r.ms
            for r in rows if r.cell.experiment == "barriers"}
    for system, bench, collector in some:
        if collector == "gen" and (system, bench, "gen-card") in some:
            bits, cards = some[system, bench, "gen"], some[system, bench, "gen-card"]
            yield system, bench, bits, cards, round(cards / max(bits, 1), 2)


def barrier_plot(out, rows):
    for system in ("virtue", "linux"):
        groups = [(bench, [("dirty bits", bits), ("cards", cards)])
                  for s, bench, bits, cards, _ in barrier_costs(rows) if s == system]
        if groups:
            plot.bars_write(os.path.join(out, f"barriers-{system}.svg"),
                            f"{system.capitalize()}: write barriers",
                            plot.Axis("million instructions"), groups)


def matrix_plots(out, experiment, rows, value, what):
    """For each benchmark: collectors, and the pagers within, at the smallest limit."""
    for bench in sorted({r.cell.bench for r in rows}):
        some = [r for r in rows if r.cell.bench == bench and r.cell.system == "virtue"]
        limit = min((r.cell.memory for r in some), default=0)
        groups = {}
        for r in some:
            if r.cell.memory == limit:
                groups.setdefault(r.cell.collector, []).append((r.cell.pager, value(r)))
        if groups:
            plot.bars_write(os.path.join(out, f"{experiment}-{bench}.svg"),
                            f"{bench} in {limit} KiB", plot.Axis(what), list(groups.items()))


# ---------------------------------------------------------------- the film

def film_write(out, rows):
    """One page that shows the maps side by side, with all that it needs inside."""
    films = []
    for row in rows:
        head, *lines = row.result.get("map", "").splitlines()
        shots = [line.split(" ") for line in lines]
        films.append({"title": f"{row.series}, {row.limit:g} MiB, {row.cell.bench}",
                      "pages": int(head.split()[1]), "ms": row.ms,
                      "shots": [[int(ns) // 1000, phase == "gc", runs]
                                for ns, phase, runs in shots]})
    with open(os.path.join(HERE, "film.html"), encoding="utf-8") as file:
        page = file.read()
    with open(os.path.join(out, "film.html"), "w", encoding="utf-8") as file:
        file.write(page.replace("/*FILMS*/[]", json.dumps(films, separators=(",", ":"))))


def write(done, out):
    """All files of the experiments that have finished cells."""
    rows = [Row(c, r) for c, r in done]
    answers_check(rows)
    os.makedirs(out, exist_ok=True)
    for name in dict.fromkeys(r.cell.experiment for r in rows):
        cells_write(out, name, [r for r in rows if r.cell.experiment == name])
    good = best(rows)
    part = {name: [r for r in good if r.cell.experiment == name]
            for name in ("memory", "matrix", "disk", "film")}
    if part["memory"]:
        memory_plots(out, part["memory"])
        curves(out, part["memory"])
    barrier_plot(out, good)
    matrix_plots(out, "matrix", part["matrix"], lambda r: r.pages() / 256, "MiB written and read")
    matrix_plots(out, "disk", part["disk"], lambda r: r.ms / 1000, "seconds")
    if part["film"] and all("map" in r.result for r in part["film"]):
        film_write(out, part["film"])
    figures_write(out, good)
