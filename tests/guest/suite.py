"""Kernel primitives and libos/common, in the machine; exocc and make new, on the host."""

KTEST = f"{BUILD}/tests/guest/ktest.elf"

for cpus in (1, 2):
    suite(f"kernel-{cpus}", machine(KTEST, "--cpus", str(cpus), session="ktest"))
# Under a hypervisor the kernel lock is not fair (smp.c): here it is, as on a real machine
suite("kernel-fair", machine(KTEST, "--cpus", "2", "--cpu", "max,-hypervisor", session="ktest"),
      long=True)
# Segment bases by MSR alone
suite("kernel-msr", machine(KTEST, "--cpus", "1", "--cpu", "max,-fsgsbase", session="ktest"), long=True)
suite("kernel-small", machine(KTEST, "--cpus", "1", "--mem", "40M", session="ktest"), long=True)
suite("kernel-4", machine(KTEST, "--cpus", "4", "--mem", "2G", session="ktest"), seconds=120,
      long=True)
suite("domains-10000",
      machine(KTEST, "--cpus", "1", "--mem", "2G", "--append", "many=10000", session="ktest"),
      seconds=300, long=True)
suite("common-host", [f"{BUILD}/tests/host/test_common"])
suite("exocc", ["tests/guest/exocc"])
