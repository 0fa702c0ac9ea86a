# Host tests of the VMM's hardware-free files, under ASan and UBSan.

HOST_TESTS += $(BUILD)/tests/vmm-store
$(BUILD)/tests/vmm-store: $(call hobj,tests/vmm/host/test_store.c libos/vmm/store.c libos/vmm/store_tree.c \
		libos/common/text.c)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

HOST_TESTS += $(BUILD)/tests/vmm-image
$(BUILD)/h/tests/vmm/host/test_image.o: HCFLAGS += $(VMM_INCLUDE)
$(BUILD)/h/tests/vmm/host/test_image.o: $(VMM_STAMPS)
$(BUILD)/tests/vmm-image: $(call hobj,tests/vmm/host/test_image.c libos/vmm/image.c libos/vmm/decompress.c \
		libos/common/text.c) $(VMM_LIBS)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

HOST_TESTS += $(BUILD)/tests/vmm-disk
$(BUILD)/tests/vmm-disk: $(call hobj,tests/vmm/host/test_disk.c libos/vmm/disk.c libos/vmm/disk_plain.c \
		libos/vmm/disk_cow.c tests/vmm/example/disk_mirror.c libos/common/text.c)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

HOST_TESTS += $(BUILD)/tests/vmm-blk
$(BUILD)/tests/vmm-blk: $(call hobj,tests/vmm/host/test_blk.c libos/vmm/blk.c libos/vmm/disk.c \
		libos/common/text.c)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

CHECK_TESTS += $(BUILD)/guests/debian.stamp

# A monitor with a virtual disk of its own: the example of docs/vmm.md.
VMM_MIRROR := $(BUILD)/tests/vmm/cases/vmm/monitor-mirror
GUEST_TESTS += $(VMM_MIRROR)
$(VMM_MIRROR): $(call uobj,libos/common/start_entry.S tests/vmm/example/disk_mirror.c) $(VMM_OBJS) \
		$(VMM_LIBS) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0xffff840000000000)

HOST_TESTS += $(BUILD)/tests/vmm-console
$(BUILD)/tests/vmm-console: $(call hobj,tests/vmm/host/test_console.c libos/vmm/console.c libos/common/text.c)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^
