# Host tests of the VMM's hardware-free files, under ASan and UBSan.

HOST_TESTS += $(BUILD)/tests/vmm-store
$(BUILD)/tests/vmm-store: $(call hobj,tests/vmm/host/test_store.c libos/vmm/store.c libos/vmm/store_tree.c \
		libos/common/text.c)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^
