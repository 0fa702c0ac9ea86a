"""Runs cells of the GC experiments: gclab on Virtue, and on Debian's Linux in the same QEMU.

The same CPU model, memory, number of CPUs and disk for both. On Linux a cell with a disk runs in a
memory cgroup whose limit is what the domain's quota is on Virtue, and the disk is a swap partition:
what is swapped there Linux chooses, or the runtime's pager (the store `swap`).
Left to others: what is run (cells.py), booting (./virtue and tests/oracle/linux-run).
"""

import csv
import glob
import io
import os
import re
import shlex
import shutil
import subprocess
import tempfile

import hostload
from cells import SWAP, SWAPS

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
THROTTLE = "throttling.iops-total=2000,throttling.bps-total=100000000"
CPU, MEMORY, DISK_SIZE = "max,-erms", "1G", 768 << 20
MODULES = ("virtio/virtio_ring", "virtio/virtio", "virtio/virtio_pci_modern_dev",
           "virtio/virtio_pci_legacy_dev", "virtio/virtio_pci", "block/virtio_blk")

MARK = re.compile(r"=== (\d+) (begin|status)")

LINUX_START = """for m in {modules}; do insmod /gc/$m.ko; done
echo 1048576 > /proc/sys/vm/max_map_count
mkdir -p /sys && mount -t sysfs sys /sys && mount -t cgroup2 cgroup /sys/fs/cgroup
echo +memory > /sys/fs/cgroup/cgroup.subtree_control
swap() {{ mkswap /dev/vda > /dev/null && swapon /dev/vda; mkdir /sys/fs/cgroup/gc
	echo ${{2:-3}} > /proc/sys/vm/page-cluster
	echo $1 > /sys/fs/cgroup/gc/memory.max; echo 0 > /sys/fs/cgroup/gc/cgroup.procs; }}
swapped() {{ grep -e pswp -e pgmajfault /proc/vmstat; set -- $(cat /sys/block/vda/stat)
	echo disk_reads $1; echo disk_writes $5; }}
PATH=/gc:$PATH
"""


class Failure(Exception):
    """The machine or an input failed, not the cell; the text says how."""


