# The same micro-benchmarks inside a guest of the VMM, a PV dom0 of Debian's Xen, and on bare QEMU.

# A plugin of QEMU's translator.
BENCH_VMM_COUNT := $(BUILD)/tests/benchvmm/count.so

$(BENCH_VMM_COUNT): tests/benchvmm/count.c
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)gcc -std=gnu17 -O2 $(WARN) -fvisibility=hidden -shared -fPIC -o $@ $<

BENCH_VMM_PKG := $(patsubst %,$(BUILD)/pkg/%.stamp,linux-image-amd64 xen-hypervisor-4.17-amd64 \
	busybox-static)

# BENCH_ARGS='--rounds 5 --markdown docs/vmm-figures.md'
.PHONY: bench-vmm
bench-vmm: all $(BENCH) $(BENCH_VMM_COUNT) $(BENCH_VMM_PKG) ## Compare the VMM with Debian's Xen
	$(Q)tests/benchvmm/run $(BENCH_ARGS)
