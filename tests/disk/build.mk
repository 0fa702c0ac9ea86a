# The disk tests' session.

DISK_TEST := $(BUILD)/tests/disk.elf
GUEST_TESTS += $(DISK_TEST)

$(DISK_TEST): $(call uobj,tests/disk/disk.c tests/guest/report.c) $(BARE_CRT) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0x400000)