def quota(kib):
    """What gclab.sh gives the domain: the limit, and what its program and page tables take."""
    return ((kib + 1023) // 1024 * 65 // 64 + 8) << 20


def shell_text(cell, number):
    """Runs one cell, and prints what it left between lines that begin with `=== `."""
    files = "".join(f" --{want} /tmp/{number}.{want}" for want in cell.wants)
    lab = shlex.join(["gclab"] + cell.options()) + f" --csv /tmp/{number}.csv{files}"
    lines = [f"echo === {number} begin"]
    if cell.swaps:
        cluster = SWAPS.get(cell.pager, SWAPS[SWAP]).cluster
        lines += [f"(swap {quota(cell.memory)} {cluster}; {lab}) > /tmp/{number}.out 2>&1"]
    else:
        lines += [f"{lab} > /tmp/{number}.out 2>&1"]
    lines += [f"echo === {number} status $?"]
    for kind in ("out", "csv") + cell.wants:
        lines += [f"echo === {number} {kind}", f"cat /tmp/{number}.{kind} 2> /dev/null"]
    if cell.swaps:
        lines += [f"echo === {number} swapped", "swapped"]
    return "\n".join(lines)


def parse(text, cells):
    """[results of each cell]: a dictionary of kind -> text; Failure if one did not run."""
    results = [{} for _ in cells]
    parts = re.split(r"^=== (\d+) (\w+) ?(.*)\n", text, flags=re.M)
    for i in range(1, len(parts), 4):
        number, kind, rest, body = parts[i:i + 4]
        if int(number) >= len(cells):
            raise Failure(f"an answer of a cell {number} that there is not")
        results[int(number)][kind] = rest or body
    for cell, result in zip(cells, results):
        if "csv" not in result or "status" not in result:
            raise Failure(f"{cell.name}: no answer; the machine printed\n{text[-2000:]}")
    return [figures(cell, result) for cell, result in zip(cells, results)]


def figures(cell, result):
    """{row: {...}} of the CSV line, or {error: text}; with what else it left."""
    if result["status"].strip() != "0":
        lines = [line for line in result["out"].splitlines() if line.startswith("gc")]
        killed = "the kernel killed it" if result["status"].strip() == "137" else "no message"
        return {"error": lines[-1] if lines else killed}
    row = next(csv.DictReader(io.StringIO(result["csv"])), None)
    if not row:
        raise Failure(f"{cell.name}: no figures")
    answer = {"row": row}
    for want in cell.wants:
        answer[want] = result.get(want, "")
    if "swapped" in result:
        pairs = (line.split() for line in result["swapped"].splitlines())
        swapped = {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}
        row.update((k, swapped.pop(k)) for k in ("disk_reads", "disk_writes") if k in swapped)
        answer["swapped"] = swapped
    return answer


class Machines:
    """Both systems, with a disk that each run finds empty."""

    def __init__(self, build, work):
        self.build, self.work = build, work
        self.disk = os.path.join(work, "disk.img")

    def lab(self, system):
        """The program that is measured."""
        return os.path.join(self.build, "gclab" if system == "virtue" else "gclab-linux")

    def _fresh_disk(self):
        with open(self.disk, "wb") as file:
            file.truncate(DISK_SIZE)

    def _words(self, cells, folder, timeout):
        system, icount = cells[0].system, cells[0].icount
        script = "\n".join(shell_text(c, i) for i, c in enumerate(cells))
        words = ["--cpus", "1", "--cpu", CPU, "--mem", MEMORY, "--timeout", str(timeout)]
        if icount:
            words += ["--icount"]
        if system == "virtue":
            disk = [] if icount else ["--disk", f"{self.disk},{THROTTLE}"]
            log = os.path.join(self.work, "virtue.log")
            return [os.path.join(REPO, "virtue"), "run", "--boot", "direct", "--log", log, *words,
                    *disk, "--", "cd /tmp\n" + script]
        disk = [] if icount else [
            "--qemu", f"-drive if=none,id=d,format=raw,file={self.disk},{THROTTLE} "
                      "-device virtio-blk-pci,drive=d"]
        start = LINUX_START.format(modules=" ".join(map(os.path.basename, MODULES)))
        return [os.path.join(REPO, "tests", "oracle", "linux-run"), *words, *disk,
                "--add", self.linux_root(folder), "--", start + script]

    def linux_root(self, folder):
        """What is added to Linux's files: the lab, and the disk's modules."""
        place = os.path.join(folder, "gc")
        os.makedirs(place)
        shutil.copy(self.lab("linux"), os.path.join(place, "gclab"))
        tree = os.path.join(self.build, "pkg", "linux-image-amd64", "lib", "modules")
        for module in MODULES:
            found = glob.glob(os.path.join(tree, "*", "kernel", "drivers", module + ".ko"))
            if not found:
                raise Failure(f"no {module}.ko under {tree}: run `make experiment-gc`")
            shutil.copy(max(found), place)
        return folder

    def run(self, cells, timeout):
        """Runs cells of one boot; their results in order."""
        self._fresh_disk()
        try:
            with tempfile.TemporaryDirectory(prefix="cells.", dir=self.work) as folder:
                words = self._words(cells, folder, timeout)
                status, out, err, meter = watch(words, {**os.environ, "BUILD": self.build})
        finally:
            os.unlink(self.disk)
        if status in (120, 121, 122, 123, 125):
            raise Failure(f"{cells[0].name}: status {status}: {err.strip()[-500:]}")
        results = parse(out, cells)
        for number, result in enumerate(results):
            took = int(result.get("row", {}).get("ms", 0))
            if "row" in result and not cells[0].icount:
                clock_check(cells[number], took, meter.ms.get(number, took))
            result["host_wait_ms"] = round(took * meter.part.get(number, 0))
        return results


def clock_check(cell, guest_ms, host_ms):
    """Failure if the guest's clock ran at another rate than the host's: on a busy host a kernel
    can misjudge the time-stamp counter when it boots, by a factor."""
    beginning = 3000 + host_ms // 5         # of the program, before it measures
    if not host_ms - beginning <= guest_ms <= host_ms + host_ms // 20 + 100:
        raise Failure(f"{cell.name}: {guest_ms} ms by the guest's clock, {host_ms} by the host's")


def watch(words, environment):
    """(exit status, stdout, stderr, its hostload.Meter) of a machine."""
    lines = []
    with tempfile.TemporaryFile("w+", errors="replace") as err, \
            subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err,
                             text=True, errors="replace", env=environment) as process:
        meter = hostload.Meter(process.pid)
        try:
            for line in process.stdout:
                lines.append(line)
                mark = MARK.match(line)
                if mark:
                    {"begin": meter.begin, "status": meter.end}[mark[2]](int(mark[1]))
            status = process.wait()
        except BaseException:
            process.terminate()
            raise
        err.seek(0)
        return status, "".join(lines), err.read(), meter
