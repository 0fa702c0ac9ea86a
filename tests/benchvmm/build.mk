# The same micro-benchmarks inside a guest of the VMM, a PV dom0 of Debian's Xen, and on bare QEMU.

.PHONY: bench-vmm
bench-vmm: all $(BENCH) $(BUILD)/pkg/linux-image-amd64.stamp $(BUILD)/pkg/xen-hypervisor-4.17-amd64.stamp \
	$(BUILD)/pkg/busybox-static.stamp ## Compare the VMM with Debian's Xen: BENCH_ARGS='--rounds 5 --json FILE'
	$(Q)tests/benchvmm/run $(BENCH_ARGS)
