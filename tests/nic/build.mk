# The network cards' test, a session of its own.

NIC_TEST := $(BUILD)/tests/nic.elf
GUEST_TESTS += $(NIC_TEST) $(BUILD)/netecho

$(NIC_TEST): $(call uobj,tests/nic/nic.c tests/guest/report.c) $(BARE_CRT) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0x400000)

# Their drivers against a card that works and cards that are wrong.
HOST_TESTS += $(BUILD)/tests/nic-drivers
$(BUILD)/tests/nic-drivers: $(call hobj,tests/nic/test_drivers.c drivers/e1000.c drivers/virtio_net.c)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^
