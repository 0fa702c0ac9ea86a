# The GC runtime on its Linux back end, under ASan and UBSan: the lab, and the MMU interface alone.

GC_TESTS := $(BUILD)/tests/gc
HOST_TESTS += $(GC_TESTS)/gclab $(GC_TESTS)/mmu $(GC_TESTS)/large $(GC_TESTS)/revoke $(GC_TESTS)/store $(GC_TESTS)/steps

$(GC_TESTS)/gclab: $(call hobj,$(GC_LINUX_SRC) $(GC_LAB_SRC) $(GC_LINUX_MAIN))
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

$(GC_TESTS)/mmu: $(call hobj,tests/gc/test_mmu.c tests/gc/mmu_main_linux.c $(GC_LINUX_MMU))
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

$(GC_TESTS)/large $(GC_TESTS)/revoke $(GC_TESTS)/store $(GC_TESTS)/steps: $(GC_TESTS)/%: $(call hobj,$(GC_LINUX_SRC) $(GC_LINUX_MAIN)) $(BUILD)/h/tests/gc/test_%.o
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

# For the machine: a folder for ./virtue run --add.
GUEST_TESTS += $(GC_TESTS)/root/bin/gcmmu $(GC_TESTS)/root/bin/gclarge $(GC_TESTS)/root/bin/gctest

$(GC_TESTS)/root/bin/gcmmu: $(call uobj,tests/gc/test_mmu.c tests/gc/mmu_main_exo.c) $(GC_CRT) $(BARE_CRT) \
		$(LIBGC) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0x400000)

$(GC_TESTS)/root/bin/gclarge: $(call uobj,tests/gc/test_large.c) $(GC_CRT) $(BARE_CRT) $(LIBGC) $(LIBCOMMON) \
		$(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0x400000)

$(GC_TESTS)/root/bin/gctest: tests/gc/machine
	@mkdir -p $(@D)
	$(Q)cp $< $@

# A session of its own, which asks its child for frames.
GUEST_TESTS += $(GC_TESTS)/revoker.elf

$(GC_TESTS)/revoked.elf $(GC_TESTS)/supplier.elf $(GC_TESTS)/victims.elf: $(GC_TESTS)/%.elf: $(BUILD)/u/tests/gc/%.o $(GC_CRT) $(BARE_CRT) \
		$(LIBGC) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0x400000)

$(BUILD)/u/tests/gc/revoker.o: $(GC_TESTS)/revoked.elf $(GC_TESTS)/supplier.elf $(GC_TESTS)/victims.elf
$(BUILD)/u/tests/gc/revoker.o: UCFLAGS += -DREVOKED_ELF=\"$(GC_TESTS)/revoked.elf\" \
	-DSUPPLIER_ELF=\"$(GC_TESTS)/supplier.elf\" -DVICTIMS_ELF=\"$(GC_TESTS)/victims.elf\"
$(GC_TESTS)/revoker.elf: $(call uobj,tests/gc/revoker.c tests/guest/report.c) $(BARE_CRT) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0x400000)

CHECK_TESTS += $(GCLAB_LINUX) $(GC_TESTS)/linux/mmu

# For Debian's Linux in QEMU.
$(GC_TESTS)/linux/mmu: tests/gc/test_mmu.c tests/gc/mmu_main_linux.c $(GC_LINUX_MMU) $(wildcard $(GC_DIR)/mmu*.h)
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) -static -O2 -g -std=gnu17 $(WARN) -I. -o $@ $(filter %.c,$^)

# Memory primitives, on Virtue and on Linux (tests/gc/bench compares them).
GC_BENCH := $(GC_TESTS)/bench/virtue/bin/gcbench $(GC_TESTS)/bench/linux/bin/gcbench
CHECK_TESTS += $(GC_BENCH) $(BUILD)/pkg/linux-image-amd64.stamp

$(GC_TESTS)/bench/virtue/bin/gcbench: $(call uobj,tests/gc/bench_mmu.c tests/gc/bench_exo.c) $(GC_CRT) $(BARE_CRT) \
		$(LIBGC) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0x400000)

$(GC_TESTS)/bench/linux/bin/gcbench: tests/gc/bench_mmu.c tests/gc/bench_linux.c tests/gc/bench_mmu.h
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)musl-gcc -std=gnu17 -O2 -Wall -Wextra -Werror -I. -static -o $@ $(filter %.c,$^)

.PHONY: bench-gc
bench-gc: all $(GC_BENCH) $(GC_TESTS)/revoker.elf $(BUILD)/pkg/linux-image-amd64.stamp ## Compare the GC runtime's memory primitives with Debian's Linux: BENCH_ARGS='--rounds 9'
	$(Q)tests/gc/bench $(BENCH_ARGS)
