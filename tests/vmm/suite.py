"""The VMM libOS: its hardware-free files on the host, its guests in the machine."""

suite("vmm-store", [f"{BUILD}/tests/vmm-store"])
suite("vmm-image", [f"{BUILD}/tests/vmm-image"])
suite("vmm-image-long", [f"{BUILD}/tests/vmm-image", "100000", "7"], seconds=600, long=True)
suite("vmm-store-long", [f"{BUILD}/tests/vmm-store", "2000000", "7"], seconds=300, long=True)

suite("vmm-blk", [f"{BUILD}/tests/vmm-blk"])
suite("vmm-blk-long", [f"{BUILD}/tests/vmm-blk", "1000000", "7"], seconds=300, long=True)
suite("vmm-vdisk", [f"{BUILD}/tests/vmm-disk"])
suite("vmm-vdisk-long", [f"{BUILD}/tests/vmm-disk", "20000", "7"], seconds=300, long=True)
suite("vmm-console", [f"{BUILD}/tests/vmm-console"])
suite("vmm-size", ["tests/vmm/size"])
suite("vmm-docs", ["tests/vmm/docs"])
suite("vmm-disks", ["tests/vmm/disks"], seconds=2400, long=True)

CASES = ["--add", f"{BUILD}/tests/vmm/cases"]
suite("vmm", shell("sh /vmm/cases", *CASES), seconds=900)
suite("vmm-rogue", shell("sh /rogue/cases", "--add", f"{BUILD}/tests/vmm/rogue"), seconds=900)
suite("vmm-linux", ["tests/vmm/linux", "grub", "shell"], seconds=900)
suite("vmm-linux-long", ["tests/vmm/linux", "grub-boots", "init-ends", "stop", "terminal", "disk-smp",
                         "disk-cow", "installer"], seconds=3000, long=True)
suite("vmm-dmesg", ["tests/vmm/dmesg"], seconds=3000, long=True)
suite("vmm-spin", shell("sh /vmm/spin", *CASES), seconds=300, long=True)
suite("vmm-several", shell("sh /vmm/several", "--icount", "--guests=debian", "--mem", "1500M", *CASES),
      seconds=1500, long=True)
suite("vmm-1", shell("sh /vmm/cases", *CASES, "--cpus", "1"), seconds=400, long=True)
