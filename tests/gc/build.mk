# The GC runtime on its Linux back end, under ASan and UBSan: the lab, and the MMU interface alone.

GC_TESTS := $(BUILD)/tests/gc
HOST_TESTS += $(GC_TESTS)/gclab $(GC_TESTS)/mmu

$(GC_TESTS)/gclab: $(call hobj,$(GC_LINUX_SRC) $(GC_LAB_SRC) $(GC_LINUX_MAIN))
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

$(GC_TESTS)/mmu: $(call hobj,tests/gc/test_mmu.c tests/gc/mmu_main_linux.c $(GC_DIR)/mmu_check.c $(GC_DIR)/mmu_linux.c $(GC_DIR)/port_linux.c libos/common/text.c)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

CHECK_TESTS += $(GCLAB_LINUX)
