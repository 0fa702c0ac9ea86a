"""The hostile libOS matrix (docs/security.md), on one CPU and on two."""

NIC = "-netdev user,id=wire,restrict=on -device e1000e,netdev=wire,romfile="

for cpus, model in ((1, "nvme"), (2, "virtio")):
    suite(f"hostile-{cpus}", machine(f"{BUILD}/tests/hostile", "--cpus", str(cpus), "--disk",
                                     f"{BUILD}/tests/hostile-{cpus}.img,model={model}", "--qemu", NIC, session="hostile"),
          seconds=150)

suite("fuzz-guest", machine(f"{BUILD}/tests/hostile", "--append", "row=fuzz calls=1000000", "--cpus", "2",
                            "--disk", f"{BUILD}/tests/hostile-fuzz.img", session="hostile"), seconds=600, long=True)
