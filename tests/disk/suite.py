"""Block storage on each driver; on disks that are slow, fail, do not answer, or are pulled out."""

RUN = "tests/disk/run"

for model in ("virtio", "ahci", "nvme"):
    suite(f"disk-{model}", [RUN, model, "plain"])
    suite(f"disk-{model}-errors", [RUN, model, "errors"])
suite("disk-silent", [RUN, "virtio", "silent"])
suite("disk-slow", [RUN, "nvme", "slow"])

for model in ("virtio", "ahci", "nvme"):
    suite(f"disk-{model}-1", [RUN, "--cpus", "1", model, "plain"], long=True)
    suite(f"disk-{model}-lines", [RUN, "--nomsi", model, "plain"], long=True)
    suite(f"disk-{model}-lines-errors", [RUN, "--nomsi", model, "errors"], long=True)
    suite(f"disk-{model}-lines-silent", [RUN, "--nomsi", model, "silent"], seconds=100, long=True)
    suite(f"disk-{model}-gone", [RUN, model, "gone"], seconds=100, long=True)
    for kind in ("slow", "silent"):
        if (model, kind) not in (("virtio", "silent"), ("nvme", "slow")):
            suite(f"disk-{model}-{kind}", [RUN, model, kind], seconds=100, long=True)
for model in ("virtio", "nvme"):
    suite(f"disk-{model}-bridge", [RUN, "--bridge", model, "plain"], long=True)
    suite(f"disk-{model}-pc", [RUN, model, "plain", "--", "--qemu", "-machine pc"], long=True)  # without ECAM
    suite(f"disk-{model}-4k", [RUN, "--sector", "4096", model, "plain"], long=True)
