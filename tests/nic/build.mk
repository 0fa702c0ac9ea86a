# The network cards' test, a session of its own.

NIC_TEST := $(BUILD)/tests/nic.elf
GUEST_TESTS += $(NIC_TEST)

$(NIC_TEST): $(call uobj,tests/nic/nic.c tests/guest/report.c) $(BARE_CRT) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0x400000)
